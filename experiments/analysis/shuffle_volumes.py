"""Which factor on a job's shuffle volume gives the reduction that was published: a calibration, pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from experiments.analysis.estimates import Reduction

Reach = Literal["within", "below", "above"]


@dataclass(frozen=True)
class FittedFactor:
    """The factor whose reduction is nearest to the published one.

    Attributes:
        factor: on what the job repartitions and broadcasts.
        expected: reduction at that factor, by the measurements made monotone.
        published: reduction to hit.
        reach: whether the published reduction lies within what the factors reach, or below or above all of it; then the
            factor is the one at that end.
        agreeing: measured factors whose 95 % interval contains the published reduction, ascending.
    """

    factor: float
    expected: float
    published: float
    reach: Reach
    agreeing: tuple[float, ...]


def fit(measured: Mapping[float, Reduction], published: float) -> FittedFactor:
    """Find the factor for a published reduction.

    More to shuffle makes placement matter more, so the measured reductions are first made monotone in the factor by
    least squares; between two factors the reduction is taken to be linear in the factor's logarithm. Where several
    factors give the published reduction, the smallest is taken.

    Args:
        measured: mean paired reduction by factor.
        published: share of the baseline's time.

    Raises:
        ValueError: no measurement, or a factor that is not above 0.
    """
    if not measured:
        raise ValueError("measured: no factor; run the sweep first")
    factors = sorted(measured)
    if factors[0] <= 0:
        raise ValueError(f"measured: factor {factors[0]:g}; a factor is above 0")
    rising = _monotone([measured[factor].estimate for factor in factors])
    factor, reach = _crossing(factors, rising, published)
    return FittedFactor(
        factor=factor,
        expected=min(max(published, rising[0]), rising[-1]),
        published=published,
        reach=reach,
        agreeing=tuple(factor for factor in factors if _contains(measured[factor], published)),
    )


def _monotone(values: Sequence[float]) -> list[float]:
    """The non-decreasing values nearest to these by least squares (pool adjacent violators)."""
    pools: list[tuple[float, int]] = []
    for value in values:
        mean, count = value, 1
        while pools and pools[-1][0] > mean:
            before, members = pools.pop()
            mean, count = (before * members + mean * count) / (members + count), members + count
        pools.append((mean, count))
    return [mean for mean, count in pools for _ in range(count)]


def _crossing(factors: Sequence[float], rising: Sequence[float], published: float) -> tuple[float, Reach]:
    """The smallest factor at which the reduction is the published one, or the end that is nearer to it."""
    if published < rising[0]:
        return factors[0], "below"
    if published > rising[-1]:
        return next(f for f, value in zip(factors, rising, strict=True) if value == rising[-1]), "above"
    for (low, low_value), (high, high_value) in pairwise(zip(factors, rising, strict=True)):
        if low_value <= published <= high_value:
            share = (published - low_value) / (high_value - low_value) if high_value > low_value else 0.0
            return math.exp(math.log(low) + share * (math.log(high) - math.log(low))), "within"
    return factors[0], "within"  # one factor, and it hits


def _contains(reduction: Reduction, value: float) -> bool:
    return reduction.low is not None and reduction.high is not None and reduction.low <= value <= reduction.high
