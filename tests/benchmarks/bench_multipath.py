"""What `least-loaded` paths change for a job's shuffle, against `ecmp`: job times, and how evenly up-links are used.

Run as root: `python -m topologies.emulated.isolation -- .venv/bin/python -m tests.benchmarks.bench_multipath`
(`--repeats 5`: five minutes). Two experiments that differ in `controller.multipath` only take turns, with the same
placements. A run has two jobs, one after the other: Connected Components, whose 11 tasks exchange data over some
hundred connections, and a shuffle among 4 tasks, which has few and large flows. `max/mean` is of the bytes on the 8 up-
link ports of a rack.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from experiments.analysis.estimates import mean_interval, spread
from experiments.records.record import JobRecord
from experiments.records.results_folder import ResultsFolder, RunFolder
from experiments.runs import emulated_campaign
from experiments.runs.progress import Reporter
from experiments.specification import specification_file

POLICIES = ("ecmp", "least-loaded")
EXPERIMENT = """
name: {policy}
topology: {{preset: thesis, blocking_factor: [5]}}
strategies: [default]
workload:
  jobs:
    - {{profile: connected-components, job_id: many, input_bytes: 8 GB}}
    - {{profile: {profile}, job_id: few, at_s: 800}}
scale: {{rate_divisor: 8, volume_divisor: 512}}
controller: {{multipath: {policy}, poll_interval_s: {poll_interval_s}}}
seed: {seed}
"""
FEW_LARGE_FLOWS = """
name: few-large-flows
description: A shuffle among four tasks, in which each sends 1.5 GB to each other one.
provenance: Made up for this comparison.
weights: {closeness: 0.5, locality: 0.5}
input_bytes: 1000000000
containers: 5
slots_per_container: 1
memory_mb: 1024
vcores: 1
stages:
  - name: map
    inputs: [{read: input, share: 1}]
  - name: reduce
    inputs: [{from: map, bytes_per_input_byte: 24}]
"""


@dataclass(frozen=True)
class Measured:
    """One job in one run.

    Attributes:
        time_s: completion time, modelled seconds.
        imbalance: bytes on a rack's busiest up-link port over their mean, averaged over racks.
        pinned: how often the controller pinned a flow or moved a pinned one during the run.
        doubtful: whether the machine may have set the times.
    """

    time_s: float
    imbalance: float
    pinned: int
    doubtful: bool


def measure(policy: str, seed: int, poll_interval_s: float, console: Console) -> dict[str, Measured]:
    """Do one run and return its jobs.

    Raises:
        RuntimeError: it failed, or the jobs overlapped.
    """
    with tempfile.TemporaryDirectory() as scratch:
        profile = Path(scratch, "few.yaml")
        profile.write_text(FEW_LARGE_FLOWS)
        text = EXPERIMENT.format(policy=policy, profile=profile, seed=seed, poll_interval_s=poll_interval_s)
        folder = ResultsFolder.create(Path(scratch), specification_file.loads(text), datetime.now().astimezone())
        if problems := emulated_campaign.run_all(folder, emulated_campaign.Options(force=True), Reporter(console)):
            raise RuntimeError("; ".join(problems))
        last = max(folder.records(), key=lambda record: record.run_id)  # the repetition of a doubtful run, if any
        run = folder.run(last.run_id)
        pinned = (run.path / "controller.log").read_text().count('"event": "elephant_pinned"')
        many, few = last.jobs
        if many.finished_s > few.submitted_s:
            raise RuntimeError(f"the jobs overlap: the first took {many.finished_s:.0f} s; submit the second later")
        return {
            job.job_id: Measured(
                job.finished_s - job.submitted_s,
                imbalance(run, job),
                pinned,
                last.doubtful,
            )
            for job in last.jobs
        }


def imbalance(run: RunFolder, job: JobRecord) -> float:
    """Bytes on the busiest of a rack's up-link ports over their mean, averaged over the racks that sent something."""
    sent = (
        run.links()
        .filter(pl.col("link").str.starts_with("t") & (pl.col("direction") == "up"))
        .filter(pl.col("time_s").is_between(job.submitted_s, job.finished_s))
        .group_by(pl.col("link"), rack=pl.col("link").str.split("-").list.first())
        .agg(pl.col("bytes").sum())
        .group_by("rack")
        .agg(worst=pl.col("bytes").max() / pl.col("bytes").mean(), total=pl.col("bytes").sum())
    )
    return float(sent.filter(pl.col("total") > 0)["worst"].mean())  # type: ignore[arg-type]


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--poll-interval", type=float, default=0.5, metavar="S")
    options = parser.parse_args()
    console = Console()
    runs: dict[str, list[dict[str, Measured]]] = {policy: [] for policy in POLICIES}
    for repeat in range(options.repeats):
        for policy in POLICIES if repeat % 2 == 0 else POLICIES[::-1]:
            runs[policy].append(measure(policy, 1 + repeat, options.poll_interval, console))
    for job in ("many", "few"):
        table = Table(title=f"{job} flows")
        for column in ("policy", "job time, s", "least", "most", "max/mean", "pins", "doubtful"):
            table.add_column(column, justify="right")
        for policy in POLICIES:
            measured = [run[job] for run in runs[policy]]
            time_s = spread([one.time_s for one in measured])
            table.add_row(
                policy,
                *(f"{value:.0f}" for value in (time_s.median, time_s.low, time_s.high)),
                f"{statistics.mean(one.imbalance for one in measured):.2f}",
                f"{statistics.mean(one.pinned for one in measured):.0f}",
                str(sum(one.doubtful for one in measured)),
            )
        console.print(table)
        ratios = [treated[job].time_s / plain[job].time_s for plain, treated in zip(*runs.values(), strict=True)]
        low, high = mean_interval(ratios, np.random.default_rng(0))
        console.print(
            f"least-loaded / ecmp, {len(ratios)} pairs: {np.mean(ratios):.3f}, 95 % from {low:.3f} to {high:.3f}"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
