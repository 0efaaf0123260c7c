"""Where tasks send: a lane from each producing to each consuming task of an exchange.

A lane goes over the connection that its container has to the other one, or has a connection of its own, which is kept
for the next exchange between the same tasks, or goes through memory when both tasks are on one host. A producer waits
when a lane lags behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import xxhash

from workloads.agents.connection import SCRATCH, Connection, TransferError
from workloads.agents.content import Content
from workloads.agents.dialing import Dialer
from workloads.agents.inbox import Inboxes, InboxKey
from workloads.agents.shared import SharedConnection
from workloads.agents.usage import Usage
from workloads.agents.wire import (
    ACKNOWLEDGED,
    ALIVE,
    END,
    END_MARK,
    FRAME,
    FRAME_BYTES,
    send_header,
    wait_for,
)
from workloads.protocol import LaneReports

_PARTS = 4
_LEAST_PART_BYTES = 8 * 1024
_MOST_PART_BYTES = 64 * 1024

Pair = tuple[str, int, int]
"""Job, producing task and consuming task, or their containers."""


def part_bytes(expected: int, window_bytes: int) -> int:
    """How much of `expected` wire bytes is worth a step: a quarter, so that a pipeline stays one at every volume
    divisor, but not so little that the switches have more frames to forward than they can, nor so much that it is
    waited for although the window is full.
    """
    return min(_MOST_PART_BYTES, window_bytes // 2, max(_LEAST_PART_BYTES, expected // _PARTS))


@dataclass
class Parcel:
    """One lane's transfer as reported to the coordinator; times are of the machine's monotonic clock."""

    source: int
    destination: int
    bytes: int = 0
    started: float = 0.0
    finished: float = 0.0
    ports: tuple[int, int] = (0, 0)


def reports(parcels: Sequence[Parcel]) -> LaneReports:
    """What is to be told of them."""
    return LaneReports(
        tuple(parcel.destination for parcel in parcels),
        tuple(parcel.bytes for parcel in parcels),
        tuple(parcel.started for parcel in parcels),
        tuple(parcel.finished for parcel in parcels),
        tuple(parcel.ports for parcel in parcels),
    )


class Lane:
    """From one producing task to one consuming task.

    It waits for so many bytes that a step is worth it, for a sign of life that is due, or for the end.
    """

    def __init__(self, content: Content, key: InboxKey, source: int, step_bytes: int, moved: asyncio.Event) -> None:
        self.parcel = Parcel(source, key[2])
        self.queued = 0
        self._flush_bytes = step_bytes
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
        if self.queued >= self._flush_bytes:
            self._work.set()

    def end(self) -> None:
        """Nothing more will be queued."""
        self._ending = True
        self._work.set()

    def _next(self, at_most: int = FRAME_BYTES) -> memoryview:
        view = self._content.view(self._position, min(self.queued, at_most))
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
            if self.queued < self._flush_bytes and not self._ending:
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

    async def run_remote(self, connections: Connections, address: tuple[str, int], usages: Sequence[Usage]) -> None:
        """Moves everything over one connection, and counts it in `usages`.

        Raises:
            TransferError: see `Connection`.
        """
        loop = asyncio.get_running_loop()
        job, exchange, task = self._key
        pair = (job, self.parcel.source, task)
        self.parcel.started = loop.time()
        connection = await connections.take(pair, address)
        try:
            self.parcel.ports = connection.ports
            header = {"op": "lane", "job": job, "exchange": exchange, "from": self.parcel.source, "to": task}
            await send_header(connection, header)
            while not self._ending or self.queued:
                if self.queued < self._flush_bytes and not self._ending:
                    self._work.clear()
                    await wait_for(self._work, connection.deadline_s / 3)
                view = self._next()
                await connection.send(FRAME.pack(len(view)), view)
                self._sent(len(view))
                for usage in usages:
                    usage.sent_bytes += len(view)
            await connection.send(END.pack(END_MARK, self.parcel.bytes, self._digest.intdigest()))
            answer = ALIVE
            while answer == ALIVE:
                answer = await connection.receive_exactly(1)
            if answer != ACKNOWLEDGED:
                raise TransferError(f"partition for task {task}: not acknowledged")
        except BaseException:
            connection.close()
            raise
        connections.give_back(pair, connection)
        self.parcel.finished = loop.time()

    async def run_shared(
        self,
        connections: SharedConnections,
        containers: tuple[int, int],
        address: tuple[str, int],
        usages: Sequence[Usage],
    ) -> None:
        """Moves everything over the connection between two containers, which other lanes use as well, and counts it.

        Raises:
            TransferError: see `SharedConnection`.
        """
        loop = asyncio.get_running_loop()
        job, exchange, task = self._key
        self.parcel.started = loop.time()
        shared = await connections.get((job, *containers), address)
        self.parcel.ports = shared.ports
        async with shared.lane({"job": job, "exchange": exchange, "from": self.parcel.source, "to": task}) as lane:
            while not self._ending or self.queued:
                if self.queued < self._flush_bytes and not self._ending:
                    self._work.clear()
                    await self._work.wait()
                    continue
                view = self._next(await lane.room())
                await lane.send(view)
                self._sent(len(view))
                for usage in usages:
                    usage.sent_bytes += len(view)
            await lane.finish(self.parcel.bytes, self._digest.intdigest())
        self.parcel.finished = loop.time()


class Connections:
    """Connections of an agent's lanes: one for each exchange between two tasks, used again by later ones.

    Args:
        dialer: Opens them.
    """

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._idle: dict[Pair, list[Connection]] = {}

    async def take(self, pair: Pair, address: tuple[str, int]) -> Connection:
        """A connection that nobody uses, a new one if there is none.

        Raises:
            TransferError: it cannot be opened.
        """
        idle = self._idle.get(pair)
        return idle.pop() if idle else await self._dialer.open(address, "tasks {} {} {}".format(*pair))

    def give_back(self, pair: Pair, connection: Connection) -> None:
        """Keeps a connection for the next exchange between the two tasks."""
        self._idle.setdefault(pair, []).append(connection)

    def close(self, job: str) -> None:
        """Closes all idle connections of a job."""
        for pair in [pair for pair in self._idle if pair[0] == job]:
            for connection in self._idle.pop(pair):
                connection.close()


class SharedConnections:
    """Connections of an agent's containers to others: one for each pair, used by all lanes between the two.

    Args:
        dialer: Opens them.
    """

    def __init__(self, dialer: Dialer) -> None:
        self._dialer = dialer
        self._connections: dict[Pair, asyncio.Task[SharedConnection]] = {}

    async def get(self, pair: Pair, address: tuple[str, int]) -> SharedConnection:
        """The connection, which is opened for the first who asks.

        Raises:
            TransferError: it cannot be opened.
        """
        if pair not in self._connections:
            self._connections[pair] = asyncio.ensure_future(self._open(pair, address))
        return await asyncio.shield(self._connections[pair])

    async def _open(self, pair: Pair, address: tuple[str, int]) -> SharedConnection:
        connection = await self._dialer.open(address, "containers {} {} {}".format(*pair))
        await send_header(connection, {"op": "lanes"})
        return SharedConnection(connection)

    def close(self, job: str) -> None:
        """Closes all connections of a job."""
        for pair in [pair for pair in self._connections if pair[0] == job]:
            opening = self._connections.pop(pair)
            if not opening.done():
                opening.cancel()
            elif not opening.cancelled() and opening.exception() is None:
                opening.result().close()


class Outlet:
    """All lanes from one producing task for one exchange.

    Args:
        kind: "repartition" divides what is emitted by `weights`, "broadcast" sends all of it on every lane, "forward"
            has a single lane.
        start: Starts the coroutine that runs a lane.
        window_bytes: How far a lane may lag behind.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        kind: str,
        weights: Sequence[int],
        moved: asyncio.Event,
        start: Callable[[Lane], asyncio.Task[None]],
        window_bytes: int,
    ) -> None:
        self._lanes = lanes
        self._kind = kind
        self._weights = weights
        self._moved = moved
        self._window_bytes = window_bytes
        self._pushed = [0] * len(lanes)
        self._emitted = 0
        self._running = [start(lane) for lane in lanes]
        for task in self._running:
            task.add_done_callback(self._ended)

    async def emit(self, size: int) -> bool:
        """Hands over `size` produced bytes and waits while a lane lags behind; returns whether one did.

        Raises:
            TransferError: a lane failed.
        """
        self._emitted += size
        self._push(final=False)
        waited = False
        while max(lane.queued for lane in self._lanes) > self._window_bytes:
            waited = True
            self._check()
            self._moved.clear()
            await self._moved.wait()
        return waited

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
            takers = [i for i, weight in enumerate(self._weights) if weight]
            for i in takers[: self._emitted - sum(targets)]:
                targets[i] += 1
        return targets
