"""The runs of a campaign by the twin, several at a time, each in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool

from experiments.records import provenance
from experiments.records.outcome import save
from experiments.records.record import RunRecord, ScaleRecord, now
from experiments.records.results_folder import Assignment
from experiments.runs import campaign
from experiments.runs.processes import side_by_side
from experiments.runs.progress import OnProgress, Reporter
from experiments.runs.simulated_run import simulate, without_garbage_collection
from experiments.specification.model import ScaleSpec
from experiments.specification.plan import Run
from experiments.specification.resolved_run import resolve
from workloads.scale import Scale

AUTO_RATE_DIVISOR = 8.0
"""What `auto` is here: as on a machine of two to four cores, so that both have parts and windows of one size."""


def run_all(assignments: Sequence[Assignment], processes: int, reporter: Reporter) -> list[str]:
    """Do those runs that have not finished yet, so many at a time.

    Returns:
        What went wrong, a line for each failed run.

    Raises:
        ProcessesError: this machine lets processes share nothing.
        KeyboardInterrupt, SystemExit: the user stopped it; the runs so far are in their folders.
    """
    left = campaign.unfinished(assignments)
    if min(processes, len(left)) < 2:
        return campaign.do(left, execute, reporter)
    problems: list[str] = []
    lost: list[Assignment] = []
    with reporter.runs(len(left)) as show:
        last_s = time.monotonic()
        for assignment, future in side_by_side(_attempt, left, min(processes, len(left))):
            try:
                problem = future.result()
            except BrokenProcessPool:
                lost.append(assignment)
                continue
            with show(f"{assignment.prefix}{assignment.run.id}", last_s) as on_progress:
                on_progress("finished" if problem is None else f"failed: {problem}")
            problems += [] if problem is None else [problem]
            last_s = time.monotonic()
    if undone := campaign.unfinished(lost):  # some may have finished just before
        problems.append(
            f"{len(undone)} runs: a process was killed, maybe for want of memory; go on with fewer --processes"
        )
    return problems


def execute(assignment: Assignment, run: Run, on_progress: OnProgress = lambda _: None) -> RunRecord:
    """Do one run and write its record.

    Raises:
        Exception: whatever made the run fail; the record says so as well.
    """
    resolved = resolve(run)
    scale = _scale(run.specification.scale)
    with assignment.folder.run(run.id).writing(now) as writer, without_garbage_collection():
        record = RunRecord.open(
            resolved,
            now(),
            kind="simulated",
            scale=ScaleRecord(rate_divisor=scale.rate_divisor, volume_divisor=scale.volume_divisor),
            provenance=provenance.of_simulation(run),
        )
        writer.save(record)
        outcome = simulate(resolved, scale, on_progress, ledger=writer.folder.retention)
        return save(resolved, writer, record, outcome, scale, now(), None)


def _scale(wanted: ScaleSpec) -> Scale:
    rate_divisor = AUTO_RATE_DIVISOR if wanted.rate_divisor == "auto" else wanted.rate_divisor
    return Scale(rate_divisor, wanted.volume_divisor_for(rate_divisor))


def _attempt(assignment: Assignment) -> str | None:
    return campaign.attempt(assignment, assignment.run, execute)
