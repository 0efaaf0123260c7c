"""How near the twin comes to emulated runs, and what each part of its physics does for that.

`python -m tests.benchmarks.bench_twin_accuracy FOLDER... [--draws 20]` simulates the trusted emulated runs of results
folders at their own divisors, over several draws of the ways that connections take. It prints, without and with each
correction one after the other, the sum of the job times over the emulated one for each strategy, and the median and
90th percentile of the errors of single jobs, each over the means of all runs of a strategy and job; then, with all
corrections, how far bytes across racks and local reads differ, and the change of each strategy against the default,
with the 95 % interval of the emulated one, as the spread of the draws makes it. Ends with 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from experiments.records import outcome
from experiments.records.record import JobRecord, RunRecord
from experiments.records.results_folder import ResultsFolder
from experiments.runs.processes import cores, side_by_side
from experiments.runs.simulated_run import simulate
from experiments.specification.plan import Run
from experiments.specification.resolved_run import resolve
from topologies.constants import UNSCALED, Constants
from twin.pool import LOSS, QUEUED_SHARE, Tcp
from workloads.scale import Scale

JOB_MEDIAN_BAR, JOB_P90_BAR, SUM_BAR, BYTES_BAR, CHANGE_BAR = 0.05, 0.12, 0.05, 0.01, 0.03

Floats = npt.NDArray[np.float64]
Key = tuple[str, float | None, str]
"""Jobs of the workload, blocking factor, strategy."""
Times = dict[tuple[Key, str], list[float]]
"""Completion times of each job, over runs and draws."""


def corrections(constants: Constants) -> Mapping[str, Tcp]:
    """The physics, each with one correction more."""
    queue = QUEUED_SHARE * constants.queue_bytes
    return {
        "a fluid": Tcp(goodput=1.0),
        "goodput": Tcp(),
        "queues of full links": Tcp(queue_bytes=queue),
        "losses of messages": Tcp(queue_bytes=queue, loss=LOSS, rto_s=constants.rto_min_s),
        "slow start": Tcp.of_emulation(constants),
    }


@dataclass(frozen=True)
class Draw:
    """One simulation of a run with some of the corrections."""

    name: str
    key: Key
    run: Run
    scale: Scale
    number: int


def simulated(draw: Draw) -> list[JobRecord]:
    """The jobs of a draw."""
    run = resolve(draw.run)
    tcp = corrections(run.specification.network.constants(draw.scale))[draw.name]
    racks = {host.name: host.rack for host in run.topology.hosts}
    return outcome.job_records(simulate(run, draw.scale, tcp=tcp, draw=draw.number), draw.scale, racks)


def emulated(folders: list[Path]) -> Iterator[tuple[Key, Run, RunRecord]]:
    """The trusted runs; of a doubtful one that was repeated, the repetition."""
    for path in folders:
        folder = ResultsFolder.open(path)
        for assignment in folder.assignments():
            again = folder.run(f"{assignment.run.id}-again")
            run = again if (again.path / "record.json").is_file() else folder.run(assignment.run.id)
            record = run.record() if (run.path / "record.json").is_file() else None
            if record is not None and record.state == "trusted":
                profiles = Counter(job.profile for job in record.jobs)
                workload = ", ".join(f"{count} {profile}" for profile, count in sorted(profiles.items()))
                yield (workload, record.blocking_factor, record.strategy), assignment.run, record


def errors(measured: Times, found: Times) -> tuple[dict[Key, float], list[float]]:
    """Of each strategy the sum of its jobs' mean times over the emulated one, and the relative error of every job."""
    totals: dict[Key, list[float]] = defaultdict(lambda: [0.0, 0.0])
    jobs = []
    for (key, job_id), times in measured.items():
        twin, emulation = float(np.mean(found[key, job_id])), float(np.mean(times))
        totals[key][0] += twin
        totals[key][1] += emulation
        jobs.append(abs(twin / emulation - 1))
    return {key: twin / emulation for key, (twin, emulation) in totals.items()}, jobs


def main() -> int:
    """Simulate, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--processes", type=int, default=cores())
    options = parser.parse_args()
    measured: Times = defaultdict(list)
    jobs: dict[tuple[Key, str], list[JobRecord]] = defaultdict(list)
    draws = {}
    for key, run, record in emulated(options.folders):
        assert record.scale is not None
        scale = Scale(record.scale.rate_divisor, record.scale.volume_divisor)
        for job in record.jobs:
            measured[key, job.job_id].append(job.completion_time_s or 0.0)
            jobs[key, job.job_id].append(job)
        for name in corrections(UNSCALED):
            for number in range(1, options.draws + 1):
                draws[name, key, run.seed, scale, number] = Draw(name, key, run, scale, number)
    found: dict[str, Times] = {name: defaultdict(list) for name in corrections(UNSCALED)}
    bytes_off, local_off = [0.0], [0.0]
    for draw, future in side_by_side(simulated, list(draws.values()), options.processes):
        for job in future.result():
            found[draw.name][draw.key, job.job_id].append(job.completion_time_s or 0.0)
            if draw.name == list(corrections(UNSCALED))[-1]:
                compare_bytes(job, jobs[draw.key, job.job_id], bytes_off, local_off)
    return report(measured, found, bytes_off, local_off)


def compare_bytes(job: JobRecord, others: list[JobRecord], bytes_off: list[float], local_off: list[float]) -> None:
    """Note by how much bytes across racks and the share of local reads differ from the mean of the emulated jobs."""
    crossed = float(np.mean([other.cross_rack_bytes for other in others]))
    local = float(np.mean([other.read_bytes.local_share or 0.0 for other in others]))
    bytes_off.append(job.cross_rack_bytes / max(crossed, 1.0) - 1)
    local_off.append((job.read_bytes.local_share or 0.0) - local)


def sums(times: Times, key: Key) -> Floats:
    """Summed job times of each run, or draw, of a strategy."""
    total: Floats = np.sum([values for (of, _), values in times.items() if of == key], axis=0)
    return total


def changes(measured: Times, found: Times) -> Iterator[tuple[Key, float, float, float]]:
    """Of each strategy besides the default: its change emulated and by the twin, and half of the emulated interval."""
    for key in dict.fromkeys(key for key, _ in measured):
        base = (*key[:2], "default")
        if key == base or all(other != base for other, _ in measured):
            continue
        ours, default = sums(measured, key), sums(measured, base)
        twin, twin_default = sums(found, key), sums(found, base)
        change, twin_change = ours.mean() / default.mean() - 1, twin.mean() / twin_default.mean() - 1
        relative = [
            np.std(of) / np.mean(of) / np.sqrt(len(runs)) for of, runs in ((twin, ours), (twin_default, default))
        ]
        yield key, float(change), float(twin_change), float(1.96 * (1 + change) * np.hypot(*relative))


def report(measured: Times, found: Mapping[str, Times], bytes_off: list[float], local_off: list[float]) -> int:
    """Print the table; 1 when a bar is missed with all corrections."""
    table = Table(title="Twin over emulation, without and with one correction more")
    table.add_column("Sums of job times", overflow="fold")
    found_of = {name: errors(measured, times) for name, times in found.items()}
    for name in found_of:
        table.add_column(name, justify="right")
    for key in dict.fromkeys(key for key, _ in measured):
        label = " ".join(str(part) for part in key if part is not None)
        table.add_row(label, *(f"{ratios[key]:.3f}" for ratios, _ in found_of.values()))
    for share in (50, 90):
        label = f"error of a job, {share} %"
        table.add_row(label, *(f"{np.percentile(jobs, share):.1%}" for _, jobs in found_of.values()))
    console = Console()
    console.print(table)
    *_, (ratios, jobs) = found_of.values()
    median, p90 = np.percentile(jobs, [50, 90])
    crossed, local = float(np.mean(bytes_off)), float(np.mean(local_off))
    console.print(f"bytes across racks {crossed:+.2%}, local reads {100 * local:+.2f} points")
    missed = [
        f"sum of {' '.join(map(str, key))}: {ratio:.3f}" for key, ratio in ratios.items() if abs(ratio - 1) > SUM_BAR
    ]
    for key, change, twin_change, half in changes(measured, list(found.values())[-1]):
        label = (
            f"change of {' '.join(map(str, key))}: emulated {change:+.1%} ± {100 * half:.1f}, twin {twin_change:+.1%}"
        )
        console.print(label)
        missed += [label] if abs(twin_change - change) > max(CHANGE_BAR, half) else []
    missed += [f"median error of a job: {median:.1%}"] if median > JOB_MEDIAN_BAR else []
    missed += [f"90th percentile: {p90:.1%}"] if p90 > JOB_P90_BAR else []
    missed += [f"bytes across racks: {crossed:+.2%}"] if abs(crossed) > BYTES_BAR else []
    missed += [f"local reads: {100 * local:+.2f} points"] if abs(local) > BYTES_BAR else []
    for line in missed:
        console.print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
