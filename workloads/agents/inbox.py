"""Where tasks receive: an inbox for each exchange that a task consumes.

An inbox stops reading when its task lags behind by its window, so backpressure reaches the producers.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import xxhash

from workloads.agents.connection import Connection, TransferError
from workloads.agents.usage import Usage
from workloads.agents.wire import ACKNOWLEDGED, ALIVE, END_MARK, FRAME, FRAME_BYTES, TOTALS, wait_for

InboxKey = tuple[str, str, int]
"""Job, exchange, consuming task."""


@dataclass
class Inbox:
    """What one task has received from all sources of one exchange."""

    sources: int
    changed: asyncio.Event
    usage: Usage
    window_bytes: int
    received: int = 0
    consumed: int = 0
    ended: dict[int, int] = field(default_factory=dict)  # source task -> bytes
    failure: str | None = None
    _room: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def backlog(self) -> int:
        """Bytes that have arrived and are not processed."""
        return self.received - self.consumed

    @property
    def complete(self) -> bool:
        """All sources have sent everything."""
        return len(self.ended) == self.sources

    async def room(self, at_most_s: float | None = None) -> bool:
        """Waits while the consumer lags behind, or for so long; returns whether there is room.

        Raises:
            TransferError: the consumer has failed or ended.
        """
        if self.backlog >= self.window_bytes and self.failure is None:
            self._room.clear()
            await wait_for(self._room, at_most_s)
        if self.failure is not None:
            raise TransferError(self.failure)
        return self.backlog < self.window_bytes

    def arrive(self, size: int) -> None:
        """Notes payload."""
        self.received += size
        self.changed.set()

    def consume(self, size: int) -> None:
        """Notes that the task has processed payload."""
        self.consumed += size
        self._room.set()

    def end(self, source: int, size: int) -> None:
        """Notes that a source has sent everything."""
        if source in self.ended:
            self.fail(f"task {source} sent its partition twice")
        self.ended[source] = size
        self.changed.set()

    def fail(self, reason: str) -> None:
        """Makes the consuming task fail, and all who send to it."""
        self.failure = self.failure or reason
        self.changed.set()
        self._room.set()


class Inboxes:
    """All inboxes of an agent. A connection may come before the task that it is meant for."""

    def __init__(self, deadline_s: float) -> None:
        self._deadline_s = deadline_s
        self._inboxes: dict[InboxKey, asyncio.Future[Inbox]] = {}

    def open(self, key: InboxKey, inbox: Inbox) -> None:
        """Makes an inbox reachable."""
        self._slot(key).set_result(inbox)

    def close(self, key: InboxKey) -> None:
        """Forgets an inbox; whoever still sends to it fails."""
        slot = self._inboxes.pop(key, None)
        if slot is not None and slot.done():
            slot.result().fail("the task has ended")

    async def find(self, key: InboxKey) -> Inbox:
        """The inbox, as soon as its task has started.

        Raises:
            TransferError: the task does not start within the deadline.
        """
        slot = self._slot(key)
        if slot.done():
            return slot.result()
        done, _ = await asyncio.wait((slot,), timeout=self._deadline_s)
        if not done:
            self._inboxes.pop(key, None)
            raise TransferError(f"no task {key[2]} of job {key[0]} waits for exchange {key[1]}")
        return slot.result()

    def _slot(self, key: InboxKey) -> asyncio.Future[Inbox]:
        slot = self._inboxes.get(key)
        if slot is None:
            slot = self._inboxes[key] = asyncio.get_running_loop().create_future()
        return slot


async def receive_lane(connection: Connection, inbox: Inbox, source: int, node: Usage) -> None:
    """Receives one partition into an inbox, checks it and acknowledges.

    Raises:
        TransferError: the connection failed, or size or checksum differ; the inbox has been told.
    """
    digest, received = xxhash.xxh3_64(), 0
    try:
        while True:
            (length,) = FRAME.unpack(await connection.receive_exactly(FRAME.size))
            if length == END_MARK:
                break
            if length > FRAME_BYTES:
                raise TransferError(f"frame of {length} bytes from task {source}: more than {FRAME_BYTES}")
            if length:
                while not await inbox.room(connection.deadline_s / 3):
                    await connection.send(ALIVE)
                await connection.receive_payload(length, digest.update)
                received += length
                inbox.arrive(length)
                inbox.usage.received_bytes += length
                node.received_bytes += length
        expected = TOTALS.unpack(await connection.receive_exactly(TOTALS.size))
        if expected != (received, digest.intdigest()):
            raise TransferError(f"partition of task {source}: {received} bytes with another size or checksum than sent")
        await connection.send(ACKNOWLEDGED)
    except TransferError as error:
        inbox.fail(str(error))
        raise
    inbox.end(source, received)
