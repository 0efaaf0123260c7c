"""Max-min fair rates of flows, by progressive filling."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from twin.compiling import Bools, Floats, Ints, compiled


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


@compiled
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


@compiled
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
