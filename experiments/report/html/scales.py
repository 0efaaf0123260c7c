"""Axes of the report's charts: ticks at round numbers, and positions in per cent of a chart's width."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from experiments.analysis.estimates import Reduction
from experiments.documents import numerals


@dataclass(frozen=True)
class Axis:
    """A linear axis from `low` to `high`, drawn over the whole width of a chart."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def percent(self, value: float) -> float:
        """Position of a value in per cent of the width, not outside of the chart."""
        return round(100 * min(1.0, max(0.0, (value - self.low) / (self.high - self.low))), 2)

    def labels(self) -> list[tuple[float, str]]:
        """Position and text of every tick."""
        return [(self.percent(tick), numerals.tick(tick)) for tick in self.ticks]


def axis(low: float, high: float, most_ticks: int = 5) -> Axis:
    """An axis that holds both values and ends at round numbers."""
    if high - low <= 1e-9 * max(1.0, abs(low)):
        high = low + max(1.0, abs(low))
    step = _step((high - low) / most_ticks)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return Axis(first * step, last * step, tuple(round(index * step, 10) for index in range(first, last + 1)))


def time_axis(end_s: float) -> Axis:
    """An axis of seconds from the first submission to exactly `end_s`."""
    rounded = axis(0, end_s)
    return Axis(0.0, max(end_s, 1e-9), tuple(tick for tick in rounded.ticks if tick <= end_s) or (0.0,))


def _step(least: float) -> float:
    """The smallest of 1, 2, 5, 10, 20, 50, ... (and their tenths) that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def change_axis(reductions: Iterable[Reduction]) -> Axis:
    """An axis of changes in per cent that holds 0 and all estimates; intervals may go on beyond its ends.

    Those of two runs can be several hundred per cent long, and would leave no room for what they are intervals of.
    """
    shown = list(reductions)
    estimates = [-100 * found.estimate for found in shown]
    ends = [-100 * end for found in shown for end in (found.low, found.high) if end is not None]
    low = min(0.0, *estimates, max(-100.0, min(ends, default=0.0)))
    return axis(low, max(0.0, *estimates, min(100.0, max(ends, default=0.0))))
