"""What the runs of a sweep say at each of its points, and how that compares with what was published."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from experiments.analysis import comparison, pairing
from experiments.analysis.comparison import Comparison
from experiments.analysis.estimates import Reduction
from experiments.analysis.likeness import MixedRunsError, origins
from experiments.records.record import Kind, RunRecord
from experiments.records.sweep_folder import SweepFolder
from experiments.specification.sweep import Point, Published, Sweep

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

    `of` is what both are of, as in the sweep. `sign_agrees` is None where no difference is shown. `misses_by` is
    measured less published, in percentage points; `doubtful` and `simulated` say that runs of either side are.
    """

    point: str
    values: dict[str, Any]
    blocking_factor: float | None
    strategy: str
    jobs: tuple[str, ...] | None
    of: Literal["sum", "mean"]
    published: float
    measured: Reduction | None
    interval_contains_it: bool | None
    sign_agrees: bool | None
    misses_by: float | None
    doubtful: bool
    simulated: bool

    @property
    def about(self) -> tuple[str, ...]:
        """What the change is of, where it is not the summed time of all jobs."""
        mean = ("mean of the jobs' changes",) if self.of == "mean" else ()
        return (*(self.jobs or ()), *mean)


@dataclass(frozen=True)
class PublishedBestResult:
    """The strategy published as the fastest and the measured one, None when there are no runs.

    `tied` are the others that cannot be told from the measured one. `costs` is by how much the measured one is faster
    than the published one, None when they are the same; `doubtful` and `simulated` say that runs of either are.
    """

    point: str
    values: dict[str, Any]
    blocking_factor: float | None
    published: str
    measured: str | None
    tied: tuple[str, ...]
    costs: Reduction | None
    doubtful: bool
    simulated: bool


@dataclass(frozen=True)
class SweepResults:
    """All points of a sweep; the last three are empty when nothing was published.

    `mixed` is in what the runs of different points differ, besides what is varied: kinds, machines, versions, divisors.
    """

    name: str
    description: str
    vary: tuple[str, ...]
    points: tuple[PointResult, ...]
    mixed: tuple[str, ...]
    source: str
    reductions: tuple[PublishedReductionResult, ...]
    best: tuple[PublishedBestResult, ...]

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """How the runs of the points that have figures were made, each kind once."""
        return tuple(sorted({kind for point in self.points if point.comparison for kind in point.comparison.kinds}))


Runs = Sequence[tuple[Point, Sequence[RunRecord]]]


def read(folder: SweepFolder, allow_mixed: bool = False) -> SweepResults:
    """The results of a sweep from what is on disk: see `gather`."""
    runs = [(point, folder.point(point).records()) for point in folder.points()]
    return gather(folder.sweep(), runs, allow_mixed)


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
        mixed=tuple(origins([record for _, records in usable for record in records])),
        source=published.source,
        reductions=tuple(_reductions(published, usable)),
        best=tuple(_best(published, usable)),
    )


def to_json(results: SweepResults) -> str:
    """The results as one JSON object; times in modelled seconds, bytes modelled, shares of 1."""
    return json.dumps({"schema_version": SCHEMA_VERSION, **dataclasses.asdict(results)}, indent=1)


def _point(point: Point, records: Sequence[RunRecord], allow_mixed: bool) -> PointResult:
    cells = {(r.strategy, r.blocking_factor, r.repeat) for r in records if r.status == "finished"}
    compared, reason = None, None
    if not records:
        reason = "no runs yet"
    else:
        try:
            compared = comparison.compare(records, allow_mixed)
        except MixedRunsError as error:
            reason = str(error)
    return PointResult(point.id, dict(point.values), len(cells), point.specification.run_count, compared, reason)


def _reductions(published: Published, runs: Runs) -> Iterator[PublishedReductionResult]:
    for entry in published.reductions:
        for point, records in runs:
            if not point.has(entry.at):
                continue
            baseline = point.specification.strategies[0].label
            for factor in point.specification.topology.factors:
                before, after = (pairing.select(records, label, factor) for label in (baseline, entry.strategy))
                if entry.of == "mean":
                    measured = pairing.mean_change(before, after, entry.jobs)
                else:
                    measured = pairing.change(before, after, pairing.summed_time_of(entry.jobs))
                yield PublishedReductionResult(
                    point=point.id,
                    values=dict(point.values),
                    blocking_factor=factor,
                    strategy=entry.strategy,
                    jobs=entry.jobs,
                    of=entry.of,
                    published=entry.reduction,
                    measured=measured,
                    interval_contains_it=None if measured is None else measured.contains(entry.reduction),
                    sign_agrees=_agrees(measured, entry.reduction),
                    misses_by=None if measured is None else 100 * (measured.estimate - entry.reduction),
                    doubtful=measured is not None and (before.doubtful or after.doubtful),
                    simulated=measured is not None and (before.simulated or after.simulated),
                )


def _agrees(measured: Reduction | None, value: float) -> bool | None:
    """Whether both are reductions or neither is; None where it is not known on which side of 0 the measured one is."""
    if measured is None or measured.outcome == "no difference shown":
        return None
    return (measured.outcome == "less") == (value > 0)


def _best(published: Published, runs: Runs) -> Iterator[PublishedBestResult]:
    for entry in published.best:
        for point, records in runs:
            if not point.has(entry.at):
                continue
            labels = [strategy.label for strategy in point.specification.strategies]
            for factor in point.specification.topology.factors:
                fastest, changes = pairing.against_fastest(records, labels, factor)
                published_runs = pairing.select(records, entry.strategy, factor)
                fastest_runs = None if fastest is None else pairing.select(records, fastest, factor)
                yield PublishedBestResult(
                    point=point.id,
                    values=dict(point.values),
                    blocking_factor=factor,
                    published=entry.strategy,
                    measured=fastest,
                    tied=tuple(label for label, change in changes.items() if pairing.cannot_be_told(change)),
                    costs=(
                        pairing.change(published_runs, fastest_runs)
                        if fastest_runs is not None and entry.strategy in changes
                        else None
                    ),
                    doubtful=fastest_runs is not None and (published_runs.doubtful or fastest_runs.doubtful),
                    simulated=fastest_runs is not None and (published_runs.simulated or fastest_runs.simulated),
                )
