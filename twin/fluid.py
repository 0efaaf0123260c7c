"""The network as a fluid: flows share what they cross max-min fairly, as long-lived TCP connections roughly do."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from twin import moving
from twin.clock import Clock, Process, Signal
from twin.compiling import Floats, Ints
from twin.maxmin import Flows, Links, members_of
from twin.moving import Groups, Inboxes, News, Rows

NOWHERE = -1
_ROOM = 256

A = TypeVar("A", Flows, Rows, Inboxes, Groups)


class Fluid:
    """Flows in rows over directed links; what they carry arrives in inboxes.

    Rates follow changes at updates, which lie at least an interval apart. Between two of them everything moves
    steadily, and nothing is computed for a flow.

    Args:
        clock: Tells the time.
        capacity: Bytes a second of each link.
        interval_s: Least time between updates.
        hops: Links that a flow crosses at most.
        relative_interval: Updates also lie at least this share of the time that has passed apart.
    """

    def __init__(
        self,
        clock: Clock,
        capacity: Floats,
        interval_s: float,
        hops: int,
        relative_interval: float = 0.0,
    ) -> None:
        size = len(capacity)
        self._clock = clock
        self._least_interval_s, self._relative_interval = interval_s, relative_interval
        self.links = Links.of(capacity)
        self._flows, self._rows = Flows.sized(_ROOM, hops), Rows.sized(_ROOM)
        self._inboxes, self._groups = Inboxes.sized(_ROOM), Groups.sized(_ROOM)
        self._news = News.sized(_ROOM)
        self._active: Ints = np.zeros(_ROOM, np.int64)
        self._active_count = self._flow_count = self._row_count = self._inbox_count = self._group_count = 0
        self._free_flows: dict[int, list[int]] = {}
        self._free_rows: list[int] = []
        self._free_inboxes: list[int] = []
        self._free_groups: list[int] = []
        self._ended: dict[int, Callable[[Floats], None]] = {}  # by row
        self._relieved: dict[int, Callable[[], None]] = {}  # by row
        self._complete: dict[int, Callable[[], None]] = {}  # by inbox
        self._filled: dict[int, Callable[[], None]] = {}  # by group
        self._members = members_of(self._flows, self._active, 0, size)
        self._updated_at = 0.0
        self._first_s = math.inf  # from then until a flow has ended or is down to its mark
        self._filled_s = math.inf  # from then until a group holds what it waits for
        self._anew = self._stale = False
        self._rings_at = math.inf
        self.updates = 0
        clock.settle = self._settle

    # -- inboxes -------------------------------------------------------------------------------------------------

    def add_group(self, filled: Callable[[], None]) -> int:
        """A group of inboxes; `filled` is called when together they hold what `expect` says, or may do so."""
        if not self._free_groups:
            self._free_groups.append(self._group_count)
            self._group_count += 1
            if self._group_count > len(self._groups.level):
                self._groups = _grown(self._groups)
        number = self._free_groups.pop()
        self._groups.threshold[number] = np.inf
        self._filled[number] = filled
        return number

    def add_inbox(self, group: int, flows: int, complete: Callable[[], None]) -> int:
        """Where so many flows end; `complete` is called when all of them have."""
        if not self._free_inboxes:
            self._free_inboxes.append(self._inbox_count)
            self._inbox_count += 1
            if self._inbox_count > len(self._inboxes.level):
                self._inboxes = _grown(self._inboxes)
        number, boxes = self._free_inboxes.pop(), self._inboxes
        boxes.level[number] = boxes.inflow[number] = boxes.coming[number] = 0.0
        boxes.group[number], boxes.left[number] = group, flows
        self._complete[number] = complete
        return number

    def close(self, group: int, inboxes: Sequence[int]) -> None:
        """Nobody needs a group and its inboxes any more; what still flows into them is lost."""
        self._groups.threshold[group] = np.inf
        self._free_groups.append(group)
        del self._filled[group]
        incomplete = [inbox for inbox in inboxes if self._complete.pop(inbox, None)]
        if incomplete:
            into = self._flows.inbox[: self._flow_count]
            into[np.isin(into, incomplete)] = NOWHERE
        for inbox in inboxes:
            self._inboxes.group[inbox] = NOWHERE
            self._free_inboxes.append(inbox)

    def level(self, inbox: int) -> float:
        """Bytes in an inbox."""
        boxes = self._inboxes
        return float(boxes.level[inbox] + min(boxes.inflow[inbox] * self._since_s, boxes.coming[inbox]))

    def take(self, inbox: int, size: float) -> None:
        """Remove bytes from an inbox."""
        self._inboxes.level[inbox] -= size

    def expect(self, group: int, inboxes: Sequence[int], size: float) -> bool:
        """Whether the inboxes of a group hold so much; when they do not, `filled` is called when they may."""
        missing = size - sum(self.level(inbox) for inbox in inboxes)
        if missing <= 1e-3:
            return True
        self._groups.threshold[group] = size
        boxes, since_s = self._inboxes, self._since_s
        inflow = sum(
            float(boxes.inflow[inbox]) for inbox in inboxes if boxes.inflow[inbox] * since_s < boxes.coming[inbox]
        )
        if inflow > 0:
            self._filled_s = min(self._filled_s, since_s + missing / inflow)
            self._stale = True
        return False

    # -- flows ---------------------------------------------------------------------------------------------------

    def add_row(
        self, links: Ints, inboxes: Ints | int, ended: Callable[[Floats], None], flush_bytes: Floats | float = 0.0
    ) -> int:
        """Flows that begin and end together.

        Args:
            links: That each crosses, shape (flows, hops), -1 behind the last; a flow within a host crosses none.
            inboxes: Where each ends.
            ended: Called when all have, with the times at which each has.
            flush_bytes: A flow that stands still sets off with so much, or with its last bytes.
        """
        size = len(links)
        base = self._room_for(size)
        row = self._free_rows.pop() if self._free_rows else self._row_count
        if row == self._row_count:
            self._row_count += 1
            if row == len(self._rows.base):
                self._rows = _grown(self._rows)
        flows, mine = self._flows, slice(base, base + size)
        flows.links[mine, : links.shape[1]], flows.inbox[mine], flows.row[mine] = links, inboxes, row
        flows.links[mine, links.shape[1] :] = -1
        flows.waiting[mine] = flows.remaining[mine] = flows.rate[mine] = flows.mark[mine] = 0.0
        flows.flowing[mine] = flows.ending[mine] = False
        flows.flush[mine] = flush_bytes
        self._rows.base[row], self._rows.size[row], self._rows.left[row], self._rows.above[row] = base, size, size, 0
        self._ended[row] = ended
        return row

    def push(self, row: int, sizes: Floats, final: bool = False) -> None:
        """Add bytes to each flow of a row; after its final ones it ends."""
        self._make_news_fit()
        before = self._active_count
        self._active_count, arrived = moving.push(
            self._clock.now,
            row,
            sizes,
            final,
            self._flows,
            self._rows,
            self._inboxes,
            self._active,
            before,
            self._news,
        )
        if arrived:
            self._filled_s = self._since_s
        self._anew = self._anew or self._active_count > before
        self._stale = True
        self._tell()

    def send(self, links: Ints, size: float, arrived: Signal) -> Process:
        """Sends so many bytes over each of some paths and waits until `arrived` fires, as it does when all have.

        Args:
            links: As of `add_row`.
            arrived: What is on the way is lost when somebody fires it with an error, or the process is closed.
        """
        row = self.add_row(links, NOWHERE, arrived.fire)
        self.push(row, np.full(len(links), float(size)), final=True)
        try:
            yield arrived
        except BaseException:
            self.drop(row)
            raise

    def drop(self, row: int) -> None:
        """Take flows off that have not all ended: what is on the way is lost, and nobody is told."""
        del self._ended[row]
        self._relieved.pop(row, None)
        self._active_count = moving.drop(
            row, self._since_s, self._flows, self._inboxes, self.links, self._active, self._active_count
        )
        self._free_row(row)
        self._anew = self._stale = True

    def reroute(self, draw: Callable[[Ints], Ints]) -> None:
        """Lead all flows over other links from now on; `draw` gets the links of each, as of `add_row`, and returns the
        new ones, which may be more.
        """
        self._update(0.0)
        drawn = draw(self._flows.links[: self._flow_count])
        links = np.full((len(self._flows.links), drawn.shape[1]), -1, np.int64)
        links[: len(drawn)] = drawn
        self._flows = self._flows._replace(links=links)
        self._anew = True
        self._update(0.0)

    def drained(self, row: int, mark: float) -> Signal:
        """Fires when no flow of a row has more than `mark` bytes on the way."""
        signal = Signal()
        if not moving.watch(row, mark, self._since_s, self._flows, self._rows):
            signal.fire()
            return signal
        self._relieved[row] = signal.fire
        self._first_s = min(self._first_s, self._since_s)  # looked at with the next update
        self._stale = True
        return signal

    def set_capacity(self, link: int, bytes_per_s: float) -> None:
        """Change what a link carries, from the next update on."""
        self.links.capacity[link] = bytes_per_s
        self._anew = self._stale = True
        self._first_s = min(self._first_s, self._since_s)

    def carried(self) -> Floats:
        """Bytes that each link has carried by now."""
        self._update(0.0)
        return self.links.carried.copy()

    # -- time ----------------------------------------------------------------------------------------------------

    @property
    def _since_s(self) -> float:
        """Seconds since the last update."""
        return self._clock.now - self._updated_at

    def _tell(self) -> None:
        """Call those who wait for what the last loop found."""
        news = self._news
        ended, complete, relieved, _ = news.counts.tolist()
        if not (ended or complete or relieved):
            return
        rows, boxes = news.ended[:ended].tolist(), news.complete[:complete].tolist()
        below = news.relieved[:relieved].tolist()
        for box in boxes:
            self._complete.pop(box)()
        for row in below:
            self._relieved.pop(row)()
        for row in rows:
            base, size = int(self._rows.base[row]), int(self._rows.size[row])
            ended_at = self._flows.ended_at[base : base + size].copy()
            self._free_row(row)
            self._ended.pop(row)(ended_at)

    def _settle(self) -> None:
        """After every event: update if it is time to, or have that done when it is."""
        while self._stale:
            self._stale = False
            now = self._clock.now
            interval_s = max(self._least_interval_s, self._relative_interval * now)
            due = self._updated_at + (interval_s if self._anew else max(interval_s, self._first_s))
            if due <= now:
                self._update(interval_s)
                continue
            due = max(now, min(due, self._updated_at + self._filled_s))
            if due < self._rings_at:
                self._rings_at = due
                self._clock.at(due, self._ring)

    def _ring(self) -> None:
        if self._clock.now >= self._rings_at:
            self._rings_at = math.inf
        self._stale = True
        if self._since_s >= self._filled_s - 1e-12:
            self._tell_filled(self._since_s)

    def _update(self, interval_s: float) -> None:
        self._make_news_fit()
        seconds, self._updated_at = self._since_s, self._clock.now
        self._active_count, self._first_s, offsets, members = moving.update(
            self._updated_at,
            seconds,
            interval_s / 2,
            self._anew,
            self._flows,
            self._rows,
            self._inboxes,
            self.links,
            *self._members,
            self._active,
            self._active_count,
            self._inbox_count,
            self._news,
        )
        self._members = offsets, members
        self._anew = False
        self._stale = True
        self.updates += 1
        self._tell()
        self._tell_filled(0.0)

    def _tell_filled(self, since_s: float) -> None:
        self._make_news_fit()
        self._filled_s = moving.look_for_filled(
            self._inboxes, self._groups, self._inbox_count, self._group_count, since_s, self._news
        )
        for group in self._news.filled[: self._news.counts[3]].tolist():
            self._filled[group]()

    # -- room ----------------------------------------------------------------------------------------------------

    def _room_for(self, size: int) -> int:
        """The first of so many flows that are free."""
        free = self._free_flows.get(size)
        if free:
            return free.pop()
        base = self._flow_count
        self._flow_count += size
        while self._flow_count > len(self._flows.rate):
            self._flows = _grown(self._flows)
            self._active = np.concatenate([self._active, np.zeros_like(self._active)])
        return base

    def _free_row(self, row: int) -> None:
        self._free_flows.setdefault(int(self._rows.size[row]), []).append(int(self._rows.base[row]))
        self._free_rows.append(row)

    def _make_news_fit(self) -> None:
        most = max(len(self._flows.rate), len(self._inboxes.level), len(self._groups.level))
        if len(self._news.ended) < most:
            self._news = News.sized(most)


def _grown(arrays: A) -> A:
    """The same entries in arrays of twice the size."""
    return type(arrays)(*(np.concatenate([array, np.zeros_like(array)]) for array in arrays))
