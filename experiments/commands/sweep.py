"""`sweep`: the runs of a sweep, on this machine or on a cluster, and the table of what came out."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from experiments.analysis import sweep_results
from experiments.analysis.sweep_results import SweepResults
from experiments.commands.carrying_out import carry_out
from experiments.documents.diagnostics import SpecificationError
from experiments.records.sweep_folder import SweepFolder
from experiments.report.terminal import sweep_table
from experiments.runs import campaign, dask_cluster
from experiments.runs.progress import Reporter
from experiments.specification import plan, specification_file, sweep_file
from experiments.specification.sweep import Point, Sweep, check
from experiments.specification.sweep_file import assignment

if TYPE_CHECKING:
    from distributed import Client


def wanted(options: argparse.Namespace) -> tuple[Sweep, tuple[Point, ...]]:
    """The sweep that the options describe, and its points, checked.

    Raises:
        SpecificationError: it cannot be run.
    """
    sweep = _described(options)
    values = dict(specification_file.assignment(text) for text in options.set)
    for key in ("seed", "repeats"):
        if (value := getattr(options, key)) is not None:
            values |= [specification_file.assignment(f"{key}={value}")]
    if values:
        sweep = sweep_file.parse({**sweep.model_dump(mode="json"), "set": {**sweep.set, **values}})
    return sweep, check(sweep)


def _described(options: argparse.Namespace) -> Sweep:
    if options.sweep is not None and (options.spec is not None or options.vary):
        raise SpecificationError([f"{options.sweep}: give a sweep, or --spec with --vary, not both"])
    if options.vary:
        base = specification_file.load(options.spec or "thesis")
        given = [assignment(text) for text in options.vary]
        keys = [key for key, _ in given]
        if twice := [f"--vary {key}: is there twice; write {key}=V1,V2" for key in keys if keys.count(key) > 1]:
            raise SpecificationError(dict.fromkeys(twice))
        vary = dict(given)
        return sweep_file.parse({"name": base.name, "base": base.model_dump(mode="json"), "vary": vary})
    if options.sweep is None and options.spec is None:
        raise SpecificationError(["sweep: say which, by its name or file, or by --spec FILE --vary KEY=V1,V2"])
    return sweep_file.load(options.sweep or options.spec)


def show_plan(options: argparse.Namespace, console: Console) -> int:
    """Print the points and how many runs they have."""
    sweep, points = wanted(options)
    counts = {point.id: len(plan.resolve(point.specification)) for point in points}
    if options.json:
        listed = [{"id": point.id, "values": dict(point.values), "runs": counts[point.id]} for point in points]
        print(json.dumps({"name": sweep.name, "runs": sum(counts.values()), "points": listed}, indent=1))
    else:
        console.print(sweep_table.plan(sweep, points, counts))
    return 0


Finish = Callable[[SweepFolder, argparse.Namespace, Console], None]
"""Prints what came out of a sweep's runs."""


def do_runs(
    options: argparse.Namespace, open_folder: Callable[[], SweepFolder], console: Console, finish: Finish
) -> int:
    """Do the runs that are left of a sweep and print what came out; 1 when a run failed.

    Raises:
        ClusterError: the scheduler cannot be reached; no folder is made then.
    """
    with contextlib.ExitStack() as stack:
        client = None if options.scheduler is None else stack.enter_context(dask_cluster.connect(options.scheduler))
        folder = open_folder()
        return carry_out(
            options.command,
            folder.path,
            lambda: _do(folder, client, options, console),
            lambda: finish(folder, options, console),
            console,
        )


def _do(folder: SweepFolder, client: Client | None, options: argparse.Namespace, console: Console) -> list[str]:
    reporter = Reporter(console, options.quiet or options.json)
    if client is None:
        choices = campaign.Options(force=options.force)
        return campaign.emulate(folder.assignments(), folder.path.parent, choices, reporter)

    def notice(line: str) -> None:
        console.print(line, highlight=False, soft_wrap=True)

    return dask_cluster.run_all(client, folder.assignments(), options.force, reporter, notice)


def finish(folder: SweepFolder, options: argparse.Namespace, console: Console) -> None:
    """Print the table of a sweep's results, or JSON, and write its report."""
    results = read(folder, options.allow_mixed)
    if options.json:
        print(sweep_results.to_json(results))
    else:
        console.print(sweep_table.render(results))
    console.print(f"results  {folder.path}", highlight=False, soft_wrap=True)
    if any(point.comparison is not None for point in results.points):
        from experiments.report.html.sweep_build import write_sweep_report

        console.print(
            f"report   {write_sweep_report(folder.path, options.allow_mixed)}", highlight=False, soft_wrap=True
        )


def opener(options: argparse.Namespace) -> Callable[[], SweepFolder]:
    """What opens the folder to resume, or makes a new one for the sweep that the options describe.

    Raises:
        RecordError: the folder to resume is not that of a sweep.
        SpecificationError: the sweep cannot be run.
    """
    if options.resume is not None:
        folder = SweepFolder.open(options.resume)
        return lambda: folder
    sweep, _ = wanted(options)
    return lambda: SweepFolder.create(options.output, sweep, datetime.now().astimezone())


def read(folder: SweepFolder, allow_mixed: bool = False) -> SweepResults:
    """The results of a sweep from what is on disk."""
    runs = [(point, folder.point(point).records()) for point in folder.points()]
    return sweep_results.gather(folder.sweep(), runs, allow_mixed)


def show(path: Path, allow_mixed: bool, as_json: bool) -> int:
    """Print the results of a sweep again."""
    results = read(SweepFolder.open(path), allow_mixed)
    if as_json:
        print(sweep_results.to_json(results))
    else:
        Console().print(sweep_table.render(results))
    return 0
