"""Max-min fair rates of flows, by progressive filling."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twin.compiling import Bools, Floats, Ints, compiled


class Flows(NamedTuple):
    """An entry a flow.

    Attributes:
        waiting: Bytes that have not set off.
        remaining: Bytes that have and had not arrived at the last update.
        rate: Bytes a second since then.
        flush: It sets off with so many bytes, or with its last ones.
        mark: The row waits until no more than this remains; 0 where it does not.
        starts_at: When it starts, of one that has set off; until then it waits.
        ended_at: When all of it had arrived.
        inbox: Where it ends; -1 where nobody waits for its bytes.
        row: Flows that begin and end together.
        flowing: Whether any remain.
        sought: Whether its rate is to be found, as that of one is which has set off since the last update.
        ending: Whether nothing more will come.
    """

    waiting: Floats
    remaining: Floats
    rate: Floats
    flush: Floats
    mark: Floats
    starts_at: Floats
    ended_at: Floats
    inbox: Ints
    row: Ints
    flowing: Bools
    sought: Bools
    ending: Bools


class Links(NamedTuple):
    """An entry a directed link.

    Attributes:
        capacity: Bytes a second that it carries at most.
        queue: Bytes that wait for it while it is full.
        opposite: The same link in the other direction.
        load: Sum of the rates of the flows that cross it.
        carried: Bytes up to the last update.
        flows: How many cross it and have a rate.
        fresh: How many have set off since the last update; 0 except while rates are found.
        sought: How many cross it whose rates are sought; 0 except while rates are found.
        first: Place of the first of these in a list of the flows that cross each link.
        behind: Place behind the last one.
        key: A heap's keys, ascending from its root.
        link: The links that they belong to.
    """

    capacity: Floats
    queue: Floats
    opposite: Ints
    load: Floats
    carried: Floats
    flows: Ints
    fresh: Ints
    sought: Ints
    first: Ints
    behind: Ints
    key: Floats
    link: Ints


@compiled
def _push_heap(key: Floats, item: Ints, size: int, new_key: float, new_item: int) -> None:
    at = size
    while at > 0:
        parent = (at - 1) >> 1
        if key[parent] <= new_key:
            break
        key[at], item[at] = key[parent], item[parent]
        at = parent
    key[at], item[at] = new_key, new_item


@compiled
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


@compiled
def join(flow: int, paths: Ints, links: Links) -> None:
    """A flow that has set off crosses its links."""
    for hop in range(paths.shape[1]):
        link = paths[flow, hop]
        if link < 0:
            break
        links.flows[link] += 1
        links.fresh[link] += 1


@compiled
def leave(flow: int, rate: float, paths: Ints, links: Links) -> None:
    """A flow that has a rate crosses its links no more."""
    for hop in range(paths.shape[1]):
        link = paths[flow, hop]
        if link < 0:
            break
        links.flows[link] -= 1
        links.load[link] = links.load[link] - rate if links.flows[link] else 0.0


@compiled
def level_of(flow: int, paths: Ints, links: Links) -> float:
    """A rate up to which flows fill as before when those come that have joined: no link of this one is full earlier.

    At a level x it carries at most x for each of its flows, and at most its load with x for each that is fresh.
    """
    level = np.inf
    for hop in range(paths.shape[1]):
        link = paths[flow, hop]
        if link < 0:
            break
        capacity = links.capacity[link]
        level = min(level, max(capacity / links.flows[link], (capacity - links.load[link]) / max(1, links.fresh[link])))
    return level


@compiled
def _seek(flows: Flows, paths: Ints, active: Ints, count: int, links: Links, level: float) -> tuple[int, Ints]:
    """Takes the rates of flows back that have at least this.

    Returns:
        How many links such flows cross, which are the first of `links.link`, and for all of them the flows.
    """
    hops = paths.shape[1]
    seeking = np.empty(count, np.int64)
    size = members = crossed = 0
    for i in range(count):
        flow = active[i]
        if not flows.sought[flow] and flows.rate[flow] < level:
            continue
        seeking[size] = flow
        size += 1
        flows.sought[flow] = True
        for hop in range(hops):
            link = paths[flow, hop]
            if link < 0:
                break
            if links.sought[link] == 0:
                links.link[crossed] = link
                links.fresh[link] = 0
                crossed += 1
            links.sought[link] += 1
            links.load[link] -= flows.rate[flow]
        flows.rate[flow] = 0.0
    for i in range(crossed):
        link = links.link[i]
        links.first[link] = links.behind[link] = members
        members += links.sought[link]
        if links.sought[link] == links.flows[link]:
            links.load[link] = 0.0
    crossing = np.empty(members, np.int64)
    for i in range(size):
        for hop in range(hops):
            link = paths[seeking[i], hop]
            if link < 0:
                break
            crossing[links.behind[link]] = seeking[i]
            links.behind[link] += 1
    return crossed, crossing


@compiled
def _fix(flow: int, rate: float, flows: Flows, paths: Ints, links: Links) -> None:
    """A flow has its rate."""
    flows.sought[flow] = False
    flows.rate[flow] = rate
    for hop in range(paths.shape[1]):
        link = paths[flow, hop]
        if link < 0:
            break
        links.load[link] += rate
        links.sought[link] -= 1


@compiled
def share_out(flows: Flows, paths: Ints, active: Ints, count: int, links: Links, level: float) -> None:
    """Max-min fair rates (Bertsekas and Gallager, Data Networks, 6.5.2) of the active flows, by progressive filling.

    The link with the least for each of its flows is full first, and these flows grow no further. What a link has for
    each only grows while others are filled, so that an outdated key of the heap is put back where it belongs.

    Flows whose rates are lower than a level keep them: filling would reach that level as before. When flows have left,
    it is the lowest of their rates; when some have come, that of `level_of`; with 0 all are filled anew.
    """
    size, crossing = _seek(flows, paths, active, count, links, level * (1 - 1e-9))
    for i in range(size):
        link = links.link[i]
        _push_heap(links.key, links.link, i, (links.capacity[link] - links.load[link]) / links.sought[link], link)
    while size > 0:
        key, link = links.key[0], links.link[0]
        size = _pop_heap(links.key, links.link, size)
        if links.sought[link] == 0:
            continue
        share = max((links.capacity[link] - links.load[link]) / links.sought[link], 0.0)
        if share > key * (1 + 1e-12):
            _push_heap(links.key, links.link, size, share, link)
            size += 1
            continue
        for at in range(links.first[link], links.behind[link]):
            if flows.sought[crossing[at]]:
                _fix(crossing[at], share, flows, paths, links)
