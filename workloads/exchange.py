"""The agents' side of an exchange: outlets of producing tasks, inboxes of consuming tasks, a lane between each pair.

A lane is one TCP connection, or memory when both tasks are on one host. Payload travels in frames of at most
`FRAME_BYTES`; an empty frame is a sign of life; the end mark carries size and xxh3_64 of everything, which the
receiver compares with its own before it acknowledges. Inboxes stop reading when the consumer lags behind by
`WINDOW_BYTES`, lanes make the producer wait when they lag, so backpressure reaches the source of a pipeline and memory
stays bounded.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import xxhash

from workloads.connection import SCRATCH, Connection, TransferError
from workloads.content import Content
from workloads.usage import Usage

FRAME_BYTES = 256 * 1024
FLUSH_BYTES = 64 * 1024  # a lane waits for this much, for a sign of life that is due, or for the end
WINDOW_BYTES = 512 * 1024
_FRAME = struct.Struct("!I")
_END = struct.Struct("!IQQ")
_TOTALS = struct.Struct("!QQ")
_END_MARK = 0xFFFFFFFF
_LENGTH = struct.Struct("!H")
_ACKNOWLEDGED = b"+"
_ALIVE = b"."  # the receiver waits for its task; see `Connection.send`

InboxKey = tuple[str, str, int]  # job, exchange, consuming task


@dataclass
class Parcel:
    """One lane's transfer as reported to the coordinator; times are of the machine's monotonic clock."""

    source: int
    destination: int
    bytes: int = 0
    started: float = 0.0
    finished: float = 0.0
    ports: tuple[int, int] = (0, 0)

    def row(self) -> list[float]:
        """For a control message."""
        return [self.source, self.destination, self.bytes, self.started, self.finished, *self.ports]


@dataclass
class Inbox:
    """What one task has received from all sources of one exchange."""

    sources: int
    changed: asyncio.Event
    usage: Usage
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
        if self.backlog >= WINDOW_BYTES and self.failure is None:
            self._room.clear()
            await _wait(self._room, at_most_s)
        if self.failure is not None:
            raise TransferError(self.failure)
        return self.backlog < WINDOW_BYTES

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


async def receive_lane(connection: Connection, inbox: Inbox, source: int, node: Usage) -> None:
    """Receives one partition into an inbox, checks it and acknowledges.

    Raises:
        TransferError: the connection failed, or size or checksum differ; the inbox has been told.
    """
    digest, received = xxhash.xxh3_64(), 0
    try:
        while True:
            (length,) = _FRAME.unpack(await connection.receive_exactly(_FRAME.size))
            if length == _END_MARK:
                break
            if length > FRAME_BYTES:
                raise TransferError(f"frame of {length} bytes from task {source}: more than {FRAME_BYTES}")
            if length:
                while not await inbox.room(connection.deadline_s / 3):
                    await connection.send(_ALIVE)
                await connection.receive_payload(length, digest.update)
                received += length
                inbox.arrive(length)
                inbox.usage.received_bytes += length
                node.received_bytes += length
        expected = _TOTALS.unpack(await connection.receive_exactly(_TOTALS.size))
        if expected != (received, digest.intdigest()):
            raise TransferError(f"partition of task {source}: {received} bytes with another size or checksum than sent")
        await connection.send(_ACKNOWLEDGED)
    except TransferError as error:
        inbox.fail(str(error))
        raise
    inbox.end(source, received)


class Lane:
    """From one producing task to one consuming task."""

    def __init__(self, content: Content, key: InboxKey, source: int, moved: asyncio.Event) -> None:
        self.parcel = Parcel(source, key[2])
        self.queued = 0
        self._content = content
        self._key = key
        self._moved = moved
        self._position = content.start_of(f"partition {key} {source}")
        self._digest = xxhash.xxh3_64()
        self._ending = False
        self._work = asyncio.Event()

    def push(self, size: int) -> None:
        """Queues payload; nothing is stored, as the content pool has it."""
        self.queued += size
        if self.queued >= FLUSH_BYTES:
            self._work.set()

    def end(self) -> None:
        """Nothing more will be queued."""
        self._ending = True
        self._work.set()

    def _next(self) -> memoryview:
        view = self._content.view(self._position, min(self.queued, FRAME_BYTES))
        self._position += len(view)
        self._digest.update(view)
        return view

    def _sent(self, size: int) -> None:
        self.queued -= size
        self.parcel.bytes += size
        self._moved.set()

    async def run_local(self, inboxes: Inboxes) -> None:
        """Moves everything through memory, checksummed on both sides like the network's."""
        loop = asyncio.get_running_loop()
        self.parcel.started = loop.time()
        inbox = await inboxes.find(self._key)
        digest = xxhash.xxh3_64()
        while not self._ending or self.queued:
            if self.queued < FLUSH_BYTES and not self._ending:
                self._work.clear()
                await self._work.wait()
                continue
            while not await inbox.room():
                continue
            view = self._next()
            SCRATCH[: len(view)] = view
            digest.update(SCRATCH[: len(view)])
            inbox.arrive(len(view))
            self._sent(len(view))
            await asyncio.sleep(0)
        if digest.intdigest() != self._digest.intdigest():
            raise TransferError(f"partition of task {self.parcel.source}: checksum differs after a copy in memory")
        inbox.end(self.parcel.source, self.parcel.bytes)
        self.parcel.finished = loop.time()

    async def run_remote(
        self, source_ip: str, address: tuple[str, int], deadline_s: float, usages: Sequence[Usage]
    ) -> None:
        """Moves everything over one connection, and counts it in `usages`.

        Raises:
            TransferError: see `Connection`.
        """
        loop = asyncio.get_running_loop()
        self.parcel.started = loop.time()
        connection = await Connection.open(source_ip, address, deadline_s)
        try:
            self.parcel.ports = connection.ports
            job, exchange, task = self._key
            header = {"op": "lane", "job": job, "exchange": exchange, "from": self.parcel.source, "to": task}
            await send_header(connection, header)
            while not self._ending or self.queued:
                if self.queued < FLUSH_BYTES and not self._ending:
                    self._work.clear()
                    await _wait(self._work, deadline_s / 3)
                view = self._next()
                await connection.send(_FRAME.pack(len(view)), view)
                self._sent(len(view))
                for usage in usages:
                    usage.sent_bytes += len(view)
            await connection.send(_END.pack(_END_MARK, self.parcel.bytes, self._digest.intdigest()))
            answer = _ALIVE
            while answer == _ALIVE:
                answer = await connection.receive_exactly(1)
            if answer != _ACKNOWLEDGED:
                raise TransferError(f"partition for task {task}: not acknowledged")
        finally:
            connection.close()
        self.parcel.finished = loop.time()


class Outlet:
    """All lanes from one producing task for one exchange.

    Args:
        kind: "repartition" divides what is emitted by `weights`, "broadcast" sends all of it on every lane, "forward"
            has a single lane.
        start: Starts the coroutine that runs a lane.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        kind: str,
        weights: Sequence[int],
        moved: asyncio.Event,
        start: Callable[[Lane], asyncio.Task[None]],
    ) -> None:
        self._lanes = lanes
        self._kind = kind
        self._weights = weights
        self._moved = moved
        self._pushed = [0] * len(lanes)
        self._emitted = 0
        self._running = [start(lane) for lane in lanes]
        for task in self._running:
            task.add_done_callback(self._ended)

    async def emit(self, size: int) -> None:
        """Hands over `size` produced bytes and waits while a lane lags behind.

        Raises:
            TransferError: a lane failed.
        """
        self._emitted += size
        self._push(final=False)
        while max(lane.queued for lane in self._lanes) > WINDOW_BYTES:
            self._check()
            self._moved.clear()
            await self._moved.wait()

    async def finish(self) -> list[Parcel]:
        """Sends the rest and waits for all acknowledgements.

        Raises:
            TransferError: a lane failed.
        """
        self._push(final=True)
        for lane in self._lanes:
            lane.end()
        await asyncio.gather(*self._running)
        return [lane.parcel for lane in self._lanes]

    def cancel(self) -> None:
        """Stops all lanes."""
        for task in self._running:
            task.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            task.exception()  # looked at here, raised by `emit` or `finish` if they are still awaited
        self._moved.set()

    def _check(self) -> None:
        for task in self._running:
            if task.done():
                task.result()

    def _push(self, final: bool) -> None:
        targets = self._targets(final)
        for i, target in enumerate(targets):
            if target > self._pushed[i]:
                self._lanes[i].push(target - self._pushed[i])
                self._pushed[i] = target

    def _targets(self, final: bool) -> list[int]:
        """Bytes that each lane should have been given by now; the shares round down until the end."""
        if self._kind != "repartition":
            return [self._emitted] * len(self._lanes)
        whole = sum(self._weights)
        targets = [self._emitted * weight // whole for weight in self._weights]
        if final:
            for i in range(self._emitted - sum(targets)):
                targets[i] += 1
        return targets


async def _wait(event: asyncio.Event, at_most_s: float | None) -> None:
    """Waits for an event, or for so long; sets the event in the end, which costs less than a task of its own."""
    timer = None if at_most_s is None else asyncio.get_running_loop().call_later(at_most_s, event.set)
    try:
        await event.wait()
    finally:
        if timer is not None:
            timer.cancel()
