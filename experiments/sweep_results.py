"""What the runs of a sweep say at each of its points, and how that compares with what was published."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from experiments import comparison
from experiments.comparison import Comparison, MixedRunsError
from experiments.record import RunRecord
from experiments.statistics import Reduction, reduction
from experiments.sweep import Point, Published, Sweep

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class PointResult:
    """The comparison of the strategies at a point; None with the reason why there is none."""

    id: str
    values: dict[str, Any]
    runs: int
    planned: int
    comparison: Comparison | None
    reason: str | None


@dataclass(frozen=True)
class PublishedReductionResult:
    """A published reduction and the measured one, of a strategy against the first one; None where nothing was measured.

    `misses_by` is measured less published, in percentage points; `doubtful` says that runs of either side are.
    """

    point: str
    values: dict[str, Any]
    blocking_factor: float | None
    strategy: str
    jobs: tuple[str, ...] | None
    published: float
    measured: Reduction | None
    interval_contains_it: bool | None
    sign_agrees: bool | None
    misses_by: float | None
    doubtful: bool


@dataclass(frozen=True)
class PublishedBestResult:
    """The strategy published as the fastest and the one with the least mean time in the runs, None when there are none.

    `costs` is by how much the measured one is faster than the published one, None when they are the same; `doubtful`
    says that runs of either are.
    """

    point: str
    values: dict[str, Any]
    blocking_factor: float | None
    published: str
    measured: str | None
    costs: Reduction | None
    doubtful: bool


@dataclass(frozen=True)
class SweepResults:
    """All points of a sweep; the last three are empty when nothing was published."""

    name: str
    description: str
    vary: tuple[str, ...]
    points: tuple[PointResult, ...]
    source: str
    reductions: tuple[PublishedReductionResult, ...]
    best: tuple[PublishedBestResult, ...]


Runs = Sequence[tuple[Point, Sequence[RunRecord]]]


def gather(sweep: Sweep, runs: Runs, allow_mixed: bool = False) -> SweepResults:
    """The results of a sweep from the records of each of its points.

    A point whose runs cannot be compared has the reason instead of figures, and so has one without runs.
    """
    results = tuple(_point(point, records, allow_mixed) for point, records in runs)
    usable = [
        (point, records if result.comparison else ()) for (point, records), result in zip(runs, results, strict=True)
    ]
    published = sweep.published or Published(source="")
    return SweepResults(
        name=sweep.name,
        description=sweep.description,
        vary=tuple(sweep.vary),
        points=results,
        source=published.source,
        reductions=tuple(_reductions(published, usable)),
        best=tuple(_best(published, usable)),
    )


def to_json(results: SweepResults) -> str:
    """The results as one JSON object; times in modelled seconds, bytes modelled, shares of 1."""
    return json.dumps({"schema_version": SCHEMA_VERSION, **dataclasses.asdict(results)}, indent=1)


def measured_reduction(
    records: Sequence[RunRecord],
    blocking_factor: float | None,
    strategy: str,
    baseline: str,
    jobs: Sequence[str] | None = None,
    of: Literal["sum", "mean"] = "sum",
) -> Reduction | None:
    """Reduction of the summed time of some jobs, or of all, over the repeats that both strategies have.

    Of the mean: the mean over the jobs of each one's own reduction.
    """
    before = {record.repeat: record for record in comparison.used_records(records, baseline, blocking_factor)}
    after = comparison.used_records(records, strategy, blocking_factor)
    pairs = [
        (_times_s(before[record.repeat], jobs), _times_s(record, jobs)) for record in after if record.repeat in before
    ]
    if of == "mean":
        shares = [sum(second[job] / first[job] for job in first) / len(first) for first, second in pairs]
        return reduction([1.0] * len(shares), shares)
    return reduction([sum(first.values()) for first, _ in pairs], [sum(second.values()) for _, second in pairs])


def _doubtful(records: Sequence[RunRecord], blocking_factor: float | None, strategies: Sequence[str]) -> bool:
    """Whether doubtful runs had to be used for one of the strategies, for want of better ones."""
    used = (comparison.used_records(records, label, blocking_factor) for label in strategies)
    return any(record.doubtful for runs in used for record in runs)


def _times_s(record: RunRecord, jobs: Sequence[str] | None) -> dict[str, float]:
    return {job.job_id: job.completion_time_s or 0.0 for job in record.jobs if jobs is None or job.job_id in jobs}


def _point(point: Point, records: Sequence[RunRecord], allow_mixed: bool) -> PointResult:
    specification = point.specification
    planned = specification.repeats * len(specification.strategies) * len(specification.topology.factors)
    cells = {(r.strategy, r.blocking_factor, r.repeat) for r in records if r.status == "finished"}
    compared, reason = None, None
    if not records:
        reason = "no runs yet"
    else:
        try:
            compared = comparison.compare(records, allow_mixed)
        except MixedRunsError as error:
            reason = str(error)
    return PointResult(point.id, dict(point.values), len(cells), planned, compared, reason)


def _reductions(published: Published, runs: Runs) -> Iterator[PublishedReductionResult]:
    for entry in published.reductions:
        for point, records in runs:
            if not point.has(entry.at):
                continue
            baseline = point.specification.strategies[0].label
            for factor in point.specification.topology.factors:
                measured = measured_reduction(records, factor, entry.strategy, baseline, entry.jobs, entry.of)
                yield PublishedReductionResult(
                    point=point.id,
                    values=dict(point.values),
                    blocking_factor=factor,
                    strategy=entry.strategy,
                    jobs=entry.jobs,
                    published=entry.reduction,
                    measured=measured,
                    interval_contains_it=_contains(measured, entry.reduction),
                    sign_agrees=None if measured is None else (measured.estimate > 0) == (entry.reduction > 0),
                    misses_by=None if measured is None else 100 * (measured.estimate - entry.reduction),
                    doubtful=measured is not None and _doubtful(records, factor, (entry.strategy, baseline)),
                )


def _contains(measured: Reduction | None, value: float) -> bool | None:
    """Whether a value lies in the interval; None when there is none."""
    if measured is None or measured.low is None or measured.high is None:
        return None
    return measured.low <= value <= measured.high


def _best(published: Published, runs: Runs) -> Iterator[PublishedBestResult]:
    for entry in published.best:
        for point, records in runs:
            if not point.has(entry.at):
                continue
            labels = [strategy.label for strategy in point.specification.strategies]
            for factor in point.specification.topology.factors:
                means = {}
                for label in labels:
                    if used := comparison.used_records(records, label, factor):
                        means[label] = sum(map(comparison.summed_time_s, used)) / len(used)
                fastest = min(means, key=lambda label: means[label], default=None)
                costs = None
                if fastest is not None and fastest != entry.strategy:
                    costs = measured_reduction(records, factor, fastest, entry.strategy)
                doubtful = fastest is not None and _doubtful(records, factor, (entry.strategy, fastest))
                values = dict(point.values)
                yield PublishedBestResult(point.id, values, factor, entry.strategy, fastest, costs, doubtful)
