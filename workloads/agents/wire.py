"""What agents say to each other on a connection: a header, then frames, an end mark and an answer.

A header is a JSON object behind its length and says what the connection is for. A lane's payload travels in frames of
at most `FRAME_BYTES`; an empty frame is a sign of life; the end mark carries size and xxh3_64 of everything, which the
receiver compares with its own before it acknowledges.
"""

from __future__ import annotations

import asyncio
import json
import struct

from workloads.agents.connection import Connection, TransferError

FRAME_BYTES = 256 * 1024
FRAME = struct.Struct("!I")
END = struct.Struct("!IQQ")
TOTALS = struct.Struct("!QQ")
END_MARK = 0xFFFFFFFF
ACKNOWLEDGED = b"+"
ALIVE = b"."
"""The receiver waits for its task; see `Connection.send`."""

_LENGTH = struct.Struct("!H")


async def send_header(connection: Connection, header: dict[str, object]) -> None:
    """Opens a conversation on a connection."""
    text = json.dumps(header).encode()
    await connection.send(_LENGTH.pack(len(text)) + text)


async def receive_header(connection: Connection) -> dict[str, object]:
    """What the other side wants.

    Raises:
        TransferError: it does not say so in the way of `send_header`.
    """
    (length,) = _LENGTH.unpack(await connection.receive_exactly(2))
    text = await connection.receive_exactly(length)
    try:
        header = json.loads(text)
    except ValueError:
        header = None
    if not isinstance(header, dict):
        raise TransferError(f"header {text[:40]!r}: not a JSON object")
    return header


async def wait_for(event: asyncio.Event, at_most_s: float | None) -> None:
    """Waits for an event, or for so long; sets the event in the end, which costs less than a task of its own."""
    timer = None if at_most_s is None else asyncio.get_running_loop().call_later(at_most_s, event.set)
    try:
        await event.wait()
    finally:
        if timer is not None:
            timer.cancel()
