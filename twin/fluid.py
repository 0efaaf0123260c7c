"""The network as a fluid: flows share what they cross max-min fairly, as long-lived TCP connections roughly do."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from twin import filling, moving, rows
from twin.clock import NOW, Clock, Process, Signal
from twin.compiling import Floats, Ints, entries, more_entries
from twin.congestion import Congestion
from twin.maxmin import Flows, Links
from twin.state import ANEW, GROUPS, INBOXES, LEVEL, UPDATES, Groups, Inboxes, News, Rows, State, table_of

NOWHERE = np.array([-1])
"""Where flows end whose bytes nobody takes."""
_AT_ONCE = np.zeros(1)
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
                np.zeros(6, np.int64),
                np.zeros(7),
                entries(News, _ROOM),
                np.zeros(4, np.int64),
                congestion.draws,
                np.array([congestion.loss, congestion.rto_s, congestion.window, congestion.short]),
            )
        )
        self._state.times[:] = 0.0, 0.0, np.inf, np.inf, np.inf, 0.0, interval_s
        self._flow_count = self._row_count = 0
        self._free_flows: dict[int, list[int]] = {}
        self._free_rows: list[int] = []
        self._free_inboxes: list[int] = []
        self._free_groups: list[int] = []
        self._ended: dict[int, Callable[[Floats], None]] = {}  # by row
        self._relieved: dict[int, Callable[[], None]] = {}  # by row
        self._complete: dict[int, Callable[[], None]] = {}  # by inbox
        self._filled: dict[int, Callable[[], None]] = {}  # by group
        clock.settle = self._settle

    # -- inboxes -------------------------------------------------------------------------------------------------

    def add_group(self, filled: Callable[[], None]) -> int:
        """A group of inboxes; `filled` is called when together they hold what `expect` says, or may do so."""
        if not self._free_groups:
            self._free_groups.append(self._one_more(GROUPS))
            if self._state.counts[GROUPS] > len(self._state.groups.level):
                self._grow("groups")
        number = self._free_groups.pop()
        self._state.groups.threshold[number] = np.inf
        self._filled[number] = filled
        return number

    def add_inbox(self, group: int, flows: int, complete: Callable[[], None]) -> int:
        """Where so many flows end; `complete` is called when all of them have."""
        if not self._free_inboxes:
            self._free_inboxes.append(self._one_more(INBOXES))
            if self._state.counts[INBOXES] > len(self._state.inboxes.level):
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
            into[np.isin(into, incomplete)] = -1
        for inbox in inboxes:
            self._state.inboxes.group[inbox] = -1
            self._free_inboxes.append(inbox)

    def level(self, inbox: int) -> float:
        """Bytes in an inbox."""
        return float(filling.level(self._clock.now, inbox, self._table))

    def take(self, inbox: int, size: float) -> None:
        """Remove bytes from an inbox."""
        self._state.inboxes.level[inbox] -= size

    def expect(self, group: int, inboxes: Ints, size: float) -> bool:
        """Whether the inboxes of a group hold so much; when they do not, `filled` is called when they may."""
        return bool(filling.expect(self._clock.now, group, inboxes, size, self._table))

    # -- flows ---------------------------------------------------------------------------------------------------

    def add_row(
        self,
        links: Ints,
        inboxes: Ints,
        ended: Callable[[Floats], None],
        flush_bytes: Floats = _AT_ONCE,
        connects: bool = True,
        asked: bool = False,
    ) -> int:
        """Flows that begin and end together.

        Args:
            links: That each crosses, shape (flows, hops), -1 behind the last; a flow within a host crosses none.
            inboxes: Where each ends, or the one where all do.
            ended: Called when all have, with the times at which each has.
            flush_bytes: Each sets off with so much, or all with as much, when it stands still, or with its last bytes.
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
        rows.begin(row, base, links, inboxes, flush_bytes, connects, asked, self._table)
        self._ended[row] = ended
        return row

    def push(self, row: int, sizes: Floats, final: bool = False) -> None:
        """Add bytes to each flow of a row, or as many to all; after its final ones it ends."""
        if rows.push(self._clock.now, row, sizes, final, self._table):
            self._tell()

    def send(self, links: Ints, size: float, arrived: Signal) -> Process:
        """Sends so many bytes over each of some paths and waits until `arrived` fires, as it does when all have.

        Args:
            links: As of `add_row`.
            arrived: What is on the way is lost when somebody fires it with an error, or the process is closed.
        """
        row = self.add_row(links, NOWHERE, arrived.fire, asked=True)
        self.push(row, np.array([float(size)]), final=True)
        try:
            yield arrived
        except BaseException:
            self.drop(row)
            raise

    def drop(self, row: int) -> None:
        """Take flows off that have not all ended: what is on the way is lost, and nobody is told."""
        del self._ended[row]
        self._relieved.pop(row, None)
        rows.drop(self._clock.now, row, self._table)
        self._free_row(row)

    def reroute(self, draw: Callable[[Ints], Ints]) -> None:
        """Lead all flows over other links from now on; `draw` gets the links of each, as of `add_row`, and returns the
        new ones, which may be more.
        """
        self._update()
        moving.lift(self._table)
        drawn = draw(self._state.paths[: self._flow_count])
        paths = np.full((len(self._state.paths), drawn.shape[1]), -1)
        paths[: len(drawn)] = drawn
        self._become(self._state._replace(paths=paths))
        self._update()

    def drained(self, row: int, mark: float) -> Signal:
        """Fires when no flow of a row has more than `mark` bytes on the way."""
        if not rows.watch(self._clock.now, row, mark, self._table):
            return NOW
        signal = Signal()
        self._relieved[row] = signal.fire
        return signal

    def set_capacity(self, link: int, bytes_per_s: float) -> None:
        """Change what a link carries, from the next update on."""
        self.links.capacity[link] = bytes_per_s
        self._state.times[LEVEL], self._state.times[ANEW] = 0.0, 1.0

    def carried(self) -> Floats:
        """Bytes that each link has carried by now."""
        self._update()
        return self.links.carried.copy()

    # -- time ----------------------------------------------------------------------------------------------------

    @property
    def updates(self) -> int:
        """How many there have been."""
        return int(self._state.counts[UPDATES])

    def _settle(self) -> float:
        """After every event: does what is due, and tells those who wait for it; returns when the next is."""
        while (due := float(moving.settle(self._clock.now, self._table))) <= self._clock.now:
            self._tell()
        return due

    def _update(self) -> None:
        moving.update(self._clock.now, self._table)
        self._tell()

    def _tell(self) -> None:
        """Call those who wait for what the last loop found."""
        news = self._state.news
        ended, complete, relieved, filled = self._state.found.tolist()
        ended_rows = news.ended[:ended].tolist() if ended else ()
        complete_boxes = news.complete[:complete].tolist() if complete else ()
        relieved_rows = news.relieved[:relieved].tolist() if relieved else ()
        full_groups = news.filled[:filled].tolist() if filled else ()
        for box in complete_boxes:
            self._complete.pop(box)()
        for row in relieved_rows:
            self._relieved.pop(row)()
        for row in ended_rows:
            base, size = self._flows_of(row)
            ended_at = self._state.flows.ended_at[base : base + size].copy()
            self._free_row(row)
            self._ended.pop(row)(ended_at)
        for group in full_groups:
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

    def _flows_of(self, row: int) -> tuple[int, int]:
        """The first flow of a row, and how many there are."""
        return int(self._state.rows.first[row]), int(self._state.rows.flows[row])

    def _free_row(self, row: int) -> None:
        base, size = self._flows_of(row)
        self._free_flows.setdefault(size, []).append(base)
        self._free_rows.append(row)

    def _one_more(self, kind: int) -> int:
        """The number of a new inbox or group."""
        self._state.counts[kind] += 1
        return int(self._state.counts[kind]) - 1

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
        self._table = table_of(state)
