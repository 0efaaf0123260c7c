"""What there is of the fluid: flows in rows, what they cross, where they end, and who is to be told of it."""

from __future__ import annotations

from typing import NamedTuple

from twin.compiling import Bools, Floats, Ints
from twin.maxmin import Flows, Links

ACTIVE, LATE, DRAWN = range(3)
"""Places in `State.counts`."""
ENDED, COMPLETE, RELIEVED, FILLED = range(4)
"""Places in `State.found`."""


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
        counts: How many are active, and late, and how many of the draws have been used.
        found: How many of each kind of news there are.
        draws: Random numbers from 0 to 1.
        loss: Probability that the last packets of what sets off are lost at a full link.
        rto_s: Least time until they are sent again.
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
    news: News
    found: Ints
    draws: Floats
    loss: float
    rto_s: float
