"""`calibrate-weights`: a sweep over NeAwa's weights, and what it says: a table, JSON, and lines to paste."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from experiments.analysis import estimate_text, weights
from experiments.analysis.weights import PROFILE, JobWeights, conclusion
from experiments.documents.atomic import write_text
from experiments.records.record import RecordError
from experiments.records.sweep_folder import SweepFolder
from experiments.report.terminal.table import empty
from experiments.specification.model import Specification
from experiments.specification.sweep import Point, check
from experiments.specification.workload import planned


def opener(options: argparse.Namespace, base: Specification | None) -> Callable[[], SweepFolder]:
    """What opens the folder to resume, or makes a new one for the jobs of `base` or those that the options name.

    Raises:
        RecordError: the folder to resume is not that of a sweep.
        SpecificationError: the sweep cannot be run.
    """
    if base is None:
        folder = _opened(options.resume)
        return lambda: folder
    profiles = options.profile or list(dict.fromkeys(str(submission.profile) for submission in planned(base)))
    sweep = weights.sweep_of(base, profiles, options.steps)
    check(sweep)
    return lambda: SweepFolder.create(options.output, sweep, datetime.now().astimezone())


def finish(folder: SweepFolder, options: argparse.Namespace, console: Console) -> None:
    """Print the weights that the runs tell."""
    show(folder.path, options.json, console, options.allow_mixed)


def show(path: Path, as_json: bool, console: Console, allow_mixed: bool = False) -> None:
    """Print the weights that a sweep's folder tells, and write weights.yaml into it.

    Raises:
        RecordError: the folder is not that of a sweep over weights, or a record cannot be read.
        MixedRunsError: the runs of a job cannot be compared, and `allow_mixed` is not set.
    """
    folder = _opened(path)
    found = [weights.evaluate(_name(point), folder.point(point).records(), allow_mixed) for point in folder.points()]
    written = path / "weights.yaml"
    write_text(written, weights.to_yaml(found))
    if as_json:
        print(weights.to_json(found))
        return
    for job in found:
        if job.arms:
            console.print(_table(job))
        console.print(conclusion(job), highlight=False, markup=False)
    console.print(f"weights  {written}", highlight=False, soft_wrap=True)


def _opened(path: Path) -> SweepFolder:
    folder = SweepFolder.open(path)
    if PROFILE not in folder.sweep().vary:
        raise RecordError(f"{path}: no sweep over weights; give a folder that `calibrate-weights` has made")
    return folder


def _name(point: Point) -> str:
    return weights.profile_name(point.specification, str(point.values[PROFILE]))


def _table(job: JobWeights) -> Table:
    table = empty(escape(job.profile))
    table.add_column("Closeness")
    table.add_column("Time, s", justify="right")
    table.add_column("Against the best", justify="right")
    table.add_column("")
    for arm in job.arms:
        remark = "best" if arm.label == job.best else "cannot be told from the best" if arm.tied else ""
        doubt = "[yellow]doubtful[/]" if arm.doubtful else ""
        table.add_row(
            arm.label,
            estimate_text.spread(arm.time_s),
            estimate_text.reduction(arm.behind),
            " ".join(filter(None, [remark, doubt])),
        )
    return table
