"""Connections as engines have them: one from a container to another, which all lanes between the two share.

Both ends send frames: the number of a lane, what the frame is, and its length. The receiver grants credit to each lane,
bytes that it has room for (credit-based flow control, as in Flink), so that it can always take what comes, and no lane
holds another one up for longer than a frame takes. While lanes are open, both ends say now and then that they live.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from enum import IntEnum
from functools import partial
from typing import Any

import xxhash

from workloads.agents.connection import Buffer, Connection, TransferError
from workloads.agents.inbox import Inbox, Inboxes
from workloads.agents.usage import Usage
from workloads.agents.wire import TOTALS

BUFFER_BYTES = 32 * 1024
"""Most payload of a frame."""

_LOOKS = 3  # for a sign of life, in the time of the deadline
_FRAME = struct.Struct("!IBI")


class _Kind(IntEnum):
    OPEN = 0
    DATA = 1
    END = 2
    CREDIT = 3
    ACKNOWLEDGED = 4
    ALIVE = 5


class _Frames:
    """Frames of several lanes on one connection, in both directions."""

    def __init__(self, connection: Connection, busy: Callable[[], bool]) -> None:
        connection.share()
        self.connection = connection
        self.failure = ""
        self._busy = busy
        self._turn = asyncio.Lock()
        self._heard = False  # anything since the last look
        self._watching = asyncio.ensure_future(self._watch())

    async def send(self, lane: int, kind: _Kind, *payload: Buffer, length: int | None = None) -> None:
        """Sends a frame when it is its turn; `length` stands for that of the payload.

        Raises:
            TransferError: the connection has failed.
        """
        size = sum(map(len, payload)) if length is None else length
        async with self._turn:
            if self.failure:
                raise TransferError(self.failure)
            await self.connection.send(_FRAME.pack(lane, kind, size), *payload)

    async def next(self) -> tuple[int, int, int] | None:
        """Lane, kind and length of the next frame, however long it takes; None when the connection is closed.

        Raises:
            TransferError: it fails in the middle of a frame.
        """
        if not await self.connection.more():
            return None
        self._heard = True
        lane, kind, length = _FRAME.unpack(await self.connection.receive_exactly(_FRAME.size))
        return lane, kind, length

    def fail(self, reason: str) -> None:
        """Ends the connection, and whoever waits for it, for the first reason that there is."""
        self.failure = self.failure or reason
        self._watching.cancel()
        self.connection.shut()

    async def _watch(self) -> None:
        """Tells the peer that this end lives as long as it is busy, and fails when the peer does not say so.

        It counts looks, not time: when this process has not had a core for long, the peer cannot be blamed.
        """
        deadline_s, silent = self.connection.deadline_s, 0
        try:
            while silent <= _LOOKS:
                if self._busy():
                    await self.send(0, _Kind.ALIVE)
                await asyncio.sleep(deadline_s / _LOOKS)
                silent = silent + 1 if self._busy() and not self._heard else 0
                self._heard = False
            raise TransferError(f"receiving from {self.connection.peer}: silent for {deadline_s:g} s")
        except TransferError as error:
            self.fail(str(error))


class SharedConnection:
    """The sender's end: lanes are opened on it.

    Args:
        connection: To the agent that has the other container.

    Attributes:
        ports: Own and other port, which tell the flow apart on the network.
    """

    def __init__(self, connection: Connection) -> None:
        self.ports = connection.ports
        self._lanes: dict[int, OpenLane] = {}
        self._opened = 0
        self._frames = _Frames(connection, lambda: bool(self._lanes))
        self._receiving = asyncio.ensure_future(self._receive())

    @asynccontextmanager
    async def lane(self, header: Mapping[str, object]) -> AsyncIterator[OpenLane]:
        """A lane that is open meanwhile; if it fails or is given up, so are all others on the connection.

        Args:
            header: Tells the receiver which lane it is.

        Raises:
            TransferError: the connection has failed.
        """
        number = self._opened
        self._opened += 1
        lane = self._lanes[number] = OpenLane(number, self._frames)
        try:
            await self._frames.send(number, _Kind.OPEN, json.dumps(header).encode())
            yield lane
        except BaseException:
            self._frames.fail("given up")
            raise
        finally:
            del self._lanes[number]

    def close(self) -> None:
        """Closes the connection; lanes that are open fail."""
        self._frames.fail("closed")

    async def _receive(self) -> None:
        """Takes what the receiver says, until it has nothing more to say."""
        try:
            while (frame := await self._frames.next()) is not None:
                number, kind, length = frame
                if (lane := self._lanes.get(number)) is not None:
                    lane.hear(kind, length)
            reason = f"receiving from {self._frames.connection.peer}: closed before the end"
        except TransferError as error:
            reason = str(error)
        self._frames.fail(reason)
        self._frames.connection.close()
        for lane in self._lanes.values():
            lane.wake()


class OpenLane:
    """A lane at its sender, which may send as much as it has been granted."""

    def __init__(self, number: int, frames: _Frames) -> None:
        self._number = number
        self._frames = frames
        self._credit = 0
        self._acknowledged = False
        self._changed = asyncio.Event()

    async def room(self) -> int:
        """Waits until something may be sent; how much, at once.

        Raises:
            TransferError: the connection has failed.
        """
        await self._until(lambda: self._credit > 0)
        return min(self._credit, BUFFER_BYTES)

    async def send(self, view: memoryview) -> None:
        """Sends payload for which there is room.

        Raises:
            TransferError: the connection has failed.
        """
        self._credit -= len(view)
        await self._frames.send(self._number, _Kind.DATA, view)

    async def finish(self, size: int, digest: int) -> None:
        """Sends the end and waits until the receiver has found size and checksum to be right.

        Raises:
            TransferError: it has not, or the connection has failed.
        """
        await self._frames.send(self._number, _Kind.END, TOTALS.pack(size, digest))
        await self._until(lambda: self._acknowledged)

    def hear(self, kind: int, length: int) -> None:
        """Takes what the receiver says about the lane."""
        if kind == _Kind.CREDIT:
            self._credit += length
        elif kind == _Kind.ACKNOWLEDGED:
            self._acknowledged = True
        self.wake()

    def wake(self) -> None:
        """Whoever waits looks again."""
        self._changed.set()

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            if self._frames.failure:
                raise TransferError(self._frames.failure)
            self._changed.clear()
            await self._changed.wait()


async def receive_shared(connection: Connection, inboxes: Inboxes, node: Usage) -> None:
    """The receiver's end: takes lanes into their inboxes until the sender closes the connection.

    Raises:
        TransferError: the connection or one of its lanes failed; the inboxes of all that were open have been told.
    """
    lanes: dict[int, _Arriving] = {}
    frames = _Frames(connection, lambda: bool(lanes))
    try:
        while (frame := await frames.next()) is not None:
            number, kind, length = frame
            if kind == _Kind.OPEN:
                header = json.loads(await connection.receive_exactly(length))
                lanes[number] = _Arriving(number, header, frames, inboxes, node, partial(lanes.pop, number))
            elif kind == _Kind.DATA:
                await lanes[number].take(length)
            elif kind == _Kind.END:
                lanes[number].end(*TOTALS.unpack(await connection.receive_exactly(length)))
        frames.fail(f"receiving from {connection.peer}: closed before the end")
    except (TransferError, LookupError, ValueError, struct.error) as error:
        frames.fail(str(error) or type(error).__name__)
    for lane in lanes.values():
        lane.fail(frames.failure)
    if lanes:
        raise TransferError(frames.failure)


class _Arriving:
    """A lane at its receiver.

    Args:
        gone: Called when it has ended well.
    """

    def __init__(
        self,
        number: int,
        header: Mapping[str, Any],
        frames: _Frames,
        inboxes: Inboxes,
        node: Usage,
        gone: Callable[[], object],
    ) -> None:
        self._number = number
        self._source = int(header["from"])
        self._key = header["job"], header["exchange"], header["to"]
        self._frames, self._inboxes, self._node, self._gone = frames, inboxes, node, gone
        self._digest, self._received = xxhash.xxh3_64(), 0
        self._granted = 0
        self._totals: tuple[int, int] | None = None
        self._inbox: Inbox | None = None
        self._changed = asyncio.Event()
        self._working = asyncio.ensure_future(self._guarded())

    async def take(self, length: int) -> None:
        """Receives payload.

        Raises:
            TransferError: it is more than was granted, or does not come.
        """
        if self._inbox is None or self._received + length > self._granted:
            raise TransferError(f"frame of {length} bytes from task {self._source}: more than was granted")
        await self._frames.connection.receive_payload(length, self._digest.update)
        self._received += length
        self._inbox.arrive(length)
        self._inbox.usage.received_bytes += length
        self._node.received_bytes += length
        self._changed.set()

    def end(self, size: int, digest: int) -> None:
        """Notes what the sender says it has sent."""
        self._totals = size, digest
        self._changed.set()

    def fail(self, reason: str) -> None:
        """The lane does not go on; its task is told."""
        self._working.cancel()
        if self._inbox is not None:
            self._inbox.fail(reason)

    async def _guarded(self) -> None:
        try:
            await self._work()
        except TransferError as error:
            self._frames.fail(str(error))

    async def _work(self) -> None:
        """Grants credit as the inbox has room, and acknowledges in the end."""
        inbox = self._inbox = await self._inboxes.find(self._key)
        window = max(BUFFER_BYTES, inbox.window_bytes // inbox.sources)
        while self._totals is None:
            self._changed.clear()  # before looking: much may arrive while room or a turn to send is waited for
            if self._granted - self._received > window // 2:
                await self._changed.wait()
                continue
            while not await inbox.room():
                continue
            grant = window - (self._granted - self._received)
            self._granted += grant
            await self._frames.send(self._number, _Kind.CREDIT, length=grant)
        if self._totals != (self._received, self._digest.intdigest()):
            size = f"{self._received} bytes with another size or checksum than sent"
            inbox.fail(f"partition of task {self._source}: {size}")
            raise TransferError(f"partition of task {self._source}: {size}")
        await self._frames.send(self._number, _Kind.ACKNOWLEDGED)
        inbox.end(self._source, self._received)
        self._gone()
