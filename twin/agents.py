"""What an agent does on its host, in virtual time: the counterpart of `workloads.agents`, by the same protocol."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import xxhash

from twin.clock import Clock, Process, Signal
from twin.compiling import Ints
from twin.fluid import Fluid
from twin.lanes import Outlet, Way
from twin.resources import Shared
from twin.routes import SEGMENTS, Routes
from twin.tasks import Task
from workloads.agents.connection import TransferError
from workloads.agents.content import block_name
from workloads.protocol import (
    Alter,
    Begin,
    BlockWrite,
    Drop,
    End,
    Failed,
    Fetch,
    FromAgent,
    GiveSplit,
    Hash,
    Load,
    ReadReport,
    Sent,
    StartTask,
    Store,
    Stored,
    TaskOutput,
    ToAgent,
    Transfer,
    WriteReport,
)

Boxes = dict[tuple[str, str], dict[int, int]]
"""Of each job and exchange: number of the inbox of each consuming task."""


@dataclass
class Surroundings:
    """What all agents share.

    Attributes:
        report: Takes what the agent of a host says.
        agents: By host.
        window_bytes: How far a producer may be ahead of a lane.
        shared: Whether all lanes between two containers use one connection.
        boxes: Of the tasks that are running.
    """

    clock: Clock
    fluid: Fluid
    routes: Routes
    report: Callable[[str, FromAgent], None]
    agents: Mapping[str, Agent]
    window_bytes: int
    shared: bool = True
    boxes: Boxes = field(default_factory=dict)


class Agent:
    """The agent of one host, which has so many cores.

    Attributes:
        alive: Whether its host is.
        serving: Transfers of others from or onto its disk; who fires one with an error ends it.
    """

    def __init__(self, host: str, cores: int, around: Surroundings) -> None:
        self.host = host
        self.cpu = Shared(around.clock, cores, limit=1.0)
        self._around = around
        self.alive = True
        self.serving: dict[Signal, None] = {}
        self._tasks: dict[tuple[str, str, int], Task] = {}
        self._running: dict[str | None, dict[Process, None]] = {}  # by job, in the order of their start
        self._connections: dict[tuple[str, int, int, int], list[Ints]] = {}  # links of those that lanes may use
        self._slots: dict[str, int] = {}
        self._altered: set[tuple[str, int]] = set()

    def handle(self, message: ToAgent) -> None:
        """Does what the coordinator says."""
        match message:
            case Begin():
                self._slots[message.job] = message.slots
            case StartTask():
                self._start(message.job, self._run_task(message))
            case GiveSplit():
                self._tasks[message.job, message.stage, message.task].split.fire(message.split)
            case Transfer():
                self._start(message.job, self._transfer(message))
            case Store() | Drop():
                self.report(Stored(message.number))
            case Alter():
                self._altered.update(message.blocks)
                self.report(Stored(message.number))
            case Load():
                self._start(None, self._answer_with(message.number, self._load(message)))
            case Fetch():
                self._start(None, self._answer_with(message.number, self._fetch(message)))
            case Hash():
                self._start(None, self._answer_with(message.number, self._hash(message)))
            case End():
                self._end(message.job)

    def die(self) -> None:
        """Nothing goes on here any more, and what others have in progress with this host fails."""
        self.alive = False
        for job in list(self._running):
            self._end(job)
        while self.serving:
            transfer, _ = self.serving.popitem()
            transfer.fire(TransferError(f"receiving from {self.host}: closed before the end"))

    def report(self, message: FromAgent) -> None:
        """Tells the coordinator."""
        self._around.report(self.host, message)

    # -- processes -----------------------------------------------------------------------------------------------

    def _start(self, job: str | None, process: Process) -> None:
        running = self._running.setdefault(job, {})
        running[process] = None
        self._around.clock.start(process).then(lambda _: running.pop(process, None))

    def _end(self, job: str | None) -> None:
        """A job has ended, well or not: nothing of it goes on."""
        for process in list(self._running.pop(job, ())):
            process.close()
        self._connections = {key: links for key, links in self._connections.items() if key[0] != job}

    def _run_task(self, order: StartTask) -> Process:
        key = order.job, order.stage, order.task
        self._tasks[key] = Task(self, self._around, order)
        try:
            yield from self._tasks[key].run()
        except TransferError as error:
            self.report(Failed(*key, str(error)))
        finally:
            del self._tasks[key]

    def _transfer(self, order: Transfer) -> Process:
        """Sends all of a barrier exchange."""
        yield self._around.clock.sleep(0)
        try:
            outlet = self.open_outlet(order.job, order.task, order.output)
            try:
                yield from outlet.emit(order.output.bytes)
                lanes = yield from outlet.finish()
            finally:
                outlet.close()
        except TransferError as error:
            self.report(Failed(order.job, order.stage, order.task, str(error)))
        else:
            self.keep(order.job, order.task, outlet)
            self.report(Sent(order.job, order.stage, order.task, order.output.exchange, lanes))

    def _answer_with(self, number: int, work: Process) -> Process:
        """Reports what was asked for blocks, or why it failed."""
        yield self._around.clock.sleep(0)
        try:
            self.report((yield from work))
        except TransferError as error:
            self.report(Stored(number, str(error)))

    def _load(self, order: Load) -> Process:
        """Writes blocks through their pipelines, starting here."""
        clock, written = self._around.clock, []
        for block in order.blocks:
            started = clock.now
            yield from self.write(block)
            written.append(WriteReport(started, clock.now, 0, 0, None))
        return Stored(order.number, written=tuple(written))

    def _fetch(self, order: Fetch) -> Process:
        """Reads blocks from here or from others."""
        clock, read = self._around.clock, []
        for file, index, size, host in order.blocks:
            started = clock.now
            yield from self.read(host, size)
            read.append(ReadReport(host, started, clock.now, digest=self._around.agents[host].digest(file, index)))
        return Stored(order.number, read=tuple(read))

    def _hash(self, order: Hash) -> Process:
        """Hashes blocks that are here, by their checksums."""
        clock, read, disk = self._around.clock, [], [self._around.routes.disk(self.host)]
        for block in order.blocks:
            started = clock.now
            if block.disk_bytes:
                yield from self._move([disk], block.disk_bytes, ())
            read.append(ReadReport(self.host, started, clock.now, digest=self.digest(block.file, block.block)))
        return Stored(order.number, read=tuple(read))

    def digest(self, file: str, index: int) -> int:
        """What stands for the checksum of what this host has of a block; there are no bytes."""
        return xxhash.xxh3_64_intdigest(block_name(file, index, (file, index) in self._altered).encode())

    # -- lanes ---------------------------------------------------------------------------------------------------

    def open_outlet(self, job: str, task: int, output: TaskOutput) -> Outlet:
        """Starts the lanes of an output, over connections that are there or that earlier ones have left, if any.

        Raises:
            TransferError: a consuming task is not there, as its host has died.
        """
        routes, consumers, hosts = self._around.routes, output.lanes.consumers, output.lanes.hosts
        boxes = self._around.boxes.get((job, output.exchange), {})
        if len(boxes) < len(consumers) or any(consumer not in boxes for consumer in consumers):
            raise _refused_by(next(host for at, host in zip(consumers, hosts, strict=True) if at not in boxes))
        links, connects = self._connect(job, task, hosts)
        way = Way(links, np.array([boxes[consumer] for consumer in consumers]), routes.version, connects)
        return Outlet(self._around.fluid, output, way, self._around.clock.now, self._around.window_bytes)

    def _connect(self, job: str, task: int, hosts: Sequence[str]) -> tuple[Ints, bool]:
        """Links of connections from a task to others, and whether these have yet to be made."""
        slots = self._slots[job] if self._around.shared else 1  # lanes that connections to a container have in common
        known = self._connections.setdefault(self._key(job, task, len(hosts)), [])
        if known:
            return known[-1] if self._around.shared else known.pop(), False
        links = np.repeat(self._around.routes.ways(self.host, hosts[::slots]), slots, axis=0)[: len(hosts)]
        if self._around.shared:
            known.append(links)
        return links, True

    def _key(self, job: str, task: int, lanes: int) -> tuple[str, int, int, int]:
        own = task // self._slots[job] if self._around.shared else task
        return job, own, lanes, self._around.routes.version

    def keep(self, job: str, task: int, outlet: Outlet) -> None:
        """The connections of an outlet that has finished are used again, unless the routes change."""
        way = outlet.way
        if not self._around.shared and way.version == self._around.routes.version:
            self._connections[self._key(job, task, len(way.links))].append(way.links)

    # -- blocks --------------------------------------------------------------------------------------------------

    def read(self, host: str, size: int) -> Process:
        """Waits until a block has been read from a host's disk, and come from there.

        Raises:
            TransferError: the host is dead, or dies.
        """
        routes = self._around.routes
        path = [routes.disk(host), *routes.ends(host, self.host)]
        return self._move([path], size, [host] if host != self.host else [])

    def write(self, block: BlockWrite) -> Process:
        """Waits until a block is on this host's disk, and through a pipeline on those of the targets.

        A pipeline is as fast as the slowest of its links and disks: it passes on pieces while they are written.

        Raises:
            TransferError: a target is dead, or dies.
        """
        routes, targets = self._around.routes, block.targets
        paths = [[routes.disk(self.host)]] if block.here else []
        for first in range(0, len(targets), SEGMENTS):
            chain = [self.host, *targets][first : first + SEGMENTS + 1]
            hops = [(*routes.ends(*pair), routes.disk(pair[1])) for pair in itertools.pairwise(chain)]
            paths.append([*itertools.chain(*hops)])
        return self._move(paths, block.bytes, targets)

    def _move(self, paths: Sequence[Sequence[int]], size: int, others: Sequence[str]) -> Process:
        """Sends a block over some paths, in which the agents of some other hosts take part."""
        longest = max(map(len, paths))
        links = np.array([[*path, *[-1] * (longest - len(path))] for path in paths])
        return self._send(links, size, others) if others else self._around.fluid.send(links, size, Signal())

    def _send(self, links: Ints, size: int, others: Sequence[str]) -> Process:
        agents, arrived = [self._around.agents[host] for host in others], Signal()
        for agent in agents:
            if not agent.alive:
                raise _refused_by(agent.host)
        for agent in agents:
            agent.serving[arrived] = None
        try:
            yield from self._around.fluid.send(self._around.routes.draw(links), size, arrived)
        finally:
            for agent in agents:
                agent.serving.pop(arrived, None)


def _refused_by(host: str) -> TransferError:
    return TransferError(f"connecting to {host}: {os.strerror(errno.ECONNREFUSED)}")
