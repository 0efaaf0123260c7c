"""Writes the report of a sweep: report.html, figures, summary.json and datapackage.json, and a report of each point."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.analysis import sweep_results
from experiments.analysis.likeness import MixedRunsError
from experiments.analysis.sweep_results import SweepResults
from experiments.documents import nofollow, numerals
from experiments.documents.atomic import write_text
from experiments.records import datapackage
from experiments.records.record import RunRecord
from experiments.records.sweep_folder import SweepFolder
from experiments.report import kinds, palette, sweep_figures, sweep_panels
from experiments.report.html import build, sweep_charts


@dataclass(frozen=True)
class SweepEvidence:
    """Everything that the report of a sweep is made from; `reports` are the points that get a report of their own."""

    results: SweepResults
    records: tuple[RunRecord, ...]
    sweep_yaml: str
    folder: Path
    reports: frozenset[str]


def write_sweep_report(path: Path, allow_mixed: bool = False, with_figures: bool = True) -> Path:
    """Make the report of a sweep's folder again, from what is on disk, and those of its points, without figures.

    Returns:
        The path of report.html.

    Raises:
        RecordError: the folder is not that of a sweep.
        MixedRunsError: nothing has run, or no point can be compared.
    """
    evidence = read_evidence(path, allow_mixed)
    for point_id in sorted(evidence.reports):
        build.write_report(path / "points" / point_id, allow_mixed, with_figures=False)
    write_text(path / "report.html", render(evidence))
    write_text(path / "summary.json", sweep_results.to_json(evidence.results))
    datapackage.write(path, datapackage.describe_sweep(SweepFolder(path)))
    if with_figures:
        found = sweep_panels.rows(evidence.results)
        key = sweep_panels.horizontal_key(found) if found else ""
        places = sweep_panels.strategies(found)
        panels = sweep_panels.panels(found)
        mark = kinds.mark(evidence.results.kinds)
        sweep_figures.write(panels, key, places, evidence.results.reductions, path / "figures", mark)
    return path / "report.html"


def read_evidence(path: Path, allow_mixed: bool = False) -> SweepEvidence:
    """What a sweep's folder holds.

    Raises:
        RecordError: the folder is not that of a sweep.
        MixedRunsError: nothing has run yet, or no point can be compared.
    """
    folder = SweepFolder.open(path)
    runs = [(point, folder.point(point).records()) for point in folder.points()]
    results = sweep_results.gather(folder.sweep(), runs, allow_mixed)
    compared = [point.id for point in results.points if point.comparison is not None]
    if not compared:
        reasons = dict.fromkeys(f"{point.id}: {point.reason}" for point in results.points)
        raise MixedRunsError("\n".join(reasons))
    records = sorted(itertools.chain(*(found for _, found in runs)), key=lambda record: record.started_at)
    text = nofollow.read_text(path / "sweep.yaml")
    return SweepEvidence(results, tuple(records), text, path, frozenset(compared))


def render(evidence: SweepEvidence) -> str:
    """The whole report as one HTML text that loads nothing else."""
    found = sweep_panels.rows(evidence.results)
    places = sweep_panels.strategies(found)
    return (
        build.environment()
        .get_template("sweep.html.j2")
        .render(
            evidence=evidence,
            results=evidence.results,
            headlines=headlines(evidence.results),
            rows=found,
            places=places,
            key=sweep_panels.horizontal_key(found) if found else "",
            charts_of_times=[sweep_charts.chart(panel, places) for panel in sweep_panels.panels(found)],
            changes=sweep_charts.changes(found, places),
            published=sweep_charts.published(evidence.results.reductions),
            words=numerals.varied,
            change=sweep_charts.change,
            palette=palette,
            heat_stops=[palette.heat_colour(stop / 10) for stop in range(11)],
            provenance=build.provenance(evidence.records),
            counts=build.counts(evidence.records),
        )
    )


def headlines(results: SweepResults) -> tuple[str, ...]:
    """What a sweep says, in sentences: at how many points each strategy differs, and how published figures compare."""
    outcomes: dict[str, list[str]] = {}
    found = sweep_panels.rows(results)
    for row in found:
        for summary in row.network.strategies:
            if summary.reduction is not None:
                outcome = "doubtful" if summary.reduction_doubtful else summary.reduction.outcome
                outcomes.setdefault(summary.strategy, []).append(outcome)
    lines = [_sentence(label, found[0].network.baseline, seen) for label, seen in outcomes.items()]
    measured = [entry for entry in results.reductions if entry.misses_by is not None]
    if measured:
        sure = [entry for entry in measured if entry.interval_contains_it is not None]
        within = sum(bool(entry.interval_contains_it) for entry in sure)
        signs = [entry.sign_agrees for entry in measured]
        mean = sum(abs(entry.misses_by or 0) for entry in measured) / len(measured)
        lines.append(
            f"Published changes: {signs.count(True)} of {len(measured)} have the measured sign, {signs.count(False)} "
            f"the other one, and beside {signs.count(None)} no difference is shown; {within} of {len(sure)} that were "
            f"measured more than once lie within the 95 % interval; on average they are {numerals.number(mean)} "
            "percentage points apart."
        )
        for word in ("doubtful", "simulated"):
            if count := sum(getattr(entry, word) for entry in measured):
                lines.append(f"{count} of the measured changes {'is' if count == 1 else 'are'} of {word} runs.")
    best = [entry for entry in results.best if entry.measured is not None]
    if best:
        same = sum(entry.measured == entry.published for entry in best)
        tied = sum(entry.published in entry.tied for entry in best)
        lines.append(
            f"The strategy published as the fastest was measured as the fastest in {same} of {len(best)} cases, and "
            f"cannot be told from it in {tied} more."
        )
    return tuple(lines)


def _sentence(label: str, baseline: str, seen: Sequence[str]) -> str:
    less, more, none, doubtful = map(seen.count, ("less", "more", "no difference shown", "doubtful"))
    rest = [f"{none} show no difference"] if none else []
    rest += [f"{doubtful} are doubtful"] if doubtful else []
    where = f"{label} took less time than {baseline} at {less} of {len(seen)} points, more at {more}"
    return "; ".join([where, *rest]) + "."
