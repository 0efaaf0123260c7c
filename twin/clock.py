"""Virtual time: events in the order of their times, and processes that wait for signals."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Generator
from typing import Any

from workloads.errors import WorkloadError

Process = Generator["Signal", Any, Any]
"""A function that yields the signals that it waits for; it gets their values; those that are errors are raised."""


class StandstillError(WorkloadError):
    """Nothing happens any more, and yet somebody waits."""


class Signal:
    """Something that happens once; processes wait for it by yielding it."""

    __slots__ = ("_waiting", "done", "value")

    def __init__(self) -> None:
        self.done = False
        self.value: Any = None
        self._waiting: list[Callable[[Any], None]] = []

    def fire(self, value: Any = None) -> None:  # noqa: ANN401 - whatever happened
        """It has happened; what fires twice has happened the first time."""
        if not self.done:
            self.done, self.value = True, value
            waiting, self._waiting = self._waiting, []
            for resume in waiting:
                resume(value)

    def then(self, resume: Callable[[Any], None]) -> None:
        """Call `resume` with the value when it happens, at once when it has."""
        if self.done:
            resume(self.value)
        else:
            self._waiting.append(resume)


NOW = Signal()
"""What has happened already."""
NOW.fire()


class Clock:
    """Calls what is due, in the order of times; of equal times, in the order in which they were set.

    Attributes:
        now: Seconds since the beginning.
        events: How many there have been.
        settle: Called whenever something may have happened, before time goes on; returns when it is to be called again
            at the latest, which is later than now.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.events = 0
        self.settle: Callable[[], float] = lambda: math.inf
        self._heap: list[tuple[float, int, Callable[[], object]]] = []
        self._sequence = 0

    def at(self, time_s: float, act: Callable[[], object]) -> None:
        """Call `act` at a time, or now if that is past."""
        self._sequence += 1
        heapq.heappush(self._heap, (max(time_s, self.now), self._sequence, act))

    def soon(self, act: Callable[[], object], after_s: float = 0.0) -> None:
        """Call `act` after a delay, and after what is set for that time already."""
        self.at(self.now + after_s, act)

    def sleep(self, seconds: float) -> Signal:
        """Fires after so long."""
        signal = Signal()
        self.soon(signal.fire, seconds)
        return signal

    def start(self, process: Process) -> Signal:
        """Run a process, until it waits for the first time at once; the signal fires with what it returns.

        What it waits for may happen after it has been closed; then it has returned nothing.
        """
        ended = Signal()

        def resume(value: Any = None) -> None:  # noqa: ANN401 - of the signal that was waited for
            try:
                while True:
                    waited = process.throw(value) if isinstance(value, Exception) else process.send(value)
                    if not waited.done:
                        break
                    value = waited.value
                waited.then(resume)
            except StopIteration as stop:
                ended.fire(stop.value)

        resume()
        return ended

    def run(self, until: Callable[[], bool], at_most_s: float | None = None) -> None:
        """Let time go on until a condition holds, or until a time, when nothing else is due before.

        Raises:
            StandstillError: nothing is due any more, and there is no such time.
        """
        heap, most_s = self._heap, math.inf if at_most_s is None else at_most_s
        while True:
            due_s = self.settle()
            if until():
                return
            at_s = heap[0][0] if heap else math.inf
            next_s = min(at_s, due_s)
            if next_s > most_s:
                self.now = max(self.now, most_s)
                return
            if next_s == math.inf:
                raise StandstillError(f"nothing happens any more at {self.now:g} s")
            self.now = next_s
            if at_s <= due_s:
                self.events += 1
                heapq.heappop(heap)[2]()
