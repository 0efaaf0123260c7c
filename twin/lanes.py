"""What tasks give to exchanges and take from them: the counterpart of `workloads.agents.exchange` and `inbox`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from twin.clock import Process, Signal
from twin.compiling import Floats, Ints
from twin.fluid import Fluid
from twin.rows import share
from workloads.agents.exchange import part_bytes
from workloads.protocol import LaneReports, TaskInput, TaskOutput


class Inbox:
    """What a task receives of an exchange, in wire bytes and seconds on the wall.

    Args:
        fluid: Brings it.
        group: Of all inboxes of the task.
        order: What is to come.
        complete: Called when all sources have sent everything.
    """

    def __init__(self, fluid: Fluid, group: int, order: TaskInput, complete: Callable[[], None]) -> None:
        self.expected = order.bytes
        self.cpu_left_s = order.cpu_s
        self.consumed = 0.0
        self.complete = False
        self._fluid = fluid
        self._told = complete
        self.number = fluid.add_inbox(group, order.sources, self._completed)

    def _completed(self) -> None:
        self.complete = True
        self._told()

    @property
    def backlog(self) -> float:
        """Bytes that have arrived and are not processed."""
        return self._fluid.level(self.number)

    def cpu_s(self, size: float) -> float:
        """What it takes to process so much of what has arrived; it is taken off what is left."""
        remaining = max(size, self.expected - self.consumed)
        seconds = self.cpu_left_s * size / remaining if remaining > 0 else 0.0
        self.cpu_left_s -= seconds
        return seconds

    def consume(self, size: float) -> None:
        """So much has been processed."""
        self._fluid.take(self.number, size)
        self.consumed += size


@dataclass
class Way:
    """Where the lanes of an output lead: the links that each crosses, shape (lanes, hops), and where each ends; and of
    which routes that was, and whether the connections have yet to be made.
    """

    links: Ints
    inboxes: Ints
    version: int
    connects: bool


class Outlet:
    """All lanes from one producing task for one exchange: flows that begin and end together.

    Args:
        fluid: Carries them.
        order: What is to be sent to whom.
        way: Of the lanes.
        now: Seconds on the clock.
        window_bytes: How far a lane may lag behind.
    """

    def __init__(self, fluid: Fluid, order: TaskOutput, way: Way, now: float, window_bytes: int) -> None:
        self.total = order.bytes
        self.emitted = 0
        self.way = way
        self.exchange = order.exchange
        self._fluid = fluid
        self._order = order
        self._began_s = now
        self._window_bytes = window_bytes
        self._weights = np.array(order.lanes.weights, np.int64)
        self._produced = 0
        self._pushed = np.zeros(len(self._weights), np.int64)
        self._ended = Signal()
        parts = np.array([part_bytes(size, window_bytes) for size in order.lanes.bytes], np.float64)
        self._row = fluid.add_row(way.links, way.inboxes, self._ended.fire, parts, way.connects)

    def emit(self, size: int) -> Process:
        """Hands over so many produced bytes and waits while a lane lags behind."""
        self._produced += size
        self._push(final=False)
        yield self._fluid.drained(self._row, self._window_bytes)

    def finish(self) -> Process:
        """Sends the rest and waits until it has arrived; returns a report on each lane."""
        self._push(final=True)
        ended_at: Floats = yield self._ended
        lanes = len(ended_at)
        return LaneReports(
            self._order.lanes.consumers,
            tuple(self._pushed.tolist()),
            (self._began_s,) * lanes,
            tuple(ended_at.tolist()),
            ((0, 0),) * lanes,
        )

    def close(self) -> None:
        """Nothing more is sent, also of what has been handed over."""
        if not self._ended.done:
            self._fluid.drop(self._row)

    def _push(self, final: bool) -> None:
        if self._order.kind == "repartition":
            sizes = share(self._produced, self._weights, self._pushed, final)
        else:
            sizes = (self._produced - self._pushed).astype(np.float64)
            self._pushed[:] = self._produced
        self._fluid.push(self._row, sizes, final)
