"""The results of a sweep on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from experiments.analysis import estimate_text
from experiments.analysis.estimates import Reduction
from experiments.analysis.sweep_results import PublishedBestResult, PublishedReductionResult, SweepResults
from experiments.documents import numerals
from experiments.report import kinds
from experiments.report.terminal import table as tables
from experiments.specification.sweep import Point, Sweep


def render(results: SweepResults) -> RenderableType:
    """Everything that a terminal shows of a sweep; print it with a rich console."""
    parts: list[RenderableType] = []
    if any(point.comparison for point in results.points):
        parts.append(_points(results))
        parts += _files(results)
    if results.reductions:
        parts.append(_reductions(results))
    if results.best:
        parts.append(_best(results))
    parts.append(Text("Times: sums of the job completion times, modelled seconds, median (range or quartiles).", "dim"))
    if kinds.mark(results.kinds):
        parts.append(Text(kinds.NOTE, "dim"))
    parts += [Text(line, style="yellow") for line in _reservations(results)]
    return Group(*parts)


def plan(sweep: Sweep, points: tuple[Point, ...], counts: Mapping[str, int]) -> RenderableType:
    """The points of a sweep before anything ran, with the number of runs of each."""
    table = tables.empty(f"{sweep.name}: {len(points)} points, {sum(counts.values())} runs")
    for heading in ("Point", "Values", "Strategies"):
        table.add_column(heading, overflow="fold")
    table.add_column("Runs", justify="right")
    for point in points:
        labels = ", ".join(strategy.label for strategy in point.specification.strategies)
        table.add_row(point.id, escape(numerals.varied(point.values)), escape(labels), str(counts[point.id]))
    return table


def _points(results: SweepResults) -> Table:
    table = tables.empty(results.name)
    table.add_column("Values", ratio=2, overflow="fold")
    table.add_column("Strategy", overflow="fold")
    table.add_column("Sum, s", justify="right", overflow="fold")
    twin = any(s.predicted for p in results.points if p.comparison for n in p.comparison.networks for s in n.strategies)
    if twin:
        table.add_column("Twin, s", justify="right", overflow="fold")
    table.add_column("Change", justify="right", overflow="fold")
    table.add_column("Local", justify="right", no_wrap=True)
    table.add_column("Across racks", justify="right")
    confirmed = any(
        s.confirmed_after_s for p in results.points if p.comparison for n in p.comparison.networks for s in n.strategies
    )
    if confirmed:
        table.add_column("Confirmed, s", justify="right")
    table.add_column("Fidelity", no_wrap=True)
    for point in results.points:
        for network in point.comparison.networks if point.comparison else ():
            for row, summary in enumerate(network.strategies):
                table.add_row(
                    escape(_place(point.values, network.blocking_factor)) if row == 0 else "",
                    escape(summary.strategy),
                    estimate_text.spread(summary.summed_time_s),
                    *([estimate_text.predicted_briefly(summary.predicted)] if twin else []),
                    tables.reduction(summary),
                    estimate_text.share_of(summary.local_share),
                    numerals.size(summary.cross_rack_bytes.median),
                    *([estimate_text.spread(summary.confirmed_after_s)] if confirmed else []),
                    tables.fidelity(summary),
                    end_section=summary is network.strategies[-1],
                )
    return table


def _files(results: SweepResults) -> Iterator[RenderableType]:
    """What clients' operations on tracked files took, point by point."""
    for point in results.points:
        for network in point.comparison.networks if point.comparison else ():
            found = [*tables.files(network, point.comparison.published if point.comparison else "")]
            if found:
                yield Text(_place(point.values, network.blocking_factor).replace("\n", ", "), style="bold")
                yield from found


def _reductions(results: SweepResults) -> Table:
    table = tables.empty(f"Change against the first strategy: {escape(results.source)}, and measured")
    table.add_column("Values", ratio=2, overflow="fold")
    table.add_column("Strategy", overflow="fold")
    table.add_column("Published", justify="right", no_wrap=True)
    table.add_column("Measured", justify="right", overflow="fold")
    table.add_column("In interval")
    table.add_column("Sign")
    table.add_column("Misses by", justify="right")
    for entry in results.reductions:
        table.add_row(
            escape(_place(entry.values, entry.blocking_factor)),
            escape("\n".join([entry.strategy, *entry.about])),
            estimate_text.reduction(Reduction(entry.published, None, None, 1)),
            _reserved(estimate_text.reduction(entry.measured), entry),
            _answer(entry.interval_contains_it, "yes", "no"),
            "-" if entry.measured is None else _answer(entry.sign_agrees, "agrees", "differs", "no difference shown"),
            "-" if entry.misses_by is None else f"{abs(entry.misses_by):.1f} pp",
        )
    return table


def _best(results: SweepResults) -> Table:
    table = tables.empty(f"Fastest strategy: {escape(results.source)}, and measured")
    table.add_column("Values", ratio=2, overflow="fold")
    table.add_column("Published")
    table.add_column("Measured, or not told from it", overflow="fold")
    table.add_column("Against the published one", justify="right")
    for entry in results.best:
        told = estimate_text.reduction(entry.costs)
        if entry.costs is not None and entry.costs.outcome == "no difference shown":
            told += "\n[dim]no difference shown[/]"
        table.add_row(
            escape(_place(entry.values, entry.blocking_factor)),
            escape(entry.published),
            escape(entry.measured or "-") + (f"\n[dim]or {escape(', '.join(entry.tied))}[/]" if entry.tied else ""),
            _reserved("the same" if entry.measured == entry.published else told, entry),
        )
    return table


def _reservations(results: SweepResults) -> Iterator[str]:
    for difference in results.mixed:
        yield f"Mixed points: their runs differ in {difference}."
    for point in results.points:
        if point.runs < point.planned:
            yield f"{point.id}: {point.runs} of {point.planned} runs have finished."
        if point.comparison is None:
            yield f"{point.id}: no figures: {point.reason}"
            continue
        for line in tables.reservations(point.comparison):
            yield f"{point.id}: {line}"


def _place(values: Mapping[str, Any], blocking_factor: float | None) -> str:
    """The varied values, and the network where it does not follow from them."""
    shown = numerals.varied(values, "\n")
    if blocking_factor is None or "topology.blocking_factor" in values:
        return shown
    return f"{shown}\nblocking factor {blocking_factor:g}"


def _reserved(text: str, entry: PublishedReductionResult | PublishedBestResult) -> str:
    return "\n".join(filter(None, [text, tables.reservation(entry.doubtful, entry.simulated)]))


def _answer(value: bool | None, yes: str, no: str, unknown: str = "-") -> str:
    return unknown if value is None else yes if value else no
