"""Whether a correction learnt from pairs of emulated and simulated jobs makes the twin better where it has not learnt.

`python -m tests.benchmarks.bench_twin_correction FOLDER... [--draws 10]` simulates the trusted emulated runs of results
folders as `bench_twin_accuracy` does, and fits the logarithm of a job's emulated over its simulated time by ridge
regression on what the simulation shows of it: use of the up-links while it runs, on the average and of the fullest,
what it sends across racks for their capacity, its stages for its time, local reads, and the jobs beside it. It prints
the errors of jobs without and with the correction, where their workload, or their blocking factor, was left out of the
fit, and the spread of the emulation itself: how far runs of one seed lie from their mean. Ends with 1 unless the
correction halves the median error in both.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from rich.console import Console
from rich.table import Table

from experiments.records import outcome
from experiments.runs.processes import cores, side_by_side
from experiments.runs.simulated_run import simulate
from experiments.specification.plan import Run
from experiments.specification.resolved_run import resolve
from tests.benchmarks.bench_twin_accuracy import Key, emulated
from twin.pool import Tcp
from workloads.scale import Scale

RIDGE = 1.0

Floats = npt.NDArray[np.float64]
Job = tuple[Key, int, str]
"""Workload, blocking factor and strategy; seed; id."""


class Draw(NamedTuple):
    """One simulation of an emulated run."""

    key: Key
    run: Run
    scale: Scale
    number: int


def simulated(draw: Draw) -> dict[str, list[float]]:
    """Of each job its time and features."""
    run = resolve(draw.run)
    tcp = Tcp.of_emulation(run.specification.network.constants(draw.scale))
    found = simulate(run, draw.scale, tcp=tcp, draw=draw.number)
    racks = {host.name: host.rack for host in run.topology.hosts}
    jobs = outcome.job_records(found, draw.scale, racks)
    uplinks = [link.id for link in run.topology.uplinks]
    capacity = sum(link.capacity_mbps for link in run.topology.uplinks) * 1e6 / 8
    use = outcome.link_frame(found, draw.scale).filter(pl.col("link").is_in(uplinks))
    features = {}
    for job in jobs:
        start_s, end_s, time_s = job.submitted_s, job.finished_s or 0.0, job.completion_time_s or 1.0
        of_links = use.filter(pl.col("time_s").is_between(start_s, end_s)).group_by("link", "direction")
        shares = of_links.agg(pl.col("utilisation").mean())["utilisation"].to_numpy()
        beside = sum(
            min(other.finished_s or 0.0, end_s) - max(other.submitted_s, start_s) for other in jobs if other != job
        )
        features[job.job_id] = [
            time_s,
            float(shares.mean()),
            float(shares.max()),
            job.cross_rack_bytes / time_s / capacity,
            1000 * len(job.stages) / time_s,
            job.read_bytes.local_share or 0.0,
            beside / time_s,
        ]
    return features


def held_out(features: Floats, wanted: Floats, groups: list[Hashable]) -> Floats:
    """The correction of each job by a fit without its group, as a logarithm; shape (jobs,)."""
    found = np.zeros(len(wanted))
    for group in dict.fromkeys(groups):
        out = np.array([other == group for other in groups])
        mean, sd = features[~out].mean(axis=0), features[~out].std(axis=0) + 1e-9
        known = np.column_stack([np.ones((~out).sum()), (features[~out] - mean) / sd])
        penalty = RIDGE * np.diag([0.0, *np.ones(features.shape[1])])
        weights = np.linalg.solve(known.T @ known + penalty, known.T @ wanted[~out])
        found[out] = np.column_stack([np.ones(out.sum()), (features[out] - mean) / sd]) @ weights
    return found


def main() -> int:
    """Simulate, fit, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--draws", type=int, default=10)
    options = parser.parse_args()
    measured: dict[Job, list[float]] = defaultdict(list)
    draws = {}
    for key, run, record in emulated(options.folders):
        assert record.scale is not None
        scale = Scale(record.scale.rate_divisor, record.scale.volume_divisor)
        for job in record.jobs:
            measured[key, run.seed, job.job_id].append(job.completion_time_s or 0.0)
        for number in range(1, options.draws + 1):
            draws[key, run.seed, number] = Draw(key, run, scale, number)
    found: dict[Job, list[list[float]]] = defaultdict(list)
    for draw, future in side_by_side(simulated, list(draws.values()), cores()):
        for job_id, features in future.result().items():
            found[draw.key, draw.run.seed, job_id].append(features)
    return report(measured, {job: np.mean(rows, axis=0) for job, rows in found.items()})


def report(measured: dict[Job, list[float]], found: dict[Job, Floats]) -> int:
    """Print the table; 1 unless the correction halves both errors."""
    jobs = list(measured)
    emulation = np.array([np.mean(measured[job]) for job in jobs])
    twin, features = np.array([found[job][0] for job in jobs]), np.array([found[job][1:] for job in jobs])
    wanted = np.log(emulation / twin)
    table = Table(title=f"Median error of {len(jobs)} jobs, and that of nine in ten")
    for name in ("Left out", "The twin", "With the correction"):
        table.add_column(name, justify="right")
    groupings: dict[str, Callable[[Job], Hashable]] = {
        "its workload": lambda job: job[0][0],
        "its blocking factor": lambda job: job[0][1],
    }
    halved = True
    for name, group in groupings.items():
        correction = held_out(features, wanted, [group(job) for job in jobs])
        before, after = (np.abs(np.exp(part) - 1) for part in (-wanted, correction - wanted))
        table.add_row(
            name, *(", ".join(f"{np.percentile(part, at):.1%}" for at in (50, 67, 90)) for part in (before, after))
        )
        halved = halved and bool(np.median(after) <= np.median(before) / 2)
    spreads = [abs(time / np.mean(times) - 1) for times in measured.values() if len(times) > 2 for time in times]
    console = Console()
    console.print(table)
    console.print(
        f"an emulated job of three or more runs of one seed lies {np.median(spreads):.1%} from their mean (median)"
    )
    console.print("the correction halves the error" if halved else "the correction does not halve the error")
    return 0 if halved else 1


if __name__ == "__main__":
    raise SystemExit(main())
