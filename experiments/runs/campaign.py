"""All runs of an experiment or a sweep, one after the other, into their results folders; how they are done is given."""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence

from experiments.documents.atomic import write_text
from experiments.documents.nofollow import make_folder
from experiments.records.reasons import stop_behind
from experiments.records.record import RecordError, RunRecord, now
from experiments.records.results_folder import Assignment, RunFolder
from experiments.runs.progress import OnProgress, Reporter
from experiments.specification.plan import Run

Execute = Callable[["Assignment", Run, OnProgress], object]
"""Does a run, which is that of the assignment or its repetition, into the assignment's folder."""


def do(assignments: Sequence[Assignment], execute: Execute, reporter: Reporter) -> list[str]:
    """Do those runs that have not finished yet, in the order given.

    A doubtful run is repeated once, as a run of its own; which of the two enters the figures is for the comparison to
    say. A run that fails is recorded so, and the others go on.

    Returns:
        What went wrong, a line for each failed run.

    Raises:
        KeyboardInterrupt, SystemExit: the user stopped it; the runs so far are in their folders.
    """
    problems: list[str] = []
    with reporter.runs(len(unfinished(assignments))) as show:
        for assignment, run in _left_to_do(assignments):
            with show(f"{assignment.prefix}{run.id}") as on_progress:
                problem = attempt(assignment, run, execute, on_progress)
                if problem is not None:
                    problems.append(problem)
                    on_progress(f"failed: {problem}")
    return problems


def attempt(assignment: Assignment, run: Run, execute: Execute, on_progress: OnProgress = lambda _: None) -> str | None:
    """Do a run; what went wrong, in a line, of one that failed and is recorded so.

    Raises:
        KeyboardInterrupt, SystemExit: the user stopped it.
    """
    try:
        execute(assignment, run, on_progress)
    except Exception as error:
        if stopped := stop_behind(error):
            raise stopped from error
        reason = " ".join(str(error).split()) or type(error).__name__
        _note_failure(assignment.folder.run(run.id), run, reason)
        return f"{assignment.prefix}{run.id}: {reason}"
    return None


def _note_failure(folder: RunFolder, run: Run, reason: str) -> None:
    """Keep the exception that is being handled, and a record of the run if it failed before it had one."""
    make_folder(folder.path)
    write_text(folder.path / "failure.txt", traceback.format_exc())
    if not (folder.path / "record.json").is_file():
        with folder.writing(now) as writer:
            writer.save(RunRecord.open(run, now()).failed(now(), reason))


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
    try:
        record = run.record()
    except RecordError as error:
        raise RecordError(f"{error}; move {run.path} away to have the run done again") from error
    return record if record.status == "finished" else None
