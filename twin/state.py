"""What there is of the fluid: flows in rows, what they cross, where they end, and who is to be told of it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from placement.compiling import COMPILED
from twin import compiling
from twin.compiling import Bools, Floats, Ints, compiled, record_type
from twin.maxmin import Flows, Links

ACTIVE, LATE, DRAWN, INBOXES, GROUPS, UPDATES = range(6)
"""Places in `State.counts`."""
UPDATED_S, SLACK_S, FIRST_S, FILLED_S, LEVEL, ANEW, INTERVAL_S = range(7)
"""Places in `State.times`."""
ENDED, COMPLETE, RELIEVED, FILLED = range(4)
"""Places in `State.found`."""
LOSS, RTO_S, WINDOW, SHORT = range(4)
"""Places in `State.tcp`."""


class Rows(NamedTuple):
    """An entry a row of flows: the first one, how many, how many have not ended, how many are above their mark.

    Attributes:
        connects: Whether their connections have yet to be made when they set off.
        asked: Whether they are asked for over these connections.
    """

    first: Ints
    flows: Ints
    left: Ints
    above: Ints
    connects: Bools
    asked: Bools


class Inboxes(NamedTuple):
    """An entry an inbox.

    Attributes:
        level: Bytes in it at the last update.
        inflow: Bytes a second that have come since.
        coming: Bytes that may come at most until the next update.
        left: Flows that have not ended.
        group: Inboxes of one task; -1 where nobody uses it.
    """

    level: Floats
    inflow: Floats
    coming: Floats
    left: Ints
    group: Ints


class Groups(NamedTuple):
    """An entry a group of inboxes, which one task empties.

    Attributes:
        threshold: Bytes in all of them that the task waits for; inf: for none.
        level: Bytes in all of them, while it is looked at.
        inflow: Bytes a second into those that more may come to.
    """

    threshold: Floats
    level: Floats
    inflow: Floats


class News(NamedTuple):
    """What a loop found: rows that ended, inboxes that are complete, rows whose flows are all below their marks, groups
    that hold what they wait for.
    """

    ended: Ints
    complete: Ints
    relieved: Ints
    filled: Ints


class State(NamedTuple):
    """All of it.

    Attributes:
        paths: Links that each flow crosses, shape (flows, hops); -1 behind the last one.
        active: Numbers of the flows of which some remains.
        late: Numbers of the flows that have set off and have not started.
        counts: How many are active, and late, how many of the draws have been used, how many inboxes and groups there
            have been, and how many updates.
        times: When the last update was; what ended within so long after it, ended then; seconds from then until a flow
            has ended, starts, or is down to its mark, and until a group may hold what it waits for; rates from which on
            they are to be found anew; whether some are to be without waiting for that, 1 or 0; and the least time
            between updates, for one flow.
        found: How many of each kind of news there are.
        draws: Random numbers from 0 to 1.
        tcp: Probability that the last packets of what sets off are lost at a full link, the least time until they are
            sent again, and bytes that may be on the way before the first acknowledgement has come.
    """

    flows: Flows
    paths: Ints
    rows: Rows
    inboxes: Inboxes
    groups: Groups
    links: Links
    active: Ints
    late: Ints
    counts: Ints
    times: Floats
    news: News
    found: Ints
    draws: Floats
    tcp: Floats


Table = Any
"""A state as loops take it: compiled ones where everything lies, plain ones the state itself."""


def table_of(state: State) -> Table:
    """The table of a state, whose arrays have to be kept as long."""
    return compiling.addresses(state) if COMPILED else state


if COMPILED:
    from twin.compiling import carray, pointer

    _FLOWS, _ROWS, _INBOXES = record_type(Flows), record_type(Rows), record_type(Inboxes)
    _GROUPS, _LINKS, _NEWS = record_type(Groups), record_type(Links), record_type(News)

    @compiled
    def opened(table: Table) -> State:
        """The state of a table."""
        return State(
            carray(pointer(table[0, 0]), table[0, 1], _FLOWS),
            carray(pointer(table[1, 0]), (table[1, 1], table[1, 2]), np.int64),
            carray(pointer(table[2, 0]), table[2, 1], _ROWS),
            carray(pointer(table[3, 0]), table[3, 1], _INBOXES),
            carray(pointer(table[4, 0]), table[4, 1], _GROUPS),
            carray(pointer(table[5, 0]), table[5, 1], _LINKS),
            carray(pointer(table[6, 0]), table[6, 1], np.int64),
            carray(pointer(table[7, 0]), table[7, 1], np.int64),
            carray(pointer(table[8, 0]), table[8, 1], np.int64),
            carray(pointer(table[9, 0]), table[9, 1], np.float64),
            carray(pointer(table[10, 0]), table[10, 1], _NEWS),
            carray(pointer(table[11, 0]), table[11, 1], np.int64),
            carray(pointer(table[12, 0]), table[12, 1], np.float64),
            carray(pointer(table[13, 0]), table[13, 1], np.float64),
        )

else:

    def opened(table: Table) -> State:
        """The state of a table."""
        return table  # type: ignore[no-any-return]
