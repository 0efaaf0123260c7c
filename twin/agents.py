"""What an agent does on its host, in virtual time: the counterpart of `workloads.agents`, by the same protocol."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from twin.clock import Clock, Process, Signal
from twin.compiling import Ints
from twin.fluid import Fluid
from twin.lanes import Inbox, Outlet, Way
from twin.resources import Shared
from twin.routes import SEGMENTS, Routes
from workloads.agents.connection import TransferError
from workloads.agents.exchange import part_bytes
from workloads.protocol import (
    Done,
    End,
    Failed,
    FromAgent,
    GiveSplit,
    Load,
    NextSplit,
    ReadReport,
    Sent,
    SplitOrder,
    StartTask,
    Store,
    Stored,
    TaskOutput,
    ToAgent,
    Transfer,
    WriteReport,
)

Boxes = dict[tuple[str, str, int], int]
"""Number of the inbox of each job, exchange and consuming task."""


@dataclass
class Surroundings:
    """What all agents share.

    Attributes:
        report: Takes what the agent of a host says.
        agents: By host.
        boxes: Of the tasks that are running.
    """

    clock: Clock
    fluid: Fluid
    routes: Routes
    report: Callable[[str, FromAgent], None]
    agents: Mapping[str, Agent]
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
        self._tasks: dict[tuple[str, str, int], _Task] = {}
        self._running: dict[str | None, dict[Process, None]] = {}  # by job, in the order of their start
        self._idle: dict[tuple[str, int, int, int], list[Ints]] = {}  # links of connections that nobody uses

    def handle(self, message: ToAgent) -> None:
        """Does what the coordinator says."""
        match message:
            case StartTask():
                self._start(message.job, self._run_task(message))
            case GiveSplit():
                self._tasks[message.job, message.stage, message.task].split.fire(message.split)
            case Transfer():
                self._start(message.job, self._transfer(message))
            case Store():
                self.report(Stored(message.number))
            case Load():
                self._start(None, self._load(message))
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
        self._idle = {key: links for key, links in self._idle.items() if key[0] != job}

    def _run_task(self, order: StartTask) -> Process:
        key = order.job, order.stage, order.task
        self._tasks[key] = _Task(self, self._around, order)
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

    def _load(self, order: Load) -> Process:
        """Writes blocks through their pipelines, starting here."""
        yield self._around.clock.sleep(0)
        try:
            for block in order.blocks:
                yield from self.write(block.bytes, block.targets)
        except TransferError as error:
            self.report(Stored(order.number, str(error)))
        else:
            self.report(Stored(order.number))

    # -- lanes ---------------------------------------------------------------------------------------------------

    def open_outlet(self, job: str, task: int, output: TaskOutput) -> Outlet:
        """Starts the lanes of an output, over connections that earlier ones have left where there are any.

        Raises:
            TransferError: a consuming task is not there, as its host has died.
        """
        fluid, routes, boxes = self._around.fluid, self._around.routes, self._around.boxes
        keys = [(job, output.exchange, lane.consumer) for lane in output.lanes]
        for key, lane in zip(keys, output.lanes, strict=True):
            if key not in boxes:
                raise _refused_by(lane.host)
        idle = self._idle.get((job, task, len(keys), routes.version))
        links = idle.pop() if idle else routes.ways(self.host, [lane.host for lane in output.lanes])
        way = Way(links, np.array([boxes[key] for key in keys]), routes.version)
        return Outlet(fluid, output, way, task, self._around.clock.now)

    def keep(self, job: str, task: int, outlet: Outlet) -> None:
        """The connections of an outlet that has finished are idle, and used again unless the routes change."""
        way = outlet.way
        self._idle.setdefault((job, task, len(way.links), way.version), []).append(way.links)

    # -- blocks --------------------------------------------------------------------------------------------------

    def read(self, host: str, size: int) -> Process:
        """Waits until a block has been read from a host's disk, and come from there.

        Raises:
            TransferError: the host is dead, or dies.
        """
        routes = self._around.routes
        path = [routes.disk(host), *routes.ends(host, self.host)]
        yield from self._move([path], size, [host] if host != self.host else [])

    def write(self, size: int, targets: Sequence[str]) -> Process:
        """Waits until a block is on this host's disk, and through a pipeline on those of the targets.

        A pipeline is as fast as the slowest of its links and disks: it passes on pieces while they are written.

        Raises:
            TransferError: a target is dead, or dies.
        """
        routes = self._around.routes
        paths = [[routes.disk(self.host)]]
        for first in range(0, len(targets), SEGMENTS):
            chain = [self.host, *targets][first : first + SEGMENTS + 1]
            hops = [(*routes.ends(*pair), routes.disk(pair[1])) for pair in itertools.pairwise(chain)]
            paths.append([*itertools.chain(*hops)])
        yield from self._move(paths, size, targets)

    def _move(self, paths: Sequence[Sequence[int]], size: int, others: Sequence[str]) -> Process:
        """Sends a block over some paths, in which the agents of some other hosts take part."""
        agents = [self._around.agents[host] for host in others]
        for agent in agents:
            if not agent.alive:
                raise _refused_by(agent.host)
        arrived = Signal()
        for agent in agents:
            agent.serving[arrived] = None
        links = self._around.routes.draw(np.array([*zip(*itertools.zip_longest(*paths, fillvalue=-1), strict=True)]))
        try:
            yield from self._around.fluid.send(links, size, arrived)
        finally:
            for agent in agents:
                agent.serving.pop(arrived, None)


def _refused_by(host: str) -> TransferError:
    return TransferError(f"connecting to {host}: {os.strerror(errno.ECONNREFUSED)}")


class _Task:
    """One task of one stage: the counterpart of `workloads.agents.tasks.StageTask`."""

    def __init__(self, agent: Agent, around: Surroundings, order: StartTask) -> None:
        self.split = Signal()
        self._agent = agent
        self._around = around
        self._order = order
        self._changed = Signal()
        self._group = around.fluid.add_group(self._wake)
        self._inboxes = [Inbox(around.fluid, self._group, item, self._wake) for item in order.inputs]
        for item, inbox in zip(order.inputs, self._inboxes, strict=True):
            around.boxes[order.job, item.exchange, order.task] = inbox.number
        self._outlets: list[Outlet] = []

    def run(self) -> Process:
        """Does everything and reports so.

        Raises:
            TransferError: an output or write failed.
        """
        order, sent, written = self._order, {}, []
        try:
            yield self._around.clock.sleep(0)  # until the other tasks are there
            for output in order.outputs:
                self._outlets.append(self._agent.open_outlet(order.job, order.task, output))
            yield from self._consume()
            if order.reads:
                yield from self._read_splits()
            while self._outlets:
                outlet = self._outlets[0]
                sent[outlet.exchange] = yield from outlet.finish()
                self._agent.keep(order.job, order.task, self._outlets.pop(0))
            for block in order.writes:
                started = self._around.clock.now
                yield from self._agent.write(block.bytes, block.targets)
                written.append(WriteReport(started, self._around.clock.now, 0, 0))
        finally:
            self._close()
        received = {
            item.exchange: round(inbox.consumed) for item, inbox in zip(order.inputs, self._inboxes, strict=True)
        }
        self._agent.report(Done(order.job, order.stage, order.task, sent, received, tuple(written)))

    def _close(self) -> None:
        """Nothing more is sent or received."""
        order = self._order
        for outlet in self._outlets:
            outlet.close()
        self._around.fluid.close(self._group, [inbox.number for inbox in self._inboxes])
        for item in order.inputs:
            del self._around.boxes[order.job, item.exchange, order.task]

    def _wake(self) -> None:
        self._changed.fire()

    def _compute(self, seconds: float) -> Process:
        if seconds > 0:
            yield from self._agent.cpu.use(seconds)

    def _consume(self) -> Process:
        """Takes what has arrived, computes for it, and passes on the share of the output that it yields."""
        inboxes, reads = self._inboxes, self._order.reads
        numbers = [inbox.number for inbox in inboxes]
        expected = sum(inbox.expected for inbox in inboxes)
        least = part_bytes(expected)
        while inboxes:
            self._changed = Signal()
            complete = all(inbox.complete for inbox in inboxes)
            backlog = [inbox.backlog for inbox in inboxes]
            if complete and sum(backlog) < 0.5:
                break
            if not complete and not self._around.fluid.expect(self._group, numbers, least):
                yield self._changed
                continue
            yield from self._compute(sum(inbox.cpu_s(size) for inbox, size in zip(inboxes, backlog, strict=True)))
            for inbox, size in zip(inboxes, backlog, strict=True):
                inbox.consume(size)
            if not reads:
                yield from self._emit_share(sum(inbox.consumed for inbox in inboxes) / max(1, expected))
        yield from self._compute(sum(inbox.cpu_left_s for inbox in inboxes))
        if not reads:
            yield from self._emit_share(1.0)

    def _emit_share(self, share: float) -> Process:
        """Emits up to a share of every output."""
        for outlet in self._outlets:
            target = round(outlet.total * min(1.0, max(0.0, share)))
            if target > outlet.emitted:
                size, outlet.emitted = target - outlet.emitted, target
                yield from outlet.emit(size)

    def _read_splits(self) -> Process:
        """Asks for one split after the other, reads it and computes for it, until there is none left."""
        report: ReadReport | None = None
        while True:
            self.split = Signal()
            self._agent.report(NextSplit(self._order.job, self._order.stage, self._order.task, report))
            split: SplitOrder | None = yield self.split
            if split is None:
                return
            started = self._around.clock.now
            try:
                yield from self._agent.read(split.host, split.bytes)
            except TransferError as error:
                report = ReadReport(split.host, started, self._around.clock.now, failed=str(error))
                continue
            read = self._around.clock.now
            yield from self._compute(split.cpu_s)
            computed = self._around.clock.now
            for outlet, emitted in zip(self._outlets, split.emit, strict=True):
                if emitted:
                    yield from outlet.emit(emitted)
            report = ReadReport(split.host, started, read, computed)
