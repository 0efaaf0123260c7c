"""Runs of several results folders side by side on a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from experiments.analysis import estimate_text, side_by_side
from experiments.analysis.estimates import Reduction
from experiments.analysis.side_by_side import Difference, Row, SideBySide
from experiments.report import kinds
from experiments.report.terminal.table import empty

ALL_JOBS = "all jobs, summed"


def render(found: SideBySide) -> RenderableType:
    """Everything that a terminal shows; folders are called A, B, C, ... in it."""
    names = [chr(ord("A") + index % 26) for index in range(len(found.folders))]
    parts: list[RenderableType] = [
        Text(f"{name}  {folder}{f'  ({mark})' if (mark := kinds.mark(made)) else ''}")
        for name, folder, made in zip(names, found.folders, found.kinds, strict=True)
    ]
    for title, differences in (("not like with like: they differ in", found.unlike), ("Keys", found.specification)):
        if differences:
            style = "yellow" if differences is found.unlike else ""
            parts.append(_differences(title, names, differences, style))
    if not found.specification:
        parts.append(Text("Their specifications are the same."))
    for factor, rows in groupby(found.rows, key=lambda row: row.blocking_factor):
        where = "One network" if factor is None else f"Blocking factor {factor:g}"
        parts.append(_times(where, names, list(rows)))
    parts += [Text(line, style="dim") for line in _notes(found, names)]
    parts += [Text(line, style="yellow") for line in _reservations(found, names)]
    return Group(*parts)


def _differences(title: str, names: Sequence[str], differences: Sequence[Difference], style: str) -> Table:
    table = empty(title[:1].upper() + title[1:], style)
    table.add_column("Key", overflow="fold")
    for name in names:
        table.add_column(name, overflow="fold")
    for difference in differences:
        table.add_row(
            escape(difference.key), *(escape(side_by_side.in_words(values, "-")) for values in difference.values)
        )
    return table


def _times(where: str, names: Sequence[str], rows: Sequence[Row]) -> Table:
    table = empty(where)
    table.add_column("Strategy", overflow="fold")
    table.add_column("Job", overflow="fold")
    for name in names:
        table.add_column(f"{name}, s", justify="right")
    for name in names[1:]:
        table.add_column(f"{name} against {names[0]}", justify="right")
    for row in rows:
        times = [
            f"{estimate_text.spread(time)}{' [yellow]doubtful[/]' if doubtful else ''}"
            for time, doubtful in zip(row.times_s, row.doubtful, strict=True)
        ]
        strategy = escape(row.strategy) if row.job_id is None else ""
        job = ALL_JOBS if row.job_id is None else escape(row.job_id)
        table.add_row(strategy, job, *times, *(_change(change) for change in row.reductions[1:]))
    return table


def _change(change: Reduction | None) -> str:
    if change is None:
        return "no pairs"
    text = estimate_text.reduction(change)
    if change.outcome != "no difference shown":
        return text
    return f"{text}\n[dim]{'one pair only' if change.pairs == 1 else change.outcome}[/]"


def _notes(found: SideBySide, names: Sequence[str]) -> Iterator[str]:
    yield "Times are modelled seconds: the median over the runs, with its range (quartiles from 8 runs on)."
    yield f"Changes against {names[0]}: mean of pairs of the same strategy, network and seed (95 % interval)."
    every = {kind for made in found.kinds for kind in made}
    if kinds.mark(every):
        yield kinds.NOTE
    if len(every) > 1:
        yield "Changes between emulated and simulated runs tell by how much the two ways to find a time differ."


def _reservations(found: SideBySide, names: Sequence[str]) -> Iterator[str]:
    for name, (_, aside) in zip(names, found.set_aside, strict=True):
        for run in aside:
            used = "used, for want of better ones" if run.used else "not used"
            yield f"{name}: {run.run_id} is {run.status} ({used}): {'; '.join(run.reasons) or 'no reason given'}"
    letters = dict(zip(found.folders, names, strict=False))
    for absent in found.missing:
        factor = absent.run.blocking_factor
        network = "" if factor is None else f", blocking factor {factor:g}"
        what = f"{absent.run.strategy}{network}, seed {absent.run.seed}"
        yield f"{letters[absent.folder]}: {what} is missing: {absent.reason}"
