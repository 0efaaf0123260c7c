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
    runs = plan.resolve(specification)
    problems: list[str] = []
    with listen(isolation.current(), options.http_port) as listener, reporter.runs(len(runs)) as show:
        divisors: dict[float | None, float] = {}
        for run in _left_to_do(runs, folder):
            with show(run.id) as say:
                try:
                    if run.blocking_factor not in divisors:
                        divisors[run.blocking_factor] = choose_divisor(run, listener, folder.path.parent, say)
                    conditions = Conditions(listener, divisors[run.blocking_factor], options.force)
                    runner.execute(run, folder.run(run.id), conditions, say)
                except Exception as error:
                    problems.append(f"{run.id}: {' '.join(str(error).split()) or type(error).__name__}")
                    folder.run(run.id).path.mkdir(parents=True, exist_ok=True)
                    write_text(folder.run(run.id).path / "failure.txt", traceback.format_exc())
                    say(f"failed: {problems[-1]}")
    return problems


def _left_to_do(runs: Iterable[Run], folder: ResultsFolder) -> Iterator[Run]:
    """Runs that have not finished, each followed by its repetition when it is doubtful and has none yet."""
    for run in runs:
        if _finished(folder, run) is None:
            yield run
        again = dataclasses.replace(run, id=f"{run.id}-again")
        record = _finished(folder, run)
        if record is not None and record.doubtful and _finished(folder, again) is None:
            yield again


def _finished(folder: ResultsFolder, run: Run) -> RunRecord | None:
    if not (folder.run(run.id).path / "record.json").is_file():
        return None
    record = folder.run(run.id).record()
    return record if record.status == "finished" else None


def give_to_caller(path: Path) -> None:
    """Hand a results folder made under sudo, and the folder that it lies in, to the user who called it."""
    user, group = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
    if user is None or group is None:
        return
    for item in (path.parent, *path.parent.glob(".rate-divisors.json"), path, *path.rglob("*")):
        os.chown(item, int(user), int(group), follow_symlinks=False)
