"""The network as a fluid: flows share what they cross max-min fairly, as long-lived TCP connections roughly do."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from twin import moving
from twin.clock import Clock, Process, Signal
from twin.compiling import Floats, Ints, as_records, entries, more_entries
from twin.congestion import Congestion
from twin.maxmin import Flows, Links
from twin.state import ACTIVE, FILLED, LATE, Groups, Inboxes, News, Rows, State

NOWHERE = -1
_ROOM = 256


class Fluid:
    """Flows in rows over directed links; what they carry arrives in inboxes.

    Rates follow changes at updates, which lie at least an interval apart. Between two of them everything moves
    steadily, and nothing is computed for a flow.

    Args:
        clock: Tells the time.
        capacity: Bytes a second of each link.
        interval_s: Least time between updates, times the root of the number of flows: what an update costs grows with
            it.
        hops: Links that a flow crosses at most.
        congestion: What full links do besides sharing their rate; nothing where none is given.
    """

    def __init__(
        self, clock: Clock, capacity: Floats, interval_s: float, hops: int, congestion: Congestion | None = None
    ) -> None:
        self._clock = clock
        self.links = entries(Links, len(capacity))
        self.links.capacity[:] = capacity
        congestion = congestion or Congestion(np.zeros(len(capacity)), np.arange(len(capacity)), np.zeros(1))
        self.links.queue[:], self.links.opposite[:] = congestion.queue, congestion.opposite
        self._interval_s = interval_s
        self._become(
            State(
                entries(Flows, _ROOM),
                np.full((_ROOM, hops), -1),
                entries(Rows, _ROOM),
                entries(Inboxes, _ROOM),
                entries(Groups, _ROOM),
                self.links,
                np.zeros(_ROOM, np.int64),
                np.zeros(_ROOM, np.int64),
                np.zeros(3, np.int64),
                entries(News, _ROOM),
                np.zeros(4, np.int64),
                congestion.draws,
                congestion.loss,
                congestion.rto_s,
            )
        )
        self._flow_count = self._row_count = self._inbox_count = self._group_count = 0
        self._free_flows: dict[int, list[int]] = {}
        self._free_rows: list[int] = []
        self._free_inboxes: list[int] = []
        self._free_groups: list[int] = []
        self._ended: dict[int, Callable[[Floats], None]] = {}  # by row
        self._relieved: dict[int, Callable[[], None]] = {}  # by row
        self._complete: dict[int, Callable[[], None]] = {}  # by inbox
        self._filled: dict[int, Callable[[], None]] = {}  # by group
        self._updated_at = 0.0
        self._slack_s = 0.0  # of the last update
        self._first_s = math.inf  # from then until a flow has ended or is down to its mark
        self._filled_s = math.inf  # from then until a group holds what it waits for
        self._level = math.inf  # rates from it on are to be found anew
        self._anew = False
        self.updates = 0
        clock.settle = self._settle

    # -- inboxes -------------------------------------------------------------------------------------------------

    def add_group(self, filled: Callable[[], None]) -> int:
        """A group of inboxes; `filled` is called when together they hold what `expect` says, or may do so."""
        if not self._free_groups:
            self._free_groups.append(self._group_count)
            self._group_count += 1
            if self._group_count > len(self._state.groups.level):
                self._grow("groups")
        number = self._free_groups.pop()
        self._state.groups.threshold[number] = np.inf
        self._filled[number] = filled
        return number

    def add_inbox(self, group: int, flows: int, complete: Callable[[], None]) -> int:
        """Where so many flows end; `complete` is called when all of them have."""
        if not self._free_inboxes:
            self._free_inboxes.append(self._inbox_count)
            self._inbox_count += 1
            if self._inbox_count > len(self._state.inboxes.level):
                self._grow("inboxes")
        number, boxes = self._free_inboxes.pop(), self._state.inboxes
        boxes.level[number] = boxes.inflow[number] = boxes.coming[number] = 0.0
        boxes.group[number], boxes.left[number] = group, flows
        self._complete[number] = complete
        return number

    def close(self, group: int, inboxes: Sequence[int]) -> None:
        """Nobody needs a group and its inboxes any more; what still flows into them is lost."""
        self._state.groups.threshold[group] = np.inf
        self._free_groups.append(group)
        del self._filled[group]
        incomplete = [inbox for inbox in inboxes if self._complete.pop(inbox, None)]
        if incomplete:
            into = self._state.flows.inbox[: self._flow_count]
            into[np.isin(into, incomplete)] = NOWHERE
        for inbox in inboxes:
            self._state.inboxes.group[inbox] = NOWHERE
            self._free_inboxes.append(inbox)

    def level(self, inbox: int) -> float:
        """Bytes in an inbox."""
        boxes = self._state.inboxes
        return float(boxes.level[inbox] + min(boxes.inflow[inbox] * self._since_s, boxes.coming[inbox]))

    def take(self, inbox: int, size: float) -> None:
        """Remove bytes from an inbox."""
        self._state.inboxes.level[inbox] -= size

    def expect(self, group: int, inboxes: Sequence[int], size: float) -> bool:
        """Whether the inboxes of a group hold so much; when they do not, `filled` is called when they may."""
        boxes, since_s = self._state.inboxes, self._since_s
        come = inflow = 0.0
        for inbox in inboxes:
            coming, rate = float(boxes.coming[inbox]), float(boxes.inflow[inbox])
            come += float(boxes.level[inbox]) + min(rate * since_s, coming)
            inflow += rate if rate * since_s < coming else 0.0
        missing = size - come
        if moving.is_filled(missing, inflow, self._slack_s, size):
            return True
        self._state.groups.threshold[group] = size
        if inflow > 0:
            self._filled_s = min(self._filled_s, since_s + missing / inflow)
        return False

    # -- flows ---------------------------------------------------------------------------------------------------

    def add_row(
        self,
        links: Ints,
        inboxes: Ints | int,
        ended: Callable[[Floats], None],
        flush_bytes: Floats | float = 0.0,
        connects: bool = True,
        asked: bool = False,
    ) -> int:
        """Flows that begin and end together.

        Args:
            links: That each crosses, shape (flows, hops), -1 behind the last; a flow within a host crosses none.
            inboxes: Where each ends.
            ended: Called when all have, with the times at which each has.
            flush_bytes: A flow that stands still sets off with so much, or with its last bytes.
            connects: Whether their connections have yet to be made.
            asked: Whether they are asked for over these connections.
        """
        size = len(links)
        base = self._room_for(size)
        row = self._free_rows.pop() if self._free_rows else self._row_count
        if row == self._row_count:
            self._row_count += 1
            if row == len(self._state.rows.first):
                self._grow("rows")
        flows, rows, mine = self._state.flows, self._state.rows, slice(base, base + size)
        self._state.paths[mine, : links.shape[1]], self._state.paths[mine, links.shape[1] :] = links, -1
        flows.inbox[mine], flows.row[mine] = inboxes, row
        flows.waiting[mine] = flows.remaining[mine] = flows.rate[mine] = flows.mark[mine] = 0.0
        flows.flowing[mine] = flows.sought[mine] = flows.ending[mine] = False
        flows.flush[mine] = flush_bytes
        rows.first[row], rows.flows[row], rows.left[row], rows.above[row] = base, size, size, 0
        rows.connects[row], rows.asked[row] = connects, asked
        self._ended[row] = ended
        return row

    def push(self, row: int, sizes: Floats, final: bool = False) -> None:
        """Add bytes to each flow of a row; after its final ones it ends."""
        before = self._state.counts[LATE]
        arrived = moving.push(self._clock.now, row, sizes, final, self._arrays)
        if arrived:
            self._filled_s = self._since_s
        self._anew = self._anew or bool(self._state.counts[LATE] > before)
        self._tell()

    def send(self, links: Ints, size: float, arrived: Signal) -> Process:
        """Sends so many bytes over each of some paths and waits until `arrived` fires, as it does when all have.

        Args:
            links: As of `add_row`.
            arrived: What is on the way is lost when somebody fires it with an error, or the process is closed.
        """
        row = self.add_row(links, NOWHERE, arrived.fire, asked=True)
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
        self._level = min(self._level, moving.drop(row, self._since_s, self._arrays))
        self._free_row(row)
        self._anew = True

    def reroute(self, draw: Callable[[Ints], Ints]) -> None:
        """Lead all flows over other links from now on; `draw` gets the links of each, as of `add_row`, and returns the
        new ones, which may be more.
        """
        self._update(0.0)
        moving.lift(self._arrays)
        drawn = draw(self._state.paths[: self._flow_count])
        paths = np.full((len(self._state.paths), drawn.shape[1]), -1)
        paths[: len(drawn)] = drawn
        self._become(self._state._replace(paths=paths))
        self._update(0.0)

    def drained(self, row: int, mark: float) -> Signal:
        """Fires when no flow of a row has more than `mark` bytes on the way."""
        signal = Signal()
        if not moving.watch(row, mark, self._since_s, self._arrays):
            signal.fire()
            return signal
        self._relieved[row] = signal.fire
        self._first_s = min(self._first_s, self._since_s)  # looked at with the next update
        return signal

    def set_capacity(self, link: int, bytes_per_s: float) -> None:
        """Change what a link carries, from the next update on."""
        self.links.capacity[link] = bytes_per_s
        self._level = 0.0
        self._anew = True
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
        news = self._state.news
        ended, complete, relieved, _ = self._state.found.tolist()
        if not (ended or complete or relieved):
            return
        rows, boxes = news.ended[:ended].tolist(), news.complete[:complete].tolist()
        below = news.relieved[:relieved].tolist()
        for box in boxes:
            self._complete.pop(box)()
        for row in below:
            self._relieved.pop(row)()
        for row in rows:
            base, size = int(self._state.rows.first[row]), int(self._state.rows.flows[row])
            ended_at = self._state.flows.ended_at[base : base + size].copy()
            self._free_row(row)
            self._ended.pop(row)(ended_at)

    def _settle(self) -> float:
        """After every event: update if it is time to, and tell groups that are filled; returns when it is the next."""
        while True:
            now, active = self._clock.now, max(1, int(self._state.counts[ACTIVE]))
            interval_s = self._interval_s * math.sqrt(active)
            due = self._updated_at + (interval_s if self._anew else max(interval_s, self._first_s))
            if due <= now:
                self._update(interval_s)
                continue
            filled = self._updated_at + self._filled_s
            if filled > now or not self._look_for_filled():
                return max(min(due, self._updated_at + self._filled_s), math.nextafter(now, math.inf))

    def _update(self, interval_s: float) -> None:
        seconds, self._updated_at, self._slack_s = self._since_s, self._clock.now, interval_s / 2
        first_s, filled_s = moving.update(
            self._updated_at,
            seconds,
            self._slack_s,
            self._level,
            self._inbox_count,
            self._group_count,
            self._arrays,
        )
        self._first_s, self._filled_s = float(first_s), float(filled_s)  # plain loops return numpy's numbers
        self._level = math.inf
        self._anew = False
        self.updates += 1
        filled = self._filled_groups()
        self._tell()
        self._tell_filled(filled)

    def _look_for_filled(self) -> bool:
        """Call those whose groups hold by now what they wait for; returns whether there are any."""
        filled_s = moving.look_for_filled(
            self._inbox_count, self._group_count, self._since_s, self._slack_s, self._arrays
        )
        self._filled_s = float(filled_s)
        filled = self._filled_groups()
        self._tell_filled(filled)
        return bool(filled)

    def _filled_groups(self) -> list[int]:
        return self._state.news.filled[: self._state.found[FILLED]].tolist()  # type: ignore[no-any-return]

    def _tell_filled(self, groups: Sequence[int]) -> None:
        for group in groups:
            if group in self._filled:  # it is not, when its task has just ended
                self._filled[group]()

    # -- room ----------------------------------------------------------------------------------------------------

    def _room_for(self, size: int) -> int:
        """The first of so many flows that are free."""
        free = self._free_flows.get(size)
        if free:
            return free.pop()
        base = self._flow_count
        self._flow_count += size
        while self._flow_count > len(self._state.flows.rate):
            self._grow("flows")
        return base

    def _free_row(self, row: int) -> None:
        rows = self._state.rows
        self._free_flows.setdefault(int(rows.flows[row]), []).append(int(rows.first[row]))
        self._free_rows.append(row)

    def _grow(self, name: str) -> None:
        """Twice as many entries of a kind, and room for what may be said of them."""
        state = self._state
        these = getattr(state, name)
        state = state._replace(**{name: more_entries(these, 2 * len(these[0]))})
        size = len(state.flows.rate)
        if size > len(state.paths):
            paths = np.full((size, state.paths.shape[1]), -1)
            paths[: len(state.paths)] = state.paths
            active, late = np.zeros((2, size), np.int64)
            active[: len(state.active)], late[: len(state.late)] = state.active, state.late
            state = state._replace(paths=paths, active=active, late=late)
        most = max(size, len(state.inboxes.level), len(state.groups.level))
        if most > len(state.news.ended):
            state = state._replace(news=entries(News, most))
        self._become(state)

    def _become(self, state: State) -> None:
        """Go on with other arrays."""
        self._state = state
        parts: Any = [part if isinstance(part, np.ndarray | float) else as_records(part) for part in state]
        self._arrays = State._make(parts)  # the same, for compiled loops
