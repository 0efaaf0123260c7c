"""What a task of a stage does, in virtual time: the counterpart of `workloads.agents.tasks`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from twin.clock import Process, Signal
from twin.lanes import Inbox, Outlet
from workloads.agents.connection import TransferError
from workloads.agents.exchange import part_bytes
from workloads.protocol import Done, NextSplit, ReadReport, SplitOrder, StartTask, WriteReport

if TYPE_CHECKING:
    from twin.agents import Agent, Surroundings


_PARTS = 16
"""Steps in which inputs are processed at most; agents take smaller ones of large inputs, which changes job times less
than the draw of ways does."""


class Task:
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
            around.boxes.setdefault((order.job, item.exchange), {})[order.task] = inbox.number
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
                yield from self._agent.write(block)
                written.append(WriteReport(started, self._around.clock.now, 0, 0, None))
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
            boxes = self._around.boxes[order.job, item.exchange]
            del boxes[order.task]
            if not boxes:
                del self._around.boxes[order.job, item.exchange]

    def _wake(self) -> None:
        self._changed.fire()

    def _compute(self, seconds: float) -> Iterable[Signal]:
        return self._agent.cpu.use(seconds) if seconds > 0 else ()

    def _consume(self) -> Process:
        """Takes what has arrived, computes for it, and passes on the share of the output that it yields."""
        inboxes, reads = self._inboxes, self._order.reads
        numbers = np.array([inbox.number for inbox in inboxes], np.int64)
        expected = sum(inbox.expected for inbox in inboxes)
        least = max(part_bytes(expected, self._around.window_bytes), expected // _PARTS)
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
