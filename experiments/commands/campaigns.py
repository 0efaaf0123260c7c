"""Campaigns from the command line: their runs are emulated on this machine or on others, or simulated."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from rich.console import Console

from experiments.analysis.likeness import kinds
from experiments.commands import options
from experiments.commands.answers import answer_isolated
from experiments.commands.carrying_out import carry_out
from experiments.documents.terminal import print_line
from experiments.errors import RequestError
from experiments.records.record import Kind
from experiments.records.results_folder import Assignment, ResultsFolder
from experiments.records.sweep_folder import SweepFolder
from experiments.runs import dask_cluster
from experiments.runs.processes import cores
from experiments.runs.progress import Reporter
from experiments.specification import plan, requirements
from experiments.specification.model import Specification
from experiments.specification.sweep import Sweep, check

if TYPE_CHECKING:
    from distributed import Client
    from typing_extensions import Unpack

    from experiments.commands.options import Description


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
        quiet: show no progress.
        scheduler: address of a Dask scheduler whose workers do them; None does them here.
        force: emulate although the calibration is out of tolerance.
        processes: how many simulations at a time here.
        http_port: loopback port of the emulation's controller; 0 takes a free one.
        draws: simulations of every emulated run, for the twin's prediction of it; None: as many as are usual.
    """

    command: str
    kind: Kind
    quiet: bool
    scheduler: str | None = None
    force: bool = False
    processes: int = 1
    http_port: int = 0
    draws: int | None = 0


def experiment(
    resume: Path | None, output: Path, kind: Kind, **described: Unpack[Description]
) -> tuple[list[Specification], Callable[[], ResultsFolder]]:
    """What is run of an experiment, checked, and what makes a folder for it below `output`, or opens that to resume.

    Raises:
        SpecificationError: it cannot be run.
        RecordError, RequestError: there is no such folder, it holds runs of the other kind, or more than is wanted now.
    """
    if resume is None:
        specification = options.specification(**described)
        return [specification], partial(ResultsFolder.create, output, specification, datetime.now().astimezone())
    command, other = ("sweep", "simulate") if kind == "emulated" else ("sweep --simulate", "run")
    options.refuse_sweep(resume, command)
    repeats = options.repeats(described["repeats"])
    kept = ResultsFolder.open(resume)
    _refuse_other_kind([kept], kind, f"finish it with `{other} --resume {resume}`")
    specification = kept.extended(repeats)
    plan.check(specification)
    return [specification], partial(kept.extend, repeats)


def begun(sweep: Sweep, output: Path) -> tuple[list[Specification], Callable[[], SweepFolder]]:
    """What is run at the points of a sweep, checked, and what makes a folder for it below `output`.

    Raises:
        SpecificationError: the sweep cannot be run.
    """
    specifications = [point.specification for point in check(sweep)]
    return specifications, partial(SweepFolder.create, output, sweep, datetime.now().astimezone())


def resumed(
    folder: SweepFolder, repeats: object, kind: Kind, remedy: str
) -> tuple[list[Specification], Callable[[], SweepFolder]]:
    """What is run at the points of a folder, with so many repeats, and what plans them.

    Raises:
        SpecificationError: a point cannot be run, as when the module of a strategy is gone.
        RecordError: fewer repeats than are planned, or the sweep varies them.
        RequestError: it holds runs of the other kind, for which there is a remedy.
    """
    _refuse_other_kind([folder.point(point) for point in folder.points()], kind, remedy)
    specifications = folder.extended(repeats)
    for specification in specifications:
        plan.check(specification)
    return specifications, partial(folder.extend, repeats)


def _refuse_other_kind(folders: Iterable[ResultsFolder], kind: Kind, remedy: str) -> None:
    """Refuse to go on by emulation with what has been simulated, and the other way round.

    Raises:
        RequestError: the folders hold runs of the other kind.
    """
    for folder in folders:
        for found in kinds(folder.records()):
            if found != kind:
                raise RequestError(f"--resume: {folder.path} holds {found} runs; {remedy}")


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
        ClusterError, ControllerError: the scheduler cannot be reached, or the port is taken; no folder is made then.
        SpecificationError: this machine cannot do the runs, and is to; no folder is made then.
        RetentionError: files are to be retained, and it has no ledger; likewise.
    """
    for specification in specifications if doing.scheduler is None else ():
        requirements.check_ledger(specification)
    if doing.scheduler is not None or doing.kind == "simulated":
        return _do_runs(doing, open_folder, show, console)
    for specification in {one.network: one for one in specifications}.values():
        requirements.check(specification)
    return answer_isolated(lambda: _do_runs(doing, open_folder, show, console))


def _do_runs(doing: Doing, open_folder: Callable[[], F], show: Callable[[F], None], console: Console) -> int:
    with contextlib.ExitStack() as stack:
        client = None
        if doing.scheduler is not None:
            client = stack.enter_context(dask_cluster.connect(doing.scheduler))
        elif doing.kind == "emulated":
            _require_port(doing.http_port)
        folder = open_folder()

        def do() -> list[str]:
            reporter, assignments = Reporter(console, doing.quiet), folder.assignments()
            problems = _work(doing, client, folder.path.parent, assignments, reporter, console)
            if doing.draws != 0:
                from experiments.runs import prediction

                for line in prediction.add(assignments, doing.draws, cores(), reporter):
                    print_line(console, line)
            return problems

        return carry_out(doing.command, folder.path, do, lambda: show(folder), console)


def _work(
    doing: Doing,
    client: Client | None,
    cache_folder: Path,
    assignments: Sequence[Assignment],
    reporter: Reporter,
    console: Console,
) -> list[str]:
    """Do those runs that have not finished yet; a line for each that failed."""
    if client is not None:
        wanted = dask_cluster.Wanted(doing.kind, doing.force)
        return dask_cluster.run_all(client, assignments, wanted, reporter, partial(print_line, console))
    if doing.kind == "simulated":
        from experiments.runs import simulated_campaign

        return simulated_campaign.run_all(assignments, doing.processes, reporter)
    from experiments.runs import emulated_campaign

    choices = emulated_campaign.Options(doing.http_port, doing.force)
    return emulated_campaign.emulate(assignments, cache_folder, choices, reporter)


def _require_port(port: int) -> None:
    from experiments.runs.controller_process import listen
    from topologies.emulated import isolation

    listen(isolation.current(), port).close()
