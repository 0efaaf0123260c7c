"""Inboxes and what their tasks wait for, between two updates."""

from __future__ import annotations

import numpy as np

from twin.compiling import Ints, compiled
from twin.state import FILLED, FILLED_S, GROUPS, INBOXES, SLACK_S, UPDATED_S, State, Table, opened


@compiled
def level(now: float, box: int, table: Table) -> float:
    """Bytes in an inbox."""
    state = opened(table)
    inboxes, seconds = state.inboxes, now - state.times[UPDATED_S]
    return float(inboxes.level[box] + min(inboxes.inflow[box] * seconds, inboxes.coming[box]))


@compiled
def _is_filled(missing: float, inflow: float, slack_s: float, size: float) -> bool:
    """Whether no more than rounding is missing, or no more than half, which comes within `slack_s`."""
    return missing <= max(1e-3, min(inflow * slack_s, size / 2))


@compiled
def expect(now: float, group: int, boxes: Ints, size: float, table: Table) -> bool:
    """A group of inboxes waits from now on until together they hold so much, unless they do, which is returned.

    Args:
        now: Seconds on the clock.
        group: The group.
        boxes: Its inboxes.
        size: Bytes.
        table: Of the state.
    """
    state = opened(table)
    inboxes, times = state.inboxes, state.times
    seconds = now - times[UPDATED_S]
    come = inflow = 0.0
    for box in boxes:
        moved = inboxes.inflow[box] * seconds
        come += inboxes.level[box] + min(moved, inboxes.coming[box])
        inflow += inboxes.inflow[box] if moved < inboxes.coming[box] else 0.0
    missing = size - come
    if _is_filled(missing, inflow, times[SLACK_S], size):
        return True
    state.groups.threshold[group] = size
    if inflow > 0:
        times[FILLED_S] = min(times[FILLED_S], seconds + missing / inflow)
    return False


@compiled
def look_for_filled(seconds: float, state: State) -> None:
    """Groups that hold what they wait for so long after the update, or would soon, are news, and wait no longer."""
    inboxes, groups, news = state.inboxes, state.groups, state.news
    boxes, sets = state.counts[INBOXES], state.counts[GROUPS]
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
        if _is_filled(missing, groups.inflow[group], state.times[SLACK_S], groups.threshold[group]):
            groups.threshold[group] = np.inf
            news.filled[state.found[FILLED]] = group
            state.found[FILLED] += 1
        elif groups.inflow[group] > 0:
            first_s = min(first_s, seconds + missing / groups.inflow[group])
    state.times[FILLED_S] = first_s
