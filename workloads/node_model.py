"""The modelled resources of a node: CPU cores and a disk, each a processor-sharing server.

Nothing here burns CPU or touches a disk: work waits for as long as the modelled resource would have needed.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

DISK_MB_PER_S = 150.0
CORES = 8


@dataclass(frozen=True)
class NodeModel:
    """Resources of one node of the modelled cluster.

    Attributes:
        cores: CPU cores; a computing task gets at most one and all computing tasks share them equally.
        disk_mb_per_s: Sequential rate of the node's disk (10^6 bytes a second), shared equally by local and remote
            readers and writers. The default is a SATA disk of 2014.

    Raises:
        ValueError: a value is not positive.
    """

    cores: int = CORES
    disk_mb_per_s: float = DISK_MB_PER_S

    def __post_init__(self) -> None:
        for name in ("cores", "disk_mb_per_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ValueError(f"{name} {value}: give a positive number")


class ProcessorSharing:
    """A server that divides its capacity equally among the customers present.

    With n customers each is served at `rate(n) = min(limit, capacity / n)`. All customers have the same limit, so one
    virtual clock is enough: it runs at `rate(n)`, and a customer of `amount` leaves when the clock has advanced by
    `amount` since it came.

    The caller owns the clock: every method takes the present time. Calling late is harmless: departures happen, and
    free their share for the others, at the time when they were due.
    """

    def __init__(self, capacity: float, limit: float = math.inf) -> None:
        self.capacity = capacity
        self.limit = limit
        self.served = 0.0
        self._virtual = 0.0
        self._now = -math.inf
        self._due = math.inf  # of the next departure, as long as nobody comes or goes
        self._customers: list[tuple[float, int, Callable[[float], None]]] = []
        self._sequence = itertools.count()

    def __len__(self) -> int:
        return len(self._customers)

    def rate(self, customers: int) -> float:
        """What each of so many customers gets."""
        return min(self.limit, self.capacity / customers)

    def arrive(self, now: float, amount: float, leave: Callable[[float], None], since: float | None = None) -> int:
        """Adds a customer.

        Args:
            now: The present.
            amount: Service that it needs.
            leave: Called with the due time of its departure, during a later call of `advance` or `arrive`.
            since: When it should have come, had the caller not been late: credits the service since then.

        Returns:
            A key for `cancel`.
        """
        self.advance(now)
        if since is not None:
            credit = min(amount, max(0.0, now - since) * self.rate(len(self) + 1))
            self.served += credit
            amount -= credit
        key = next(self._sequence)
        heapq.heappush(self._customers, (self._virtual + amount, key, leave))
        self._reckon()
        return key

    def cancel(self, now: float, key: int) -> None:
        """Removes a customer before its time."""
        self.advance(now)
        self._customers = [customer for customer in self._customers if customer[1] != key]
        heapq.heapify(self._customers)
        self._reckon()

    def next_departure(self) -> float | None:
        """When the next customer leaves if nobody else comes; None without customers."""
        return self._due if self._customers else None

    def advance(self, now: float) -> None:
        """Serves everybody up to `now`, each departure at its due time."""
        while self._due <= now:
            due = self._due
            self._serve(due)
            finish, _, leave = heapq.heappop(self._customers)
            self._virtual = max(self._virtual, finish)
            self._reckon()
            leave(due)
        self._serve(now)

    def _reckon(self) -> None:
        """Somebody has come or gone, and everybody is served up to now."""
        customers, self._due = self._customers, math.inf
        if customers:
            self._due = self._now + (customers[0][0] - self._virtual) / self.rate(len(customers))

    def _serve(self, until: float) -> None:
        if until > self._now:
            if customers := len(self._customers):
                progress = self.rate(customers) * (until - self._now)
                self._virtual += progress
                self.served += progress * customers
            self._now = until


class SharedResource:
    """A processor-sharing server that coroutines wait on, in wall seconds of the event loop's clock."""

    def __init__(self, capacity: float, limit: float = math.inf) -> None:
        self._server = ProcessorSharing(capacity, limit)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._worst_lateness_s = 0.0

    def served(self) -> float:
        """Service given so far, in the unit of the capacity times seconds."""
        self._server.advance(self._loop.time())
        return self._server.served

    def take_lateness(self) -> float:
        """Worst lateness of a timer since this was asked last, in seconds."""
        late_s, self._worst_lateness_s = self._worst_lateness_s, 0.0
        return late_s

    def begin(self, amount: float, since: float | None = None) -> asyncio.Future[float]:
        """Starts a service; the future gets the time at which it was due. Cancelling it gives up the service.

        Args:
            amount: Bytes or CPU seconds.
            since: The due time of the step before this one; makes up for the lateness of the event loop.
        """
        departed: asyncio.Future[float] = self._loop.create_future()

        def leave(due: float) -> None:
            if not departed.done():
                departed.set_result(due)

        key = self._server.arrive(self._loop.time(), amount, leave, since)
        departed.add_done_callback(lambda future: self._cancel(key) if future.cancelled() else None)
        self._arm()
        return departed

    async def use(self, amount: float, since: float | None = None) -> float:
        """Waits until `amount` is served; returns when that was due, at or a little before the present."""
        return await self.begin(amount, since)

    def _cancel(self, key: int) -> None:
        self._server.cancel(self._loop.time(), key)
        self._arm()

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due = self._server.next_departure()
        self._timer = None if due is None else self._loop.call_at(due, self._ring, due)

    def _ring(self, due: float) -> None:
        now = self._loop.time()
        self._worst_lateness_s = max(self._worst_lateness_s, now - due)
        self._timer = None
        self._server.advance(now)
        self._arm()
