"""Which factor on a job's shuffle volume gives the reduction that was published: a calibration."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from experiments.analysis import comparison
from experiments.analysis.estimates import Reduction
from experiments.analysis.likeness import origins, refuse
from experiments.records.record import RecordError
from experiments.records.sweep_folder import SweepFolder
from experiments.specification import sweep_file
from experiments.specification.model import Specification
from experiments.specification.sweep import PublishedReduction, Sweep

Reach = Literal["within", "below", "above"]

PUBLISHED = "table-6.2"
"""The sweep whose published reductions are aimed at."""
CALIBRATED = "table-6.2-calibrated"
"""The sweep that uses the factors."""
_WORKLOAD = "workload.preset"


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
        agreeing=tuple(factor for factor in factors if measured[factor].contains(published)),
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


@dataclass(frozen=True)
class JobFit:
    """The factor that was found for the jobs of one profile, and the reductions it was found from, by factor.

    `fidelity` has how far the runs that they are of are to be trusted, in words.
    """

    profile: str
    measured: Mapping[float, Reduction]
    fitted: FittedFactor
    fidelity: frozenset[str]


def fit_all(folder: SweepFolder, published: Sweep, allow_mixed: bool = False) -> list[JobFit]:
    """The factor of each profile that the sweep has factors for, to hit what was published of the same workload."""
    if not allow_mixed:
        refuse(origins([record for point in folder.points() for record in folder.point(point).records()]))
    measured: dict[tuple[str, str], dict[float, Reduction]] = {}
    fidelity: dict[tuple[str, str], frozenset[str]] = {}
    for point in folder.points():
        workload = _single_factor(point.id, point.specification)
        target = _published(published, workload[0])
        found = comparison.compare(folder.point(point).records(), allow_mixed).networks[0].strategies
        reduction = next((one.reduction for one in found if one.strategy == target.strategy), None)
        if reduction is None:
            raise RecordError(f"{point.id}: no pair of runs finished; finish it with `sweep --resume {folder.path}`")
        preset, profile, factor = workload
        known = measured.setdefault((preset, profile), {})
        if factor in known:
            raise RecordError(f"{point.id}: {profile} has the factor {factor:g} twice; vary nothing but the factors")
        known[factor] = reduction
        words = {one.fidelity for one in found if one.strategy in (target.strategy, found[0].strategy)}
        fidelity[preset, profile] = fidelity.get((preset, profile), frozenset()) | words
    return [
        JobFit(
            profile,
            reductions,
            fit(reductions, _published(published, preset).reduction),
            fidelity[preset, profile],
        )
        for (preset, profile), reductions in measured.items()
    ]


def calibrated(fits: Iterable[JobFit]) -> Sweep:
    """The sweep with the factors that were found, to three digits; 1, as measured on Spark, where none was."""
    factors = {one.profile: float(f"{one.fitted.factor:.3g}") for one in fits}
    sweep = sweep_file.load(CALIBRATED)
    measured = dict.fromkeys(sweep.set["workload.shuffle_factors"], 1.0)
    return sweep.model_copy(update={"set": {**sweep.set, "workload.shuffle_factors": {**measured, **factors}}})


def _single_factor(point_id: str, specification: Specification) -> tuple[str, str, float]:
    """Schedule, profile and factor of a point."""
    preset, factors = specification.workload.preset, specification.workload.shuffle_factors
    if preset is None or len(factors) != 1:
        raise RecordError(
            f"{point_id}: not a workload.preset with one shuffle factor; give a results folder of table-6.2-factors"
        )
    ((profile, factor),) = factors.items()
    if factor == 0 or len(specification.topology.factors) > 1:
        raise RecordError(f"{point_id}: a factor of 0 or several networks; factors are above 0 and for one network")
    return preset, profile, factor


def _published(sweep: Sweep, preset: str) -> PublishedReduction:
    for entry in sweep.published.reductions if sweep.published else ():
        if entry.at == {_WORKLOAD: preset} and entry.jobs is None:
            return entry
    raise RecordError(f"{_WORKLOAD} {preset}: {sweep.name} has no published reduction of it; take another workload")
