"""The loops of the fluid, over arrays: max-min fair rates, what flows move, and who is to be told of it.

Numba compiles them where it is installed, and keeps what it compiled; plain Python runs the same functions with the
same results. A function that others call stands before them.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

COMPILED = importlib.util.find_spec("numba") is not None

EMPTY_BYTES = 1e-6
"""No more than rounding leaves of a flow that has ended."""

F = TypeVar("F", bound=Callable[..., Any])


def _compiled(function: F) -> F:
    if not COMPILED:
        return function
    import numba

    compiled: Any = numba.njit(cache=True)(function)
    return compiled  # type: ignore[no-any-return]


class Flows(NamedTuple):
    """An entry a flow, all of shape (flows,) but for `links`.

    Attributes:
        links: Directed links that it crosses, shape (flows, hops); -1 behind the last one.
        waiting: Bytes that have not set off.
        remaining: Bytes that have and had not arrived at the last update.
        rate: Bytes a second since then; -1 while it is sought.
        flush: It sets off with so many bytes, or with its last ones.
        mark: The row waits until no more than this remains; 0 where it does not.
        ended_at: When all of it had arrived.
        inbox: Where it ends; -1 where nobody waits for its bytes.
        row: Flows that begin and end together.
        flowing: Whether any remain.
        ending: Whether nothing more will come.
    """

    links: Ints
    waiting: Floats
    remaining: Floats
    rate: Floats
    flush: Floats
    mark: Floats
    ended_at: Floats
    inbox: Ints
    row: Ints
    flowing: Bools
    ending: Bools

    @classmethod
    def sized(cls, size: int, hops: int) -> Flows:
        """With room for so many."""
        return cls(
            np.full((size, hops), -1, np.int64),
            np.zeros(size),
            np.zeros(size),
            np.zeros(size),
            np.zeros(size),
            np.zeros(size),
            np.zeros(size),
            np.zeros(size, np.int64),
            np.zeros(size, np.int64),
            np.zeros(size, np.bool_),
            np.zeros(size, np.bool_),
        )


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


class Links(NamedTuple):
    """An entry a directed link: capacity in bytes a second, what is free of it, bytes carried up to the last update,
    flows whose rate is sought; and a heap.

    Attributes:
        key: The heap's keys, ascending from its root.
        item: The links that they belong to.
    """

    capacity: Floats
    free: Floats
    carried: Floats
    sought: Ints
    key: Floats
    item: Ints

    @classmethod
    def of(cls, capacity: Floats) -> Links:
        """Idle links of these capacities."""
        size = len(capacity)
        whole = np.zeros(size, np.int64)
        return cls(capacity, capacity.copy(), np.zeros(size), whole, np.zeros(size), whole.copy())


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


@_compiled
def _push_heap(key: Floats, item: Ints, size: int, new_key: float, new_item: int) -> None:
    at = size
    while at > 0:
        parent = (at - 1) >> 1
        if key[parent] <= new_key:
            break
        key[at], item[at] = key[parent], item[parent]
        at = parent
    key[at], item[at] = new_key, new_item


@_compiled
def _pop_heap(key: Floats, item: Ints, size: int) -> int:
    """Removes the root; returns how many are left."""
    size -= 1
    if size > 0:
        last_key, last_item = key[size], item[size]
        at = 0
        while 2 * at + 1 < size:
            child = 2 * at + 1
            if child + 1 < size and key[child + 1] < key[child]:
                child += 1
            if key[child] >= last_key:
                break
            key[at], item[at] = key[child], item[child]
            at = child
        key[at], item[at] = last_key, last_item
    return size


@_compiled
def members_of(flows: Flows, active: Ints, count: int, links: int) -> tuple[Ints, Ints]:
    """Which flows cross each link: link n is crossed by those from the n-th offset up to the next."""
    hops = flows.links.shape[1]
    offsets = np.zeros(links + 1, np.int64)
    for i in range(count):
        for hop in range(hops):
            link = flows.links[active[i], hop]
            if link < 0:
                break
            offsets[link + 1] += 1
    for link in range(links):
        offsets[link + 1] += offsets[link]
    place = offsets[:links].copy()
    members = np.empty(offsets[links], np.int64)
    for i in range(count):
        for hop in range(hops):
            link = flows.links[active[i], hop]
            if link < 0:
                break
            members[place[link]] = active[i]
            place[link] += 1
    return offsets, members


@_compiled
def _fill(flows: Flows, links: Links, offsets: Ints, members: Ints) -> None:
    """Progressive filling of the flows whose rates are sought, with what the others leave free.

    The link with the least for each of its flows is full first, and these flows grow no further. What a link has for
    each only grows while others are filled, so that an outdated key of the heap is put back where it belongs.
    """
    hops = flows.links.shape[1]
    size = 0
    for link in range(links.capacity.shape[0]):
        if links.sought[link] > 0:
            _push_heap(links.key, links.item, size, links.free[link] / links.sought[link], link)
            size += 1
    while size > 0:
        key, link = links.key[0], links.item[0]
        size = _pop_heap(links.key, links.item, size)
        if links.sought[link] == 0:
            continue
        share = max(links.free[link] / links.sought[link], 0.0)
        if share > key * (1 + 1e-12):
            _push_heap(links.key, links.item, size, share, link)
            size += 1
            continue
        for at in range(offsets[link], offsets[link + 1]):
            flow = members[at]
            if flows.flowing[flow] and flows.rate[flow] < 0:
                flows.rate[flow] = share
                for hop in range(hops):
                    crossed = flows.links[flow, hop]
                    if crossed < 0:
                        break
                    links.free[crossed] -= share
                    links.sought[crossed] -= 1


@_compiled
def share_out(
    flows: Flows, active: Ints, count: int, links: Links, offsets: Ints, members: Ints, lowest: float
) -> None:
    """Max-min fair rates (Bertsekas and Gallager, Data Networks, 6.5.2) of the active flows.

    When flows have left and none has come, those that were filled before the lowest of the rates that left keep theirs:
    filling would reach that level as before. `lowest` is that rate; all are filled anew with 0.
    """
    hops = flows.links.shape[1]
    if lowest <= 0:
        links.free[:] = links.capacity
        links.sought[:] = 0
    for i in range(count):
        flow = active[i]
        if lowest > 0 and flows.rate[flow] < lowest * (1 - 1e-9):
            continue
        for hop in range(hops):
            link = flows.links[flow, hop]
            if link < 0:
                break
            links.sought[link] += 1
            if lowest > 0:
                links.free[link] += flows.rate[flow]
        flows.rate[flow] = -1.0
    _fill(flows, links, offsets, members)


@_compiled
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


@_compiled
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


@_compiled
def watch(row: int, mark: float, seconds: float, flows: Flows, rows: Rows) -> int:
    """Marks the flows of a row of which more than `mark` bytes remain so long after the update; returns how many."""
    rows.above[row] = 0
    for i in range(rows.size[row]):
        flow = rows.base[row] + i
        if flows.flowing[flow] and flows.remaining[flow] - flows.rate[flow] * seconds > mark:
            flows.mark[flow] = mark
            rows.above[row] += 1
    return int(rows.above[row])


@_compiled
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
        for hop in range(hops):
            link = flows.links[flow, hop]
            if link < 0:
                break
            links.carried[link] += moved
        box = flows.inbox[flow]
        if box >= 0:
            inboxes.level[box] += moved
        if flows.mark[flow] > 0 and left <= flows.mark[flow] + rate * slack_s:
            flows.mark[flow] = 0.0
            row = flows.row[flow]
            rows.above[row] -= 1
            if rows.above[row] == 0:
                news.relieved[news.counts[2]] = row
                news.counts[2] += 1
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


@_compiled
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


@_compiled
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


@_compiled
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


@_compiled
def walk(
    links: Ints,
    first: Ints,
    edge: int,
    edges: Ints,
    last: Ints,
    offsets: Ints,
    switches: int,
    ways: Ints,
    beyond: Ints,
    draws: Floats,
) -> None:
    """Ways from one host to several: at every switch one of those on a shortest path, each as likely.

    Args:
        links: To fill with the links of each way, shape (ways, hops), -1 behind the last.
        first: Links before the first switch.
        edge: The first switch.
        edges: The last switch of each way.
        last: The link behind it; -1 where the destination is the source itself, and the way has no links.
        offsets: The choices at switch s towards switch e are those from offsets[s * switches + e] up to the next.
        switches: How many there are.
        ways: The link of each choice.
        beyond: The switch behind it.
        draws: From 0 to 1, one for each hop of each way, shape (ways, hops).
    """
    for i in range(edges.shape[0]):
        links[i, :] = -1
        if last[i] < 0:
            continue
        hop, here = first.shape[0], edge
        links[i, :hop] = first
        while here != edges[i]:
            pair = here * switches + edges[i]
            choices = offsets[pair + 1] - offsets[pair]
            if choices == 0:
                break
            way = offsets[pair] + int(draws[i, hop] * choices)
            links[i, hop] = ways[way]
            here = beyond[way]
            hop += 1
        links[i, hop] = last[i]
