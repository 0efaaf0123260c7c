"""What flows move between two updates, and who is to be told of it."""

from __future__ import annotations

import numpy as np

from twin.compiling import Ints, compiled
from twin.filling import look_for_filled
from twin.maxmin import Links, join, leave, level_of, share_out
from twin.state import (
    ACTIVE,
    ANEW,
    COMPLETE,
    ENDED,
    FILLED,
    FILLED_S,
    FIRST_S,
    INBOXES,
    INTERVAL_S,
    LATE,
    LEVEL,
    RELIEVED,
    SLACK_S,
    UPDATED_S,
    UPDATES,
    State,
    Table,
    opened,
)

EMPTY_BYTES = 1e-6
"""No more than rounding leaves of a flow that has ended."""


@compiled
def end(flow: int, now: float, state: State) -> None:
    """All of a flow has arrived, and nothing more will come."""
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
def carry(flow: int, size: float, paths: Ints, links: Links) -> None:
    """So many bytes have crossed the links of a flow, besides what their loads say."""
    for hop in range(paths.shape[1]):
        link = paths[flow, hop]
        if link < 0:
            break
        links.carried[link] += size


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
def _move(now: float, seconds: float, slack_s: float, state: State) -> None:
    """Moves all flows for so long, and ends those that would end within `slack_s` after it."""
    flows, links, active = state.flows, state.links, state.active
    for link in range(len(links.load)):
        links.carried[link] += links.load[link] * seconds
    kept, lowest = 0, state.times[LEVEL]
    for i in range(state.counts[ACTIVE]):
        flow = active[i]
        rate = flows.rate[flow]
        moved = rate * seconds
        left = flows.remaining[flow] - moved
        if rate > 0 and left <= rate * slack_s + EMPTY_BYTES:
            carry(flow, left, state.paths, links)
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
            end(flow, now, state)
    state.counts[ACTIVE] = kept
    state.times[LEVEL] = lowest


@compiled
def _look_ahead(now: float, state: State) -> None:
    """Sums up what flows into inboxes, and finds when a flow has ended, starts, or is down to its mark."""
    flows, inboxes, boxes = state.flows, state.inboxes, state.counts[INBOXES]
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
    state.times[FIRST_S] = first_s


@compiled
def _share(state: State) -> None:
    """New rates for those flows whose rates may be others now."""
    flows, links, active = state.flows, state.links, state.active
    count, level = state.counts[ACTIVE], state.times[LEVEL]
    for i in range(count):
        if flows.sought[active[i]]:
            join(active[i], state.paths, links)
    for i in range(count):
        if flows.sought[active[i]]:
            level = min(level, level_of(active[i], state.paths, links))
    if level < np.inf:
        share_out(flows, state.paths, active, count, links, level)


@compiled
def _update(now: float, interval_s: float, state: State) -> None:
    """Moves everything, ends what is done or will be within half an interval, and finds the new rates."""
    times = state.times
    seconds = now - times[UPDATED_S]
    times[UPDATED_S], times[SLACK_S] = now, interval_s / 2
    _move(now, seconds, interval_s / 2, state)
    _start(now + interval_s / 2, state)
    _share(state)
    times[LEVEL], times[ANEW] = np.inf, 0
    state.counts[UPDATES] += 1
    _look_ahead(now, state)
    look_for_filled(0.0, state)


@compiled
def update(now: float, table: Table) -> None:
    """Brings everything up to the present."""
    state = opened(table)
    state.found[:] = 0
    _update(now, 0.0, state)


@compiled
def settle(now: float, table: Table) -> float:
    """Does what is due, and what that makes due, until there is news.

    Returns:
        When the next is due; now if there is news.
    """
    state = opened(table)
    times, found = state.times, state.found
    found[:] = 0
    while True:
        interval_s = times[INTERVAL_S] * np.sqrt(max(1, state.counts[ACTIVE]))
        due = times[UPDATED_S] + (interval_s if times[ANEW] > 0 else max(interval_s, times[FIRST_S]))
        filled = times[UPDATED_S] + times[FILLED_S]
        if due <= now:
            _update(now, interval_s, state)
        elif filled <= now:
            look_for_filled(now - times[UPDATED_S], state)
        else:
            return float(max(min(due, filled), np.nextafter(now, np.inf)))
        if found[ENDED] > 0 or found[COMPLETE] > 0 or found[RELIEVED] > 0 or found[FILLED] > 0:
            return now


@compiled
def lift(table: Table) -> None:
    """Takes all flows off their links, before they cross others: they set off anew with the next update."""
    state = opened(table)
    state.links.load[:] = 0.0
    state.links.flows[:] = 0
    for i in range(state.counts[ACTIVE]):
        state.flows.sought[state.active[i]] = True
        state.flows.rate[state.active[i]] = 0.0
