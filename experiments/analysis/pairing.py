"""Which runs of a strategy enter the figures, and by how much two strategies differ over pairs of them.

A pair is two runs with the same seed on the same network: of one folder those of the same repeat, of two folders those
that had the same data, placements and plans to begin with.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from experiments.analysis.estimates import Reduction, Spread, reduction, spread
from experiments.records.record import RunRecord

BASELINE = "default"

Measure = Callable[[RunRecord], "float | None"]
"""A figure of a finished run; None where it has none."""


@dataclass(frozen=True)
class StrategyRuns:
    """The runs of one strategy on one network that enter the figures."""

    strategy: str
    runs: tuple[RunRecord, ...]

    @property
    def doubtful(self) -> bool:
        """Whether doubtful runs had to be used, for want of better ones."""
        return any(record.doubtful for record in self.runs)

    @property
    def simulated(self) -> bool:
        """Whether simulated runs are among them."""
        return any(record.kind == "simulated" for record in self.runs)

    def values(self, measure: Measure) -> dict[int, float]:
        """A figure of each run, by seed."""
        return {record.seed: value for record in self.runs if (value := measure(record)) is not None}

    def spread(self, measure: Measure) -> Spread | None:
        """A figure over all runs; None when none has it."""
        return spread([value for record in self.runs if (value := measure(record)) is not None])


def select(
    records: Iterable[RunRecord], strategy: str, blocking_factor: float | None, include_doubtful: bool = False
) -> StrategyRuns:
    """The runs of one strategy on one network that enter the figures: those not doubtful, or all when there are none.

    Of several runs of one repeat, of which all but one are doubtful, the best one enters: a trusted one, else the last.
    """
    best: dict[int, RunRecord] = {}
    for record in sorted(finished(records, strategy, blocking_factor), key=lambda record: record.started_at):
        held = best.get(record.repeat)
        if held is None or held.doubtful or not record.doubtful:
            best[record.repeat] = record
    trusted = tuple(record for record in best.values() if not record.doubtful)
    return StrategyRuns(strategy, tuple(best.values()) if include_doubtful or not trusted else trusted)


def finished(records: Iterable[RunRecord], strategy: str, blocking_factor: float | None) -> tuple[RunRecord, ...]:
    """All finished runs of a strategy on a network."""
    wanted = (strategy, blocking_factor, "finished")
    return tuple(record for record in records if (record.strategy, record.blocking_factor, record.status) == wanted)


def labels(records: Sequence[RunRecord]) -> list[str]:
    """The strategies of some runs, in the order of the specification."""
    found = list(dict.fromkeys(record.strategy for record in records))
    planned = [strategy["label"] for strategy in records[0].specification.get("strategies", ())]
    return sorted(found, key=lambda label: planned.index(label) if label in planned else len(planned))


def baseline_of(records: Sequence[RunRecord]) -> str:
    """The strategy that the others are compared with: `default`, or the first of the specification."""
    found = labels(records)
    return BASELINE if BASELINE in found else found[0]


def summed_time_s(record: RunRecord) -> float:
    """Sum of the completion times of all jobs, modelled seconds: what the thesis compares (Table 6.2)."""
    return sum(_times_s(record, None).values())


def summed_time_of(jobs: Sequence[str] | None) -> Measure:
    """Sum of the completion times of some jobs, or of all."""
    return lambda record: sum(_times_s(record, jobs).values())


def time_of(job_id: str) -> Measure:
    """Completion time of a job; None in a run that has no such job."""
    return lambda record: next((job.completion_time_s for job in record.jobs if job.job_id == job_id), None)


def cross_rack_bytes(record: RunRecord) -> float:
    """Bytes of all jobs that crossed racks."""
    return float(sum(job.cross_rack_bytes for job in record.jobs))


def local_share(record: RunRecord) -> float | None:
    """Share of all bytes read that came from the reader's own node; None when nothing was read."""
    total = sum(job.read_bytes.total for job in record.jobs)
    return sum(job.read_bytes.local for job in record.jobs) / total if total else None


def change(before: StrategyRuns, after: StrategyRuns, measure: Measure = summed_time_s) -> Reduction | None:
    """By which share a figure is lower over the pairs of both; None without pairs."""
    first, second = before.values(measure), after.values(measure)
    seeds = [seed for seed in second if seed in first]
    return reduction([first[seed] for seed in seeds], [second[seed] for seed in seeds])


def mean_change(before: StrategyRuns, after: StrategyRuns, jobs: Sequence[str] | None) -> Reduction | None:
    """The mean over some jobs, or all, of each one's own change of its completion time, over the pairs of both."""
    first, second = ({run.seed: _times_s(run, jobs) for run in side.runs} for side in (before, after))
    shares = [
        sum(times[job] / first[seed][job] for job in first[seed]) / len(first[seed])
        for seed, times in second.items()
        if seed in first
    ]
    return reduction([1.0] * len(shares), shares)


def _times_s(record: RunRecord, jobs: Sequence[str] | None) -> dict[str, float]:
    return {job.job_id: job.completion_time_s or 0.0 for job in record.jobs if jobs is None or job.job_id in jobs}


def against_fastest(
    records: Iterable[RunRecord], strategies: Sequence[str], blocking_factor: float | None
) -> tuple[str | None, dict[str, Reduction | None]]:
    """The fastest strategy, and by how much each other one that has runs is below it (above, if negative).

    The fastest has the lowest median of the summed time over the seeds that all have, or, where none is common to
    all, over its own; None without runs. A change is None where two have no seed in common.
    """
    records = tuple(records)
    used = {label: found for label in strategies if (found := select(records, label, blocking_factor)).runs}
    if not used:
        return None, {}
    times = {label: found.values(summed_time_s) for label, found in used.items()}
    shared = set.intersection(*(set(column) for column in times.values())) or set().union(*times.values())
    best = min(used, key=lambda label: statistics.median(t for seed, t in times[label].items() if seed in shared))
    return best, {label: change(used[best], found) for label, found in used.items() if label != best}


def cannot_be_told(found: Reduction | None) -> bool:
    """Whether a strategy cannot be told from the fastest by its change against it: not two pairs, or 0 within them."""
    return found is None or found.outcome != "more"
