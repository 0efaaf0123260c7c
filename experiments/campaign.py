"""All runs of an experiment, one after the other, into a results folder."""

from __future__ import annotations

import dataclasses
import os
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from experiments import plan, runner
from experiments.atomic import write_text
from experiments.controller_process import listen
from experiments.divisor import choose_divisor
from experiments.plan import Run
from experiments.progress import Reporter
from experiments.record import RunRecord
from experiments.results import ResultsFolder
from experiments.runner import Conditions
from topologies import isolation


@dataclass(frozen=True)
class Options:
    """How to do the runs.

    Attributes:
        http_port: loopback port of the controller's API; 0 takes a free one.
        force: run although the calibration is out of tolerance.
    """

    http_port: int = 0
    force: bool = False


def run_all(folder: ResultsFolder, options: Options, reporter: Reporter) -> list[str]:
    """Do those runs of a results folder that have not finished yet.

    A doubtful run is repeated once, as a run of its own; which of the two enters the figures is for the comparison to
    say. A run that fails is recorded so, and the others go on.

    Returns:
        What went wrong, a line for each failed run.

    Raises:
        ControllerError: the port is taken.
        KeyboardInterrupt, SystemExit: the user stopped it; the runs so far are in the folder.
    """
    specification = folder.specification()
    runs = folder.remaining(plan.resolve(specification))
    problems: list[str] = []
    with listen(isolation.current(), options.http_port) as listener, reporter.runs(len(runs)) as show:
        divisors: dict[float | None, float] = {}
        for run in _with_repetitions(runs, folder):
            with show(run.id) as say:
                try:
                    if run.blocking_factor not in divisors:
                        divisors[run.blocking_factor] = choose_divisor(run, listener, folder.path.parent, say)
                    conditions = Conditions(listener, divisors[run.blocking_factor], options.force)
                    runner.execute(run, folder.run(run.id), conditions, say)
                except Exception as error:
                    problems.append(f"{run.id}: {' '.join(str(error).split()) or type(error).__name__}")
                    write_text(folder.run(run.id).path / "failure.txt", traceback.format_exc())
                    say(f"failed: {problems[-1]}")
    return problems


def _with_repetitions(runs: Iterable[Run], folder: ResultsFolder) -> Iterator[Run]:
    for run in runs:
        yield run
        record = _record(folder, run)
        if record is not None and record.status == "finished" and record.doubtful:
            yield dataclasses.replace(run, id=f"{run.id}-again")


def _record(folder: ResultsFolder, run: Run) -> RunRecord | None:
    return folder.run(run.id).record() if (folder.run(run.id).path / "record.json").is_file() else None


def give_to_caller(path: Path) -> None:
    """Hand a folder made under sudo to the user who called it."""
    user, group = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
    if user is None or group is None:
        return
    for item in (path, *path.rglob("*")):
        os.chown(item, int(user), int(group), follow_symlinks=False)
