"""What the constants of TCP and the switches do to an emulation: its links, its losses, the times of its jobs.

    sudo .venv/bin/python run_testbed.py sweep tests/benchmarks/constants.yaml --draws 0
    .venv/bin/python -m tests.benchmarks.bench_constants RESULTS/*-constants/points/*

Runs are told apart by the constants and divisors that their specifications ask for. Times stand over those that the
twin gives for the modelled cluster, whose constants nothing divides.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.records.record import RunRecord
from experiments.records.results_folder import ResultsFolder
from experiments.runs.processes import cores, side_by_side
from experiments.runs.simulated_run import simulate
from experiments.specification.plan import Run
from experiments.specification.resolved_run import resolve
from topologies.constants import Constants
from workloads.scale import Scale

USUAL = ("auto", "engine")
FIGURES = ("cpu_idle_p05", "retransmission_share", "queue_drop_share", "receive_delay_s_p95")


class Group(NamedTuple):
    """Runs that are repeats of each other."""

    constants: str
    scale: Scale
    strategy: str


class Draw(NamedTuple):
    """One simulation of the modelled cluster of a run."""

    run: Run
    scale: Scale
    number: int


def emulated(folders: Sequence[Path]) -> Iterator[tuple[Group, Run, RunRecord]]:
    """The finished runs, doubtful ones included."""
    for path in folders:
        folder = ResultsFolder.open(path)
        records = {record.run_id: record for record in folder.records() if record.status == "finished"}
        for assignment in folder.assignments():
            record = records.get(f"{assignment.run.id}-again") or records.get(assignment.run.id)
            if record is not None and record.scale is not None:
                network = assignment.run.specification.network
                names = [*(field.name for field in dataclasses.fields(Constants)), "connections"]
                asked = {name: getattr(network, name) for name in names}
                label = ", ".join(f"{name} {value}" for name, value in asked.items() if value not in USUAL) or "auto"
                scale = Scale(record.scale.rate_divisor, record.scale.volume_divisor)
                yield Group(label, scale, record.strategy), assignment.run, record


def simulated(draw: Draw) -> dict[str, float]:
    """Modelled time of each job."""
    found = simulate(resolve(draw.run), draw.scale, draw=draw.number)
    return {
        job.job_id: draw.scale.modelled_s(job.finished_s - job.submitted_s)
        for job in found.results
        if job.finished_s is not None
    }


def main() -> int:
    """Simulate, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--processes", type=int, default=cores())
    options = parser.parse_args()
    runs = list(emulated(options.folders))
    wanted = {
        (group.strategy, group.scale, run.seed, number): Draw(run, group.scale, number)
        for group, run, _ in runs
        for number in range(1, options.draws + 1)
    }
    twins: dict[tuple[str, Scale, int], list[dict[str, float]]] = defaultdict(list)
    for draw, future in side_by_side(simulated, list(wanted.values()), options.processes):
        twins[draw.run.strategy.label, draw.scale, draw.run.seed].append(future.result())
    groups: dict[Group, list[tuple[RunRecord, list[dict[str, float]]]]] = defaultdict(list)
    for group, run, record in runs:
        groups[group].append((record, twins[group.strategy, group.scale, run.seed]))
    Console(width=220).print(table(groups))
    return 0


def table(groups: dict[Group, list[tuple[RunRecord, list[dict[str, float]]]]]) -> Table:
    """A row a group: medians over its runs."""
    jobs = list(dict.fromkeys(job.job_id for runs in groups.values() for record, _ in runs for job in record.jobs))
    shown = Table(title="Medians; times over those of the modelled cluster by the twin")
    titles = ("constants", "divisors", "strategy", "runs", "doubtful", "up-links", *FIGURES, "sum", "range", *jobs)
    for column in titles:
        shown.add_column(column, overflow="fold")
    for group, runs in groups.items():
        sums = [ratio(record, twin, [job.job_id for job in record.jobs]) for record, twin in runs]
        figures = [
            np.median([(record.fidelity.figures.get(name) or 0.0) if record.fidelity else np.nan for record, _ in runs])
            for name in FIGURES
        ]
        shown.add_row(
            group.constants,
            f"{group.scale.rate_divisor:g}/{group.scale.volume_divisor:g}",
            group.strategy,
            str(len(runs)),
            str(sum(record.doubtful for record, _ in runs)),
            f"{np.median([record.calibration['error'] for record, _ in runs]):+.1%}",
            *(f"{figure:.3f}" for figure in figures),
            f"{np.median(sums):.3f}",
            f"{min(sums):.2f}..{max(sums):.2f}",
            *(f"{np.median([ratio(record, twin, [job]) for record, twin in runs]):.2f}" for job in jobs),
        )
    return shown


def ratio(record: RunRecord, twin: list[dict[str, float]], jobs: Sequence[str]) -> float:
    """Summed times of some jobs over the twin's mean."""
    times = {job.job_id: job.completion_time_s or 0.0 for job in record.jobs}
    return sum(times[job] for job in jobs) / float(np.mean([sum(draw[job] for job in jobs) for draw in twin]))


if __name__ == "__main__":
    raise SystemExit(main())
