"""What flows move between two updates, and who is to be told of it."""

from __future__ import annotations

import numpy as np

from twin.compiling import Floats, Ints, compiled
from twin.congestion import delay
from twin.maxmin import Links, join, leave, level_of, share_out
from twin.state import ACTIVE, COMPLETE, ENDED, FILLED, LATE, RELIEVED, State

EMPTY_BYTES = 1e-6
"""No more than rounding leaves of a flow that has ended."""


@compiled
def _end(flow: int, now: float, state: State) -> None:
    flows, rows, inboxes, news = state.flows, state.rows, state.inboxes, state.news
    flows.ended_at[flow] = now
    row, box = flows.row[flow], flows.inbox[flow]
    rows.left[row] -= 1
    if rows.left[row] == 0:
        news.ended[state.found[ENDED]] = row
        state.found[ENDED] += 1
    if box >= 0:
        inboxes.left[box] -= 1
        if inboxes.left[box] == 0:
            news.complete[state.found[COMPLETE]] = box
            state.found[COMPLETE] += 1


@compiled
def push(now: float, row: int, sizes: Floats, final: bool, state: State) -> bool:
    """Adds bytes to each flow of a row; those that have enough, or whose last bytes these are, set off.

    Args:
        now: Seconds on the clock.
        row: The row.
        sizes: Bytes for each of its flows.
        final: Whether these are the last.
        state: Where they are.

    Returns:
        Whether bytes have arrived, as those do at once that cross no link.
    """
    flows, rows, inboxes = state.flows, state.rows, state.inboxes
    state.found[:] = 0
    arrived, before = False, state.counts[LATE]
    for i in range(rows.flows[row]):
        flow = rows.first[row] + i
        flows.waiting[flow] += sizes[i]
        if state.paths[flow, 0] < 0:
            box = flows.inbox[flow]
            if box >= 0 and flows.waiting[flow] > 0:
                inboxes.level[box] += flows.waiting[flow]
                arrived = True
            flows.waiting[flow] = 0.0
            if final:
                _end(flow, now, state)
            continue
        flows.ending[flow] = final
        if flows.waiting[flow] > 0 and (final or flows.flowing[flow] or flows.waiting[flow] >= flows.flush[flow]):
            flows.remaining[flow] += flows.waiting[flow]
            flows.waiting[flow] = 0.0
            if not flows.flowing[flow]:
                flows.flowing[flow] = flows.sought[flow] = True
                flows.rate[flow] = 0.0
                flows.starts_at[flow] = now + delay(flow, rows.connects[row], rows.asked[row], state)
                state.late[state.counts[LATE]] = flow
                state.counts[LATE] += 1
        elif final and not flows.flowing[flow]:
            _end(flow, now, state)
    rows.connects[row] = rows.connects[row] and state.counts[LATE] == before
    return arrived


@compiled
def watch(row: int, mark: float, seconds: float, state: State) -> int:
    """Marks the flows of a row of which more than `mark` bytes remain so long after the update; returns how many."""
    flows, rows = state.flows, state.rows
    rows.above[row] = 0
    for i in range(rows.flows[row]):
        flow = rows.first[row] + i
        if flows.flowing[flow] and flows.remaining[flow] - flows.rate[flow] * seconds > mark:
            flows.mark[flow] = mark
            rows.above[row] += 1
    return int(rows.above[row])


@compiled
def _carry(flow: int, size: float, paths: Ints, links: Links) -> None:
    """So many bytes have crossed the links of a flow, besides what their loads say."""
    for hop in range(paths.shape[1]):
        link = paths[flow, hop]
        if link < 0:
            break
        links.carried[link] += size


@compiled
def drop(row: int, seconds: float, state: State) -> float:
    """Takes the flows of a row off, so long after the update.

    Returns:
        The lowest rate of one that stopped; inf when none did.
    """
    flows, inboxes, active, late = state.flows, state.inboxes, state.active, state.late
    kept, lowest = 0, np.inf
    for i in range(state.counts[LATE]):
        if flows.row[late[i]] != row:
            late[kept] = late[i]
            kept += 1
        else:
            flows.flowing[late[i]] = flows.sought[late[i]] = False
    state.counts[LATE] = kept
    kept = 0
    for i in range(state.counts[ACTIVE]):
        flow = active[i]
        if flows.row[flow] != row:
            active[kept] = flow
            kept += 1
            continue
        moved = min(flows.rate[flow] * seconds, flows.remaining[flow])
        _carry(flow, moved, state.paths, state.links)
        box = flows.inbox[flow]
        if box >= 0:
            inboxes.level[box] += moved
            inboxes.inflow[box] -= flows.rate[flow]
            inboxes.coming[box] -= flows.remaining[flow]
        if not flows.sought[flow]:
            leave(flow, flows.rate[flow], state.paths, state.links)
            lowest = min(lowest, flows.rate[flow])
        flows.flowing[flow] = flows.sought[flow] = False
    state.counts[ACTIVE] = kept
    return lowest


@compiled
def lift(state: State) -> None:
    """Takes all flows off their links, before they cross others: they will set off anew with the next update."""
    state.links.load[:] = 0.0
    state.links.flows[:] = 0
    for i in range(state.counts[ACTIVE]):
        state.flows.sought[state.active[i]] = True
        state.flows.rate[state.active[i]] = 0.0


@compiled
def _start(until: float, state: State) -> None:
    """Flows that have set off become active when it is time."""
    flows, late, kept = state.flows, state.late, 0
    for i in range(state.counts[LATE]):
        if flows.starts_at[late[i]] <= until:
            state.active[state.counts[ACTIVE]] = late[i]
            state.counts[ACTIVE] += 1
        else:
            late[kept] = late[i]
            kept += 1
    state.counts[LATE] = kept


@compiled
def _sink_below_mark(flow: int, state: State) -> None:
    """No more of a flow than its mark remains."""
    rows, news = state.rows, state.news
    state.flows.mark[flow] = 0.0
    row = state.flows.row[flow]
    rows.above[row] -= 1
    if rows.above[row] == 0:
        news.relieved[state.found[RELIEVED]] = row
        state.found[RELIEVED] += 1


@compiled
def _move(now: float, seconds: float, slack_s: float, state: State) -> float:
    """Moves all flows for so long, and ends those that would end within `slack_s` after it.

    Returns:
        The lowest rate of one that stopped; inf when none did.
    """
    flows, links, active = state.flows, state.links, state.active
    for link in range(len(links.load)):
        links.carried[link] += links.load[link] * seconds
    kept, lowest = 0, np.inf
    for i in range(state.counts[ACTIVE]):
        flow = active[i]
        rate = flows.rate[flow]
        moved = rate * seconds
        left = flows.remaining[flow] - moved
        if rate > 0 and left <= rate * slack_s + EMPTY_BYTES:
            _carry(flow, left, state.paths, links)
            moved, left = flows.remaining[flow], 0.0
        flows.remaining[flow] = left
        if flows.inbox[flow] >= 0:
            state.inboxes.level[flows.inbox[flow]] += moved
        if flows.mark[flow] > 0 and left <= flows.mark[flow] + rate * slack_s:
            _sink_below_mark(flow, state)
        if left <= 0 and flows.waiting[flow] > 0 and (flows.ending[flow] or flows.waiting[flow] >= flows.flush[flow]):
            left = flows.remaining[flow] = flows.waiting[flow]
            flows.waiting[flow] = 0.0
        if left > 0:
            active[kept] = flow
            kept += 1
            continue
        flows.flowing[flow] = False
        leave(flow, rate, state.paths, links)
        lowest = min(lowest, rate)
        if flows.ending[flow]:
            _end(flow, now, state)
    state.counts[ACTIVE] = kept
    return lowest


@compiled
def _look_ahead(now: float, boxes: int, state: State) -> float:
    """Sums up what flows into inboxes; returns the seconds until a flow has ended, starts, or is down to its mark."""
    flows, inboxes = state.flows, state.inboxes
    inboxes.inflow[:boxes] = 0.0
    inboxes.coming[:boxes] = 0.0
    first_s = np.inf
    for i in range(state.counts[LATE]):
        first_s = min(first_s, flows.starts_at[state.late[i]] - now)
    for i in range(state.counts[ACTIVE]):
        flow = state.active[i]
        rate = flows.rate[flow]
        if rate > 0:
            first_s = min(first_s, max(0.0, flows.remaining[flow] - flows.mark[flow]) / rate)
            box = flows.inbox[flow]
            if box >= 0:
                inboxes.inflow[box] += rate
                inboxes.coming[box] += flows.remaining[flow]
    return first_s


@compiled
def is_filled(missing: float, inflow: float, slack_s: float, size: float) -> bool:
    """Whether no more than rounding is missing, or no more than half, which comes within `slack_s`."""
    return missing <= max(1e-3, min(inflow * slack_s, size / 2))


@compiled
def look_for_filled(boxes: int, sets: int, seconds: float, slack_s: float, state: State) -> float:
    """Groups that hold what they wait for so long after the update, or would within `slack_s`; they wait no longer.

    Returns:
        The seconds from the update until the next one may.
    """
    inboxes, groups, news = state.inboxes, state.groups, state.news
    state.found[FILLED] = 0
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
        if is_filled(missing, groups.inflow[group], slack_s, groups.threshold[group]):
            groups.threshold[group] = np.inf
            news.filled[state.found[FILLED]] = group
            state.found[FILLED] += 1
        elif groups.inflow[group] > 0:
            first_s = min(first_s, seconds + missing / groups.inflow[group])
    return first_s


@compiled
def update(
    now: float, seconds: float, slack_s: float, level: float, boxes: int, sets: int, state: State
) -> tuple[float, float]:
    """Moves everything for so long, ends what is done, and finds the new rates.

    Args:
        now: Seconds on the clock.
        seconds: Since the last update.
        slack_s: What would end within so long ends now.
        level: Rates from it on are to be found anew: the lowest one of flows that have been dropped.
        boxes: Inboxes that there have been.
        sets: Groups that there have been.
        state: What there is.

    Returns:
        The seconds until the next flow starts or has ended, and until the next group may hold what it waits for.
    """
    flows, links, active = state.flows, state.links, state.active
    state.found[:] = 0
    level = min(level, _move(now, seconds, slack_s, state))
    _start(now + slack_s, state)
    count = state.counts[ACTIVE]
    for i in range(count):
        if flows.sought[active[i]]:
            join(active[i], state.paths, links)
    for i in range(count):
        if flows.sought[active[i]]:
            level = min(level, level_of(active[i], state.paths, links))
    if level < np.inf:
        share_out(flows, state.paths, active, count, links, level)
    return _look_ahead(now, boxes, state), look_for_filled(boxes, sets, 0.0, slack_s, state)
