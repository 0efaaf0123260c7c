"""`calibrate-volumes`: the shuffle factor of each job from a sweep over factors, and the sweep that uses them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from experiments.analysis import comparison, estimate_text, shuffle_volumes
from experiments.analysis.estimates import Reduction
from experiments.analysis.shuffle_volumes import FittedFactor
from experiments.documents.atomic import write_text
from experiments.records.record import RecordError
from experiments.records.sweep_folder import SweepFolder
from experiments.report.terminal.table import empty
from experiments.specification import sweep_file
from experiments.specification.model import Specification
from experiments.specification.sweep import PublishedReduction, Sweep

PUBLISHED = "table-6.2"
"""The sweep whose published reductions are aimed at."""
CALIBRATED = "table-6.2-calibrated"
"""The sweep that uses the factors."""
_WORKLOAD = "workload.preset"
_REACH = {"within": "", "below": "below what any factor gives", "above": "above what any factor gives"}


@dataclass(frozen=True)
class JobFit:
    """The factor that was found for the jobs of one profile, and the reductions it was found from, by factor.

    `doubtful` says that some of them are of doubtful runs.
    """

    profile: str
    measured: Mapping[float, Reduction]
    fitted: FittedFactor
    doubtful: bool


def calibrate(folder: Path, output: Path | None, allow_mixed: bool = False) -> int:
    """Print the factors that a results folder gives; write the sweep that uses them to `output`.

    Raises:
        RecordError: it does not hold the results of a sweep over shuffle factors, or a point has none.
        MixedRunsError: the runs cannot be compared, and `allow_mixed` is not set.
    """
    fits = fit_all(SweepFolder.open(folder), sweep_file.load(PUBLISHED), allow_mixed)
    console = Console()
    console.print(_measurements(fits))
    console.print(_factors(fits))
    if output is not None:
        write_text(output, sweep_file.dump(calibrated(fits)))
        console.print(output, highlight=False, soft_wrap=True)
    return 0


def fit_all(folder: SweepFolder, published: Sweep, allow_mixed: bool = False) -> list[JobFit]:
    """The factor of each profile that the sweep has factors for, to hit what was published of the same workload."""
    if not allow_mixed:
        comparison.refuse(comparison.origins([r for point in folder.points() for r in folder.point(point).records()]))
    measured: dict[tuple[str, str], dict[float, Reduction]] = {}
    doubtful: set[tuple[str, str]] = set()
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
        if any(one.doubtful for one in found if one.strategy in (target.strategy, found[0].strategy)):
            doubtful.add((preset, profile))
    return [
        JobFit(
            profile,
            reductions,
            shuffle_volumes.fit(reductions, _published(published, preset).reduction),
            (preset, profile) in doubtful,
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


def _measurements(fits: Iterable[JobFit]) -> Table:
    table = empty("Measured change against the defaults")
    table.add_column("Profile")
    table.add_column("Factor", justify="right")
    table.add_column("Change", justify="right")
    for one in fits:
        for row, factor in enumerate(sorted(one.measured)):
            shown = estimate_text.reduction(one.measured[factor])
            table.add_row("" if row else one.profile, f"{factor:g}", shown, end_section=row == len(one.measured) - 1)
    return table


def _factors(fits: Iterable[JobFit]) -> Table:
    table = empty("Factors on the shuffle volume")
    table.add_column("Profile")
    table.add_column("Factor", justify="right")
    table.add_column("Change there", justify="right")
    table.add_column("Published", justify="right")
    table.add_column("Note", overflow="fold")
    for one in fits:
        fitted = one.fitted
        agreeing = ", ".join(f"{factor:g}" for factor in fitted.agreeing)
        notes = [_REACH[fitted.reach], f"published in the interval at {agreeing}" if agreeing else ""]
        notes.append("of doubtful runs" if one.doubtful else "")
        changes = (
            estimate_text.reduction(Reduction(share, None, None, 1)) for share in (fitted.expected, fitted.published)
        )
        table.add_row(one.profile, f"{fitted.factor:.3g}", *changes, "; ".join(filter(None, notes)))
    return table
