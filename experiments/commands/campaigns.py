"""Campaigns from the command line: their runs are emulated on this machine or on others, or simulated."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from rich.console import Console

from experiments.commands.answers import answer_isolated
from experiments.commands.carrying_out import carry_out
from experiments.documents.terminal import print_line
from experiments.errors import RequestError
from experiments.records.record import Kind
from experiments.records.results_folder import Assignment, ResultsFolder
from experiments.records.sweep_folder import SweepFolder
from experiments.runs import dask_cluster
from experiments.runs.progress import Reporter
from experiments.specification import plan, requirements
from experiments.specification.model import Specification
from experiments.specification.sweep import Sweep, check


class Folder(Protocol):
    """Where runs go: a results folder, or that of a sweep."""

    @property
    def path(self) -> Path:
        """Where it is."""

    def assignments(self) -> list[Assignment]:
        """All runs, in the order in which to do them."""


F = TypeVar("F", bound=Folder)


@dataclass(frozen=True)
class Doing:
    """How to do the runs.

    Attributes:
        command: which `--resume` continues.
        kind: whether the network is emulated, which takes root, or simulated.
        scheduler: address of a Dask scheduler whose workers do them; None does them here.
        force: emulate although the calibration is out of tolerance.
        processes: how many simulations at a time here.
        quiet: show no progress.
    """

    command: str
    kind: Kind
    scheduler: str | None
    force: bool
    processes: int
    quiet: bool


def begun(sweep: Sweep, output: Path) -> tuple[list[Specification], Callable[[], SweepFolder]]:
    """What is run at the points of a sweep, checked, and what makes a folder for it below `output`.

    Raises:
        SpecificationError: the sweep cannot be run.
    """
    specifications = [point.specification for point in check(sweep)]
    return specifications, partial(SweepFolder.create, output, sweep, datetime.now().astimezone())


def resumed(folder: SweepFolder, repeats: object) -> tuple[list[Specification], Callable[[], SweepFolder]]:
    """What is run at the points of a folder, with so many repeats, and what plans them.

    Raises:
        SpecificationError: a point cannot be run, as when the module of a strategy is gone.
        RecordError: fewer repeats than are planned, or the sweep varies them.
    """
    specifications = folder.extended(repeats)
    for specification in specifications:
        plan.check(specification)
    return specifications, partial(folder.extend, repeats)


def refuse_other_kind(folders: Iterable[ResultsFolder], kind: Kind, remedy: str) -> None:
    """Refuse to go on by emulation with what has been simulated, and the other way round.

    Raises:
        RequestError: the folders hold runs of the other kind.
    """
    for folder in folders:
        for record in folder.records():
            if record.kind != kind and record.status != "damaged":
                raise RequestError(f"--resume: {folder.path} holds {record.kind} runs; {remedy}")


def do_runs(
    doing: Doing,
    specifications: Sequence[Specification],
    open_folder: Callable[[], F],
    show: Callable[[F], None],
    console: Console,
) -> int:
    """Do the runs that are left in a folder and show what came out; 1 when a run failed.

    Args:
        doing: how.
        specifications: what they follow, checked.
        open_folder: makes or opens the folder.
        show: shows what came out.
        console: takes the news.

    Raises:
        ClusterError: the scheduler cannot be reached; no folder is made then.
        SpecificationError: this machine cannot do the runs, and is to; no folder is made then.
    """
    if doing.scheduler is not None or doing.kind == "simulated":
        return _do_runs(doing, open_folder, show, console)
    for specification in {one.network: one for one in specifications}.values():
        requirements.check(specification)
    return answer_isolated(lambda: _do_runs(doing, open_folder, show, console))


def _do_runs(doing: Doing, open_folder: Callable[[], F], show: Callable[[F], None], console: Console) -> int:
    with contextlib.ExitStack() as stack:
        client = None if doing.scheduler is None else stack.enter_context(dask_cluster.connect(doing.scheduler))
        folder = open_folder()

        def do() -> list[str]:
            reporter, assignments = Reporter(console, doing.quiet), folder.assignments()
            if client is not None:
                wanted = dask_cluster.Wanted(doing.kind, doing.force)
                return dask_cluster.run_all(client, assignments, wanted, reporter, partial(print_line, console))
            if doing.kind == "simulated":
                from experiments.runs import simulated_campaign

                return simulated_campaign.run_all(assignments, doing.processes, reporter)
            from experiments.runs import emulated_campaign

            choices = emulated_campaign.Options(force=doing.force)
            return emulated_campaign.emulate(assignments, folder.path.parent, choices, reporter)

        return carry_out(doing.command, folder.path, do, lambda: show(folder), console)
