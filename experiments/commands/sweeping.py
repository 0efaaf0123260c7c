"""The runs of a sweep from the command line, on this machine or on other ones."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeAlias

from rich.console import Console

from experiments.commands.answers import answer_isolated
from experiments.commands.carrying_out import carry_out
from experiments.documents.terminal import print_line
from experiments.records.sweep_folder import SweepFolder
from experiments.runs import dask_cluster, emulated_campaign
from experiments.runs.progress import Reporter
from experiments.specification import plan, requirements
from experiments.specification.model import Specification
from experiments.specification.sweep import Sweep, check


@dataclass(frozen=True)
class Doing:
    """How to do the runs.

    Attributes:
        command: which `--resume` continues.
        scheduler: address of a Dask scheduler whose workers do them; None does them here, in namespaces of its own.
        force: run although the calibration is out of tolerance.
        quiet: show no progress.
    """

    command: str
    scheduler: str | None
    force: bool
    quiet: bool


Runs: TypeAlias = tuple[list[Specification], Callable[[], SweepFolder]]
"""What is run at the points of a sweep, checked, and what opens the folder for it."""


def begun(sweep: Sweep, output: Path) -> Runs:
    """The runs of a sweep, into a new folder below `output`.

    Raises:
        SpecificationError: the sweep cannot be run.
    """
    specifications = [point.specification for point in check(sweep)]
    return specifications, partial(SweepFolder.create, output, sweep, datetime.now().astimezone())


def resumed(folder: SweepFolder, repeats: object) -> Runs:
    """The runs of a folder with so many repeats, checked once more before the rest of it is run.

    Raises:
        SpecificationError: a point cannot be run, as when the module of a strategy is gone.
        RecordError: fewer repeats than are planned, or the sweep varies them.
    """
    specifications = folder.extended(repeats)
    for specification in specifications:
        plan.check(specification)
    return specifications, partial(folder.extend, repeats)


def run_sweep(doing: Doing, runs: Runs, show: Callable[[SweepFolder], None], console: Console) -> int:
    """Do the runs that are left of a sweep and show what came out; 1 when a run failed.

    Raises:
        ClusterError: the scheduler cannot be reached; no folder is made then.
        SpecificationError: this machine cannot do the runs of a point, and is to; no folder is made then.
    """
    specifications, open_folder = runs
    if doing.scheduler is not None:
        return _run_sweep(doing, open_folder, show, console)
    for specification in {one.network: one for one in specifications}.values():
        requirements.check(specification)
    return answer_isolated(lambda: _run_sweep(doing, open_folder, show, console))


def _run_sweep(
    doing: Doing, open_folder: Callable[[], SweepFolder], show: Callable[[SweepFolder], None], console: Console
) -> int:
    reporter = Reporter(console, doing.quiet)
    with contextlib.ExitStack() as stack:
        client = None if doing.scheduler is None else stack.enter_context(dask_cluster.connect(doing.scheduler))
        folder = open_folder()

        def do() -> list[str]:
            if client is None:
                choices = emulated_campaign.Options(force=doing.force)
                return emulated_campaign.emulate(folder.assignments(), folder.path.parent, choices, reporter)
            return dask_cluster.run_all(client, folder.assignments(), doing.force, reporter, notice)

        def notice(line: str) -> None:
            print_line(console, line)

        return carry_out(doing.command, folder.path, do, lambda: show(folder), console)
