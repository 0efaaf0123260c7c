"""What an agent does on its host, in virtual time: the counterpart of `workloads.agents`, by the same protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from twin.clock import Clock, Process, Signal, all_of
from twin.compiling import Ints
from twin.fluid import Fluid
from twin.lanes import Inbox, Outlet, Way
from twin.resources import Shared
from twin.routes import Routes
from workloads.agents.exchange import part_bytes
from workloads.protocol import (
    Done,
    End,
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
        boxes: Of the tasks that have started.
    """

    clock: Clock
    fluid: Fluid
    routes: Routes
    report: Callable[[str, FromAgent], None]
    boxes: Boxes = field(default_factory=dict)


class Agent:
    """The agent of one host, which has so many cores."""

    def __init__(self, host: str, cores: int, around: Surroundings) -> None:
        self.host = host
        self.cpu = Shared(around.clock, cores, limit=1.0)
        self._around = around
        self._tasks: dict[tuple[str, str, int], _Task] = {}
        self._idle: dict[tuple[str, int, int], list[Ints]] = {}  # links of connections that nobody uses

    def handle(self, message: ToAgent) -> None:
        """Does what the coordinator says."""
        clock = self._around.clock
        match message:
            case StartTask():
                task = self._tasks[message.job, message.stage, message.task] = _Task(self, self._around, message)
                clock.soon(lambda: clock.start(task.run()))
            case GiveSplit():
                self._tasks[message.job, message.stage, message.task].split.fire(message.split)
            case Transfer():
                clock.soon(lambda: clock.start(self._transfer(message)))
            case Store():
                self.report(Stored(message.number))
            case Load():
                clock.soon(lambda: clock.start(self._load(message)))
            case End():
                self._tasks = {key: task for key, task in self._tasks.items() if key[0] != message.job}
                self._idle = {key: links for key, links in self._idle.items() if key[0] != message.job}

    def report(self, message: FromAgent) -> None:
        """Tells the coordinator."""
        self._around.report(self.host, message)

    def open_outlet(self, job: str, task: int, output: TaskOutput) -> Outlet:
        """Starts the lanes of an output, over connections that earlier ones have left where there are any."""
        idle = self._idle.get((job, task, len(output.lanes)))
        links = idle.pop() if idle else self._around.routes.ways(self.host, [lane.host for lane in output.lanes])
        boxes = self._around.boxes
        inboxes = np.array([boxes[job, output.exchange, lane.consumer] for lane in output.lanes])
        return Outlet(self._around.fluid, output, Way(links, inboxes), task, self._around.clock.now)

    def close_outlet(self, job: str, task: int, outlet: Outlet) -> None:
        """Its connections are idle."""
        links = outlet.way.links
        self._idle.setdefault((job, task, len(links)), []).append(links)

    def _transfer(self, order: Transfer) -> Process:
        outlet = self.open_outlet(order.job, order.task, order.output)
        yield from outlet.emit(order.output.bytes)
        lanes = yield from outlet.finish()
        self.close_outlet(order.job, order.task, outlet)
        self.report(Sent(order.job, order.stage, order.task, order.output.exchange, lanes))

    def _load(self, order: Load) -> Process:
        for block in order.blocks:
            yield self.write(block.bytes, block.targets)
        self.report(Stored(order.number))

    def read(self, host: str, size: int) -> Signal:
        """Fires when a block has been read from a host's disk, and come from there."""
        routes = self._around.routes
        disk = np.array([routes.disk(host)])
        if host == self.host:
            return self._around.fluid.send(disk, size)
        (way,) = routes.ways(host, [self.host])
        return self._around.fluid.send(np.concatenate([disk, way[way >= 0]]), size)

    def write(self, size: int, targets: Sequence[str]) -> Signal:
        """Fires when a block is on this host's disk, and through a pipeline on those of the targets.

        A pipeline is as fast as the slowest of its links and disks: it passes on pieces while they are written.
        """
        routes, fluid = self._around.routes, self._around.fluid
        written = [fluid.send(np.array([routes.disk(self.host)]), size)]
        chain = [self.host, *targets]
        for first in range(0, len(targets), 2):
            links: list[int] = []
            for sender, receiver in zip(chain[first:], chain[first + 1 : first + 3], strict=False):
                (way,) = routes.ways(sender, [receiver])
                links += [*way[way >= 0].tolist(), routes.disk(receiver)]
            written.append(fluid.send(np.array(links), size))
        return all_of(written)


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
        """Does everything and reports so."""
        order = self._order
        self._outlets = [self._agent.open_outlet(order.job, order.task, output) for output in order.outputs]
        yield from self._consume()
        if order.reads:
            yield from self._read_splits()
        sent = {}
        for outlet in self._outlets:
            sent[outlet.exchange] = yield from outlet.finish()
            self._agent.close_outlet(order.job, order.task, outlet)
        written = []
        for block in order.writes:
            started = self._around.clock.now
            yield self._agent.write(block.bytes, block.targets)
            written.append(WriteReport(started, self._around.clock.now, 0, 0))
        self._around.fluid.close(self._group, [inbox.number for inbox in self._inboxes])
        received = {
            item.exchange: round(inbox.consumed) for item, inbox in zip(order.inputs, self._inboxes, strict=True)
        }
        self._agent.report(Done(order.job, order.stage, order.task, sent, received, tuple(written)))

    def _wake(self) -> None:
        self._changed.fire()

    def _compute(self, seconds: float) -> Process:
        if seconds > 0:
            yield self._agent.cpu.use(seconds)

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
            yield self._agent.read(split.host, split.bytes)
            read = self._around.clock.now
            yield from self._compute(split.cpu_s)
            computed = self._around.clock.now
            for outlet, emitted in zip(self._outlets, split.emit, strict=True):
                if emitted:
                    yield from outlet.emit(emitted)
            report = ReadReport(split.host, started, read, computed)
