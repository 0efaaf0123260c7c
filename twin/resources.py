"""Cores of a node in virtual time."""

from __future__ import annotations

import math

from twin.clock import Clock, Process, Signal
from workloads.node_model import ProcessorSharing


class Shared:
    """A server of `workloads.node_model` on the clock.

    Args:
        clock: Tells the time.
        capacity: Of all customers together, in their unit a second.
        limit: Of each.
    """

    def __init__(self, clock: Clock, capacity: float, limit: float = math.inf) -> None:
        self._clock = clock
        self._server = ProcessorSharing(capacity, limit)
        self._rings_at: float | None = None

    def served(self) -> float:
        """Service given so far."""
        self._server.advance(self._clock.now)
        return self._server.served

    def use(self, amount: float) -> Process:
        """Waits until `amount` has been served; a process that is closed before gives up the rest."""
        served = Signal()
        key = self._server.arrive(self._clock.now, amount, served.fire)
        self._arm()
        try:
            yield served
        except GeneratorExit:
            self._clock.soon(lambda: self._give_up(key))  # not at once: others may be due, and resumed
            raise

    def _give_up(self, key: int) -> None:
        self._server.cancel(self._clock.now, key)
        self._arm()

    def _arm(self) -> None:
        due = self._server.next_departure()
        if due is not None and (self._rings_at is None or due < self._rings_at):
            self._rings_at = due
            self._clock.at(due, lambda: self._ring(due))

    def _ring(self, due: float) -> None:
        """Nobody may leave yet, when others have come since."""
        if due == self._rings_at:
            self._rings_at = None
            self._server.advance(self._clock.now)
            self._arm()
