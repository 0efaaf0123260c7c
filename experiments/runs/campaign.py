"""All runs of an experiment or a sweep, one after the other, into their results folders."""

from __future__ import annotations

import dataclasses
import socket
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from experiments.documents.atomic import write_text
from experiments.records.record import RunRecord
from experiments.records.results_folder import Assignment, ResultsFolder, RunFolder
from experiments.runs import emulated_run
from experiments.runs.controller_process import listen
from experiments.runs.emulated_run import Conditions
from experiments.runs.progress import OnProgress, Reporter
from experiments.runs.rate_divisor import choose_divisor
from experiments.specification import plan
from experiments.specification.plan import Run
from experiments.specification.resolved_run import ResolvedRun, resolve
from topologies.emulated import isolation

Execute = Callable[["Assignment", Run, OnProgress], object]
"""Does a run, which is that of the assignment or its repetition, into the assignment's folder."""


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
    """Do those runs of a results folder that have not finished yet: see `emulate`."""
    runs = plan.runs_of(folder.specification())
    return emulate([Assignment(folder, run) for run in runs], folder.path.parent, options, reporter)


def emulate(assignments: Sequence[Assignment], cache_folder: Path, options: Options, reporter: Reporter) -> list[str]:
    """Do those runs that have not finished yet, in the order given.

    A doubtful run is repeated once, as a run of its own; which of the two enters the figures is for the comparison to
    say. A run that fails is recorded so, and the others go on.

    Returns:
        What went wrong, a line for each failed run.

    Raises:
        ControllerError: the port is taken.
        KeyboardInterrupt, SystemExit: the user stopped it; the runs so far are in their folders.
    """
    with listen(isolation.current(), options.http_port) as listener:
        return do(assignments, _Emulation(listener, cache_folder, options.force).execute, reporter)


def do(assignments: Sequence[Assignment], execute: Execute, reporter: Reporter) -> list[str]:
    """What `emulate` does, with `execute` doing each run."""
    problems: list[str] = []
    with reporter.runs(len(unfinished(assignments))) as show:
        for assignment, run in _left_to_do(assignments):
            name = f"{assignment.prefix}{run.id}"
            with show(name) as on_progress:
                try:
                    execute(assignment, run, on_progress)
                except Exception as error:
                    if stopped := _stopped(error):
                        raise stopped from error
                    reason = " ".join(str(error).split()) or type(error).__name__
                    problems.append(f"{name}: {reason}")
                    _note_failure(assignment.folder.run(run.id), run, reason)
                    on_progress(f"failed: {problems[-1]}")
    return problems


def _note_failure(folder: RunFolder, run: Run, reason: str) -> None:
    """Keep the exception that is being handled, and a record of the run if it failed before it had one."""
    folder.path.mkdir(parents=True, exist_ok=True)
    write_text(folder.path / "failure.txt", traceback.format_exc())
    if not (folder.path / "record.json").is_file():
        with folder.writing(emulated_run.now) as writer:
            writer.save(RunRecord.open(run, emulated_run.now()).failed(emulated_run.now(), reason))


def _stopped(error: BaseException | None) -> KeyboardInterrupt | SystemExit | None:
    """The user's stop, while which the error came up."""
    while error is not None and not isinstance(error, KeyboardInterrupt | SystemExit):
        error = error.__context__
    return error


def unfinished(assignments: Iterable[Assignment]) -> list[Assignment]:
    """Those whose run has not finished, or is doubtful and has no finished repetition."""
    return [assignment for assignment in assignments if next(_left_to_do([assignment]), None) is not None]


def _left_to_do(assignments: Iterable[Assignment]) -> Iterator[tuple[Assignment, Run]]:
    """Runs that have not finished, each followed by its repetition when it is doubtful and has none yet."""
    for assignment in assignments:
        folder, run = assignment.folder, assignment.run
        if _finished(folder.run(run.id)) is None:
            yield assignment, run
        again = dataclasses.replace(run, id=f"{run.id}-again")
        record = _finished(folder.run(run.id))
        if record is not None and record.doubtful and _finished(folder.run(again.id)) is None:
            yield assignment, again


def _finished(run: RunFolder) -> RunRecord | None:
    if not (run.path / "record.json").is_file():
        return None
    record = run.record()
    return record if record.status == "finished" else None


@dataclass
class _Emulation:
    """Does runs on this machine, those that are to be compared with the same rate divisor."""

    listener: socket.socket
    cache_folder: Path
    force: bool
    _divisors: dict[str, float] = field(default_factory=dict)

    def execute(self, assignment: Assignment, run: Run, on_progress: OnProgress) -> RunRecord:
        resolved = resolve(run)
        conditions = Conditions(self.listener, self._divisor(assignment.folder, resolved, on_progress), self.force)
        return emulated_run.execute(resolved, assignment.folder.run(run.id), conditions, on_progress)

    def _divisor(self, folder: ResultsFolder, run: ResolvedRun, on_progress: OnProgress) -> float:
        """That of the folder's runs on the same network, else the choice for this network."""
        for record in folder.records():
            same = record.status == "finished" and record.blocking_factor == run.blocking_factor
            if same and record.scale is not None:
                return record.scale.rate_divisor
        key = f"{run.topology.to_json()}\n{run.specification.model_dump_json(include={'network', 'scale'})}"
        if key not in self._divisors:
            self._divisors[key] = choose_divisor(run, self.listener, self.cache_folder, on_progress)
        return self._divisors[key]
