"""Rows of flows: how they begin, what sets off, and how they are given up."""

from __future__ import annotations

import numpy as np

from twin.compiling import Floats, Ints, compiled
from twin.congestion import delay
from twin.maxmin import leave
from twin.moving import carry, end
from twin.state import ACTIVE, ANEW, COMPLETE, ENDED, FILLED_S, FIRST_S, LATE, LEVEL, UPDATED_S, Table, opened


@compiled
def begin(
    row: int, first: int, links: Ints, inboxes: Ints, flush: Floats, connects: bool, asked: bool, table: Table
) -> None:
    """Sets up a row of flows, which do not flow yet.

    Args:
        row: The row.
        first: The first of its flows.
        links: That each crosses, shape (flows, hops), -1 behind the last.
        inboxes: Where each ends, or the one where all do.
        flush: Each sets off with so many bytes, or all with as many.
        connects: Whether their connections have yet to be made.
        asked: Whether they are asked for over these connections.
        table: Of the state.
    """
    state = opened(table)
    flows, rows = state.flows, state.rows
    size = len(links)
    for i in range(size):
        flow = first + i
        state.paths[flow, : links.shape[1]] = links[i]
        state.paths[flow, links.shape[1] :] = -1
        flows.inbox[flow] = inboxes[min(i, len(inboxes) - 1)]
        flows.flush[flow] = flush[min(i, len(flush) - 1)]
        flows.row[flow] = row
        flows.waiting[flow] = flows.remaining[flow] = flows.rate[flow] = flows.mark[flow] = 0.0
        flows.flowing[flow] = flows.sought[flow] = flows.ending[flow] = False
    rows.first[row], rows.flows[row], rows.left[row], rows.above[row] = first, size, size, 0
    rows.connects[row], rows.asked[row] = connects, asked


@compiled
def push(now: float, row: int, sizes: Floats, final: bool, table: Table) -> bool:
    """Adds bytes to each flow of a row; those that have enough, or whose last bytes these are, set off.

    What crosses no link arrives at once.

    Args:
        now: Seconds on the clock.
        row: The row.
        sizes: Bytes for each of its flows, or as many for all.
        final: Whether these are the last.
        table: Of the state.

    Returns:
        Whether flows have ended.
    """
    state = opened(table)
    flows, rows, inboxes = state.flows, state.rows, state.inboxes
    state.found[:] = 0
    before = state.counts[LATE]
    for i in range(rows.flows[row]):
        flow = rows.first[row] + i
        flows.waiting[flow] += sizes[min(i, len(sizes) - 1)]
        if state.paths[flow, 0] < 0:
            box = flows.inbox[flow]
            if box >= 0 and flows.waiting[flow] > 0:
                inboxes.level[box] += flows.waiting[flow]
                state.times[FILLED_S] = now - state.times[UPDATED_S]
            flows.waiting[flow] = 0.0
            if final:
                end(flow, now, state)
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
            end(flow, now, state)
    if state.counts[LATE] > before:
        rows.connects[row] = False
        state.times[ANEW] = 1
    return bool(state.found[ENDED] > 0 or state.found[COMPLETE] > 0)


@compiled
def share(produced: int, weights: Ints, pushed: Ints, final: bool) -> Floats:
    """What lanes are to be given now so that each has its part of what is produced, which rounds down until the end.

    Args:
        produced: Bytes so far.
        weights: Of the lanes.
        pushed: What each has been given, which grows by that.
        final: Whether nothing more will be produced.
    """
    whole, lanes = max(1, weights.sum()), len(weights)
    sizes = np.empty(lanes)
    given = 0
    for lane in range(lanes):
        target = produced * weights[lane] // whole
        sizes[lane] = target - pushed[lane]
        pushed[lane] = target
        given += target
    for lane in range(lanes if final else 0):
        if weights[lane] > 0 and given < produced:
            sizes[lane] += 1
            pushed[lane] += 1
            given += 1
    return sizes


@compiled
def watch(now: float, row: int, mark: float, table: Table) -> bool:
    """Marks the flows of a row of which more than `mark` bytes remain; returns whether there are any."""
    state = opened(table)
    flows, rows, times = state.flows, state.rows, state.times
    seconds = now - times[UPDATED_S]
    rows.above[row] = 0
    for i in range(rows.flows[row]):
        flow = rows.first[row] + i
        if flows.flowing[flow] and flows.remaining[flow] - flows.rate[flow] * seconds > mark:
            flows.mark[flow] = mark
            rows.above[row] += 1
    if rows.above[row] == 0:
        return False
    times[FIRST_S] = min(times[FIRST_S], seconds)  # looked at with the next update
    return True


@compiled
def drop(now: float, row: int, table: Table) -> None:
    """Takes the flows of a row off that have not ended; what is on the way is lost."""
    state = opened(table)
    flows, inboxes, active, late, times = state.flows, state.inboxes, state.active, state.late, state.times
    kept, seconds = 0, now - times[UPDATED_S]
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
        carry(flow, moved, state.paths, state.links)
        box = flows.inbox[flow]
        if box >= 0:
            inboxes.level[box] += moved
            inboxes.inflow[box] -= flows.rate[flow]
            inboxes.coming[box] -= flows.remaining[flow]
        if not flows.sought[flow]:
            leave(flow, flows.rate[flow], state.paths, state.links)
            times[LEVEL] = min(times[LEVEL], flows.rate[flow])
        flows.flowing[flow] = flows.sought[flow] = False
    state.counts[ACTIVE] = kept
    times[ANEW] = 1
