"""Medians, spreads and intervals of a few repeated measurements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
RESAMPLES = 10_000
_QUARTILES_FROM = 8

_NORMAL_QUANTILE = 1.959964
_STUDENT_QUANTILES = (
    *(12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281),
    *(2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860),
    *(2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423),
)
"""Student's t at 0.975 for 1 to 30 degrees of freedom."""

Outcome = Literal["less", "more", "no difference shown"]


@dataclass(frozen=True)
class Spread:
    """Median of some values, and how far they lie apart: the range of up to 7, the quartiles of more."""

    median: float
    low: float
    high: float
    count: int
    kind: Literal["range", "quartiles"]


def spread(values: Sequence[float]) -> Spread | None:
    """Median and spread; None of no values."""
    if not values:
        return None
    if len(values) < _QUARTILES_FROM:
        return Spread(float(np.median(values)), min(values), max(values), len(values), "range")
    low, median, high = np.percentile(values, [25, 50, 75])
    return Spread(float(median), float(low), float(high), len(values), "quartiles")


def mean_interval(values: Sequence[float], rng: np.random.Generator) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of two or more values.

    The percentile interval of resampled means is too narrow for few values, because resampling underestimates their
    variance by (n - 1) / n and takes it for known. Its two halves are therefore widened by
    `sqrt(n / (n - 1)) * t(0.975, n - 1) / z(0.975)`, which makes it Student's interval when the values are normal. Two
    values have only three resampled means, and get Student's interval itself.

    Raises:
        ValueError: fewer than two values.
    """
    count = len(values)
    if count < 2:
        raise ValueError(f"values: {count} given; an interval needs at least 2")
    student = _STUDENT_QUANTILES[count - 2] if count - 2 < len(_STUDENT_QUANTILES) else _NORMAL_QUANTILE
    if count == 2:
        middle, half = sum(values) / 2, student * abs(values[0] - values[1]) / 2
        return middle - half, middle + half
    sample: npt.NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    means = rng.choice(sample, size=(RESAMPLES, count)).mean(axis=1)
    low, high = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    widening = math.sqrt(count / (count - 1)) * student / _NORMAL_QUANTILE
    mean = float(sample.mean())
    return mean - (mean - float(low)) * widening, mean + (float(high) - mean) * widening


@dataclass(frozen=True)
class Reduction:
    """By which share of the baseline a time is shorter: the mean over paired runs; below 0 it is longer.

    `low` and `high` are the 95 % interval, None of a single pair. As no time is below 0, no reduction is above 1, and
    an interval that would reach further ends there.
    """

    estimate: float
    low: float | None
    high: float | None
    pairs: int

    def contains(self, value: float) -> bool | None:
        """Whether a value lies in the interval; None when there is none."""
        if self.low is None or self.high is None:
            return None
        return self.low <= value <= self.high

    @property
    def outcome(self) -> Outcome:
        """What the runs show; a single pair shows no difference, whatever its size."""
        if self.low is None or self.high is None or self.low <= 0 <= self.high:
            return "no difference shown"
        return "less" if self.low > 0 else "more"


def reduction(baseline: Sequence[float], treated: Sequence[float], seed: int = 0) -> Reduction | None:
    """Reduction of paired times, `1 - treated / baseline` pair by pair; None of no pairs.

    The resampling starts from `seed`, so that the same times give the same interval.

    Raises:
        ValueError: the lengths differ, or a baseline is not above 0.
    """
    if len(baseline) != len(treated):
        raise ValueError(f"treated: {len(treated)} values for {len(baseline)} of the baseline; give pairs")
    if any(value <= 0 for value in baseline):
        raise ValueError(f"baseline: {min(baseline)}; a time is above 0")
    shares = [1 - after / before for before, after in zip(baseline, treated, strict=True)]
    if not shares:
        return None
    mean = sum(shares) / len(shares)
    if len(shares) == 1:
        return Reduction(mean, None, None, 1)
    low, high = mean_interval(shares, np.random.default_rng(seed))
    return Reduction(mean, low, min(high, 1.0), len(shares))
