"""What flows move between two updates, and who is to be told of it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twin.compiling import Floats, Ints, compiled
from twin.maxmin import Flows, Links, members_of, share_out

EMPTY_BYTES = 1e-6
"""No more than rounding leaves of a flow that has ended."""


class Rows(NamedTuple):
    """An entry a row of flows: the first one, how many, how many have not ended, how many are above their mark."""

    base: Ints
    size: Ints
    left: Ints
    above: Ints

    @classmethod
    def sized(cls, size: int) -> Rows:
        """With room for so many."""
        return cls(
            np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size, np.int64)
        )


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

    @classmethod
    def sized(cls, size: int) -> Inboxes:
        """With room for so many."""
        return cls(np.zeros(size), np.zeros(size), np.zeros(size), np.zeros(size, np.int64), np.full(size, -1))


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

    @classmethod
    def sized(cls, size: int) -> Groups:
        """With room for so many."""
        return cls(np.full(size, np.inf), np.zeros(size), np.zeros(size))


class News(NamedTuple):
    """What a loop found: rows that ended, inboxes that are complete, rows whose flows are all below their marks, groups
    that hold what they wait for; and how many of each.
    """

    ended: Ints
    complete: Ints
    relieved: Ints
    filled: Ints
    counts: Ints

    @classmethod
    def sized(cls, size: int) -> News:
        """With room for so many."""
        return cls(
            np.zeros(size, np.int64),
            np.zeros(size, np.int64),
            np.zeros(size, np.int64),
            np.zeros(size, np.int64),
            np.zeros(4, np.int64),
        )


@compiled
def _end(flow: int, now: float, flows: Flows, rows: Rows, inboxes: Inboxes, news: News) -> None:
    flows.ended_at[flow] = now
    row, box = flows.row[flow], flows.inbox[flow]
    rows.left[row] -= 1
    if rows.left[row] == 0:
        news.ended[news.counts[0]] = row
        news.counts[0] += 1
    if box >= 0:
        inboxes.left[box] -= 1
        if inboxes.left[box] == 0:
            news.complete[news.counts[1]] = box
            news.counts[1] += 1


@compiled
def push(
    now: float,
    row: int,
    sizes: Floats,
    final: bool,
    flows: Flows,
    rows: Rows,
    inboxes: Inboxes,
    active: Ints,
    count: int,
    news: News,
) -> tuple[int, bool]:
    """Adds bytes to each flow of a row; those that have enough, or whose last bytes these are, set off.

    Returns:
        How many flows are active, and whether bytes have arrived, as those do at once that cross no link.
    """
    news.counts[:] = 0
    arrived = False
    for i in range(rows.size[row]):
        flow = rows.base[row] + i
        flows.waiting[flow] += sizes[i]
        if flows.links[flow, 0] < 0:
            box = flows.inbox[flow]
            if box >= 0 and flows.waiting[flow] > 0:
                inboxes.level[box] += flows.waiting[flow]
                arrived = True
            flows.waiting[flow] = 0.0
            if final:
                _end(flow, now, flows, rows, inboxes, news)
            continue
        flows.ending[flow] = final
        if flows.waiting[flow] > 0 and (final or flows.flowing[flow] or flows.waiting[flow] >= flows.flush[flow]):
            flows.remaining[flow] += flows.waiting[flow]
            flows.waiting[flow] = 0.0
            if not flows.flowing[flow]:
                flows.flowing[flow] = True
                flows.rate[flow] = 0.0
                active[count] = flow
                count += 1
        elif final and not flows.flowing[flow]:
            _end(flow, now, flows, rows, inboxes, news)
    return count, arrived


@compiled
def watch(row: int, mark: float, seconds: float, flows: Flows, rows: Rows) -> int:
    """Marks the flows of a row of which more than `mark` bytes remain so long after the update; returns how many."""
    rows.above[row] = 0
    for i in range(rows.size[row]):
        flow = rows.base[row] + i
        if flows.flowing[flow] and flows.remaining[flow] - flows.rate[flow] * seconds > mark:
            flows.mark[flow] = mark
            rows.above[row] += 1
    return int(rows.above[row])


@compiled
def _arrive(flow: int, size: float, flows: Flows, inboxes: Inboxes, links: Links) -> None:
    """So many bytes of a flow have come to its end, over all of its links."""
    for hop in range(flows.links.shape[1]):
        link = flows.links[flow, hop]
        if link < 0:
            break
        links.carried[link] += size
    box = flows.inbox[flow]
    if box >= 0:
        inboxes.level[box] += size


@compiled
def drop(row: int, seconds: float, flows: Flows, inboxes: Inboxes, links: Links, active: Ints, count: int) -> int:
    """Takes the flows of a row off, so long after the update; returns how many flows are active."""
    kept = 0
    for i in range(count):
        flow = active[i]
        if flows.row[flow] != row:
            active[kept] = flow
            kept += 1
            continue
        _arrive(flow, min(flows.rate[flow] * seconds, flows.remaining[flow]), flows, inboxes, links)
        flows.flowing[flow] = False
        box = flows.inbox[flow]
        if box >= 0:
            inboxes.inflow[box] -= flows.rate[flow]
            inboxes.coming[box] -= flows.remaining[flow]
    return kept


@compiled
def _sink_below_mark(flow: int, flows: Flows, rows: Rows, news: News) -> None:
    """No more of a flow than its mark remains."""
    flows.mark[flow] = 0.0
    row = flows.row[flow]
    rows.above[row] -= 1
    if rows.above[row] == 0:
        news.relieved[news.counts[2]] = row
        news.counts[2] += 1


@compiled
def _move(
    now: float,
    seconds: float,
    slack_s: float,
    flows: Flows,
    rows: Rows,
    inboxes: Inboxes,
    links: Links,
    active: Ints,
    count: int,
    news: News,
) -> tuple[int, float]:
    """Moves all flows for so long, and ends those that would end within `slack_s` after it.

    Returns:
        How many flows are active, and the lowest rate of one that stopped; inf when none did.
    """
    hops = flows.links.shape[1]
    lowest = np.inf
    kept = 0
    for i in range(count):
        flow = active[i]
        rate = flows.rate[flow]
        left = flows.remaining[flow] - rate * seconds
        if rate > 0 and left <= rate * slack_s + EMPTY_BYTES:
            left = 0.0
        moved = flows.remaining[flow] - left
        flows.remaining[flow] = left
        _arrive(flow, moved, flows, inboxes, links)
        if flows.mark[flow] > 0 and left <= flows.mark[flow] + rate * slack_s:
            _sink_below_mark(flow, flows, rows, news)
        if left <= 0 and flows.waiting[flow] > 0 and (flows.ending[flow] or flows.waiting[flow] >= flows.flush[flow]):
            left = flows.remaining[flow] = flows.waiting[flow]
            flows.waiting[flow] = 0.0
        if left > 0:
            active[kept] = flow
            kept += 1
            continue
        flows.flowing[flow] = False
        lowest = min(lowest, rate)
        for hop in range(hops):
            link = flows.links[flow, hop]
            if link < 0:
                break
            links.free[link] += rate
        if flows.ending[flow]:
            _end(flow, now, flows, rows, inboxes, news)
    return kept, lowest


@compiled
def _look_ahead(flows: Flows, inboxes: Inboxes, active: Ints, count: int, boxes: int) -> float:
    """Sums up what flows into inboxes; returns the seconds until a flow has ended or is down to its mark."""
    inboxes.inflow[:boxes] = 0.0
    inboxes.coming[:boxes] = 0.0
    first_s = np.inf
    for i in range(count):
        flow = active[i]
        rate = flows.rate[flow]
        if rate > 0:
            first_s = min(first_s, max(0.0, flows.remaining[flow] - flows.mark[flow]) / rate)
            box = flows.inbox[flow]
            if box >= 0:
                inboxes.inflow[box] += rate
                inboxes.coming[box] += flows.remaining[flow]
    return first_s


@compiled
def update(
    now: float,
    seconds: float,
    slack_s: float,
    anew: bool,
    flows: Flows,
    rows: Rows,
    inboxes: Inboxes,
    links: Links,
    offsets: Ints,
    members: Ints,
    active: Ints,
    count: int,
    boxes: int,
    news: News,
) -> tuple[int, float, Ints, Ints]:
    """Moves everything for so long, ends what is done, and finds the new rates; `anew` where flows or capacities have
    come.

    Returns:
        How many flows are active, the seconds until the next has ended, and the members of links.
    """
    news.counts[:] = 0
    count, lowest = _move(now, seconds, slack_s, flows, rows, inboxes, links, active, count, news)
    if anew:
        lowest = 0.0
        offsets, members = members_of(flows, active, count, links.capacity.shape[0])
    if lowest < np.inf:
        share_out(flows, active, count, links, offsets, members, lowest)
    return count, _look_ahead(flows, inboxes, active, count, boxes), offsets, members


@compiled
def look_for_filled(inboxes: Inboxes, groups: Groups, boxes: int, sets: int, seconds: float, news: News) -> float:
    """Groups that hold what they wait for so long after the update, and wait no longer.

    Returns:
        The seconds from the update until the next one may.
    """
    news.counts[3] = 0
    groups.level[:sets] = 0.0
    groups.inflow[:sets] = 0.0
    for box in range(boxes):
        group = inboxes.group[box]
        if group >= 0 and groups.threshold[group] < np.inf:
            come = inboxes.inflow[box] * seconds
            groups.level[group] += inboxes.level[box] + min(come, inboxes.coming[box])
            if come < inboxes.coming[box]:
                groups.inflow[group] += inboxes.inflow[box]
    first_s = np.inf
    for group in range(sets):
        missing = groups.threshold[group] - groups.level[group]
        if missing <= 1e-3:
            groups.threshold[group] = np.inf
            news.filled[news.counts[3]] = group
            news.counts[3] += 1
        elif groups.inflow[group] > 0:
            first_s = min(first_s, seconds + missing / groups.inflow[group])
    return first_s
