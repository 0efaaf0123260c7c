"""Whether results depend on the volume divisor: changes between strategies, and the times of jobs, at each of them.

    sudo .venv/bin/python run_testbed.py sweep tests/benchmarks/volume-divisors.yaml --draws 0
    .venv/bin/python -m tests.benchmarks.bench_volume_divisors RESULTS/*-volume-divisors/points/*

The bars: sums of job times over those of the default placement within 5 % of each other at all divisors, and the time
of each job within 5 % of that at the smallest one. Medians over repeats, and ranges; runs with one seed are compared.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.records.record import RunRecord
from experiments.records.results_folder import ResultsFolder

BAR = 0.05


class Key(NamedTuple):
    """One run of a divisor."""

    divisor: float
    strategy: str
    repeat: int


def main() -> int:
    """Print both tables; 1 when a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    options = parser.parse_args()
    runs = dict(finished(options.folders))
    console = Console(width=160)
    changes, spread = sums_table(runs)
    console.print(changes)
    jobs, worst = jobs_table(runs)
    console.print(jobs)
    console.print(f"changes differ by {spread:.1%}, times of jobs by up to {worst:.1%}; bar {BAR:.0%}")
    return int(max(spread, worst) > BAR)


def finished(folders: Iterable[Path]) -> Iterator[tuple[Key, RunRecord]]:
    """The finished runs, doubtful ones included; a repetition takes the place of its run."""
    for path in folders:
        for record in ResultsFolder.open(path).records():
            if record.status == "finished" and record.scale is not None:
                yield Key(record.scale.volume_divisor, record.strategy, record.repeat), record


def sums_table(runs: Mapping[Key, RunRecord]) -> tuple[Table, float]:
    """Sums over those of the default placement, by divisor; and how far their medians are apart, relatively."""
    strategies = [name for name in dict.fromkeys(key.strategy for key in runs) if name != "default"]
    table = Table("volume divisor", "runs", "doubtful", "default, s", *strategies)
    medians: dict[str, list[float]] = {name: [] for name in strategies}
    for divisor in sorted({key.divisor for key in runs}):
        mine = {key: record for key, record in runs.items() if key.divisor == divisor}
        cells = []
        for name in strategies:
            over = ratios(
                summed, mine, [(key, key._replace(strategy="default")) for key in mine if key.strategy == name]
            )
            medians[name].append(float(np.median(over)))
            cells.append(shown(over))
        default = [summed(record) for key, record in mine.items() if key.strategy == "default"]
        doubtful = sum(record.doubtful for record in mine.values())
        table.add_row(f"{divisor:g}", str(len(mine)), str(doubtful), f"{np.median(default):,.0f}", *cells)
    return table, max(max(found) / min(found) - 1 for found in medians.values())


def jobs_table(runs: Mapping[Key, RunRecord]) -> tuple[Table, float]:
    """Times of each job over those at the smallest divisor; and the farthest median from 1 of those up to 1024."""
    least = min(key.divisor for key in runs)
    jobs = [job.job_id for job in next(iter(runs.values())).jobs]
    table = Table("volume divisor", "strategy", *sorted(jobs), title=f"Times over those at {least:g}")
    worst = 0.0
    for divisor, strategy in sorted({(key.divisor, key.strategy) for key in runs if key.divisor > least}):
        pairs = [
            (key, key._replace(divisor=least)) for key in runs if (key.divisor, key.strategy) == (divisor, strategy)
        ]
        over = {job: ratios(partial(time_of, job), runs, pairs) for job in sorted(jobs)}
        table.add_row(f"{divisor:g}", strategy, *map(shown, over.values()))
        if divisor <= 1024:
            worst = max(worst, *(abs(float(np.median(found)) - 1) for found in over.values()))
    return table, worst


def ratios(
    figure: Callable[[RunRecord], float], runs: Mapping[Key, RunRecord], pairs: Iterable[tuple[Key, Key]]
) -> list[float]:
    """A figure of the first run of each pair over that of the second, where both are there."""
    return [figure(runs[one]) / figure(runs[other]) for one, other in pairs if other in runs]


def summed(record: RunRecord) -> float:
    """The sum of a run's job times."""
    return sum(job.completion_time_s or 0.0 for job in record.jobs)


def time_of(job_id: str, record: RunRecord) -> float:
    """The time of one job."""
    return next(job.completion_time_s or 0.0 for job in record.jobs if job.job_id == job_id)


def shown(values: Sequence[float]) -> str:
    """Median and range."""
    return f"{np.median(values):.3f} ({min(values):.2f}..{max(values):.2f})"


if __name__ == "__main__":
    raise SystemExit(main())
