"""What the runs of an experiment say about its strategies, and which runs had to be left out."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from experiments.analysis import predictions
from experiments.analysis.estimates import Reduction, Spread, spread
from experiments.analysis.file_figures import FileFigure, file_figures, source
from experiments.analysis.likeness import MixedRunsError, differences, kinds, refuse
from experiments.analysis.pairing import (
    StrategyRuns,
    baseline_of,
    change,
    cross_rack_bytes,
    finished,
    labels,
    local_share,
    select,
    summed_time_s,
    time_of,
)
from experiments.analysis.predictions import FarOff, Predicted
from experiments.records.record import JobRecord, Kind, RunRecord

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class SetAside:
    """A run that is not in the figures, or is in them with a reservation, and why."""

    run_id: str
    strategy: str
    blocking_factor: float | None
    status: str
    reasons: tuple[str, ...]
    used: bool


@dataclass(frozen=True)
class JobSummary:
    """One job under one strategy, over all repeats; `predicted` is what the twin said of these runs."""

    job_id: str
    profile: str
    completion_time_s: Spread
    predicted: Predicted | None
    local_share: Spread | None
    cross_rack_bytes: Spread
    reduction: Reduction | None


@dataclass(frozen=True)
class StrategySummary:
    """One strategy on one network, over all repeats; `reduction` is None for the baseline and without pairs.

    `doubtful` says that its runs are, `reduction_doubtful` that these or the baseline's are; `simulated` that some of
    its runs are. The last two are of runs that retained files.
    """

    strategy: str
    runs: int
    planned: int
    doubtful: bool
    simulated: bool
    jobs: tuple[JobSummary, ...]
    summed_time_s: Spread
    predicted: Predicted | None
    makespan_s: Spread | None
    local_share: Spread | None
    cross_rack_bytes: Spread
    reduction: Reduction | None
    reduction_doubtful: bool
    confirmed_after_s: Spread | None = None
    files: tuple[FileFigure, ...] = ()

    @property
    def fidelity(self) -> Literal["trusted", "doubtful", "simulated"]:
        """In a word: how far its runs are to be trusted."""
        return "simulated" if self.simulated else "doubtful" if self.doubtful else "trusted"


@dataclass(frozen=True)
class NetworkComparison:
    """The strategies on one network; `strategies` lack those of which no run finished.

    The divisors are those of the emulated runs on this network, None when there are none or none got that far.
    """

    blocking_factor: float | None
    rate_divisor: float | None
    volume_divisor: float | None
    baseline: str
    strategies: tuple[StrategySummary, ...]


@dataclass(frozen=True)
class Comparison:
    """All networks of an experiment, and the runs that need a word; `kinds` are several only of mixed runs.

    `published` is where figures of files were published that are beside the measured ones.
    `far_off` are jobs of the runs that entered the figures which the twin says otherwise of, the farthest first.
    """

    experiment: str
    kinds: tuple[Kind, ...]
    networks: tuple[NetworkComparison, ...]
    set_aside: tuple[SetAside, ...]
    far_off: tuple[FarOff, ...]
    mixed: tuple[str, ...]
    published: str = ""


def compare(records: Sequence[RunRecord], allow_mixed: bool = False, include_doubtful: bool = False) -> Comparison:
    """Compare strategies over the finished runs of one experiment.

    Only trusted and simulated runs enter the figures. Where a strategy has none of them on a network, its doubtful runs
    are used and marked; `include_doubtful` uses them everywhere. Failed and interrupted runs are listed and never used.

    Raises:
        MixedRunsError: no records, or they are of both kinds, or come from different machines, versions, divisors or
            workloads, and `allow_mixed` is not set.
    """
    if not records:
        raise MixedRunsError("records: none; run the experiment first")
    mixed = tuple(differences(records))
    if not allow_mixed:
        refuse(mixed)
    found = labels(records)
    factors = sorted({record.blocking_factor for record in records}, key=lambda factor: factor or 0)
    entered: list[RunRecord] = []
    networks, aside = [], [set_aside(record, False) for record in records if record.status != "finished"]
    for factor in factors:
        used = [select(records, label, factor, include_doubtful) for label in found]
        for runs in used:
            doubtful = [record for record in finished(records, runs.strategy, factor) if record.doubtful]
            aside += [set_aside(record, record in runs.runs) for record in doubtful]
            entered += runs.runs
        networks.append(_network(factor, baseline_of(records), used, _planned(records)))
    far_off, published = predictions.far_off(entered), source(records)
    return Comparison(records[0].experiment, kinds(records), tuple(networks), tuple(aside), far_off, mixed, published)


def _planned(records: Sequence[RunRecord]) -> int:
    """Repeats that were asked for."""
    return max(int(record.specification.get("repeats", record.repeat + 1)) for record in records)


def to_json(comparison: Comparison) -> str:
    """The comparison as one JSON object; times in modelled seconds, bytes modelled, shares of 1."""
    return json.dumps({"schema_version": SCHEMA_VERSION, **dataclasses.asdict(comparison)}, indent=1)


def _network(factor: float | None, baseline: str, used: Sequence[StrategyRuns], planned: int) -> NetworkComparison:
    reference = next(found for found in used if found.strategy == baseline)
    emulated = [record for found in used for record in found.runs if record.kind == "emulated"]
    scale = next((record.scale for record in emulated if record.scale), None)
    return NetworkComparison(
        blocking_factor=factor,
        rate_divisor=scale.rate_divisor if scale else None,
        volume_divisor=scale.volume_divisor if scale else None,
        baseline=baseline,
        strategies=tuple(
            _strategy(found, None if found is reference else reference, planned) for found in used if found.runs
        ),
    )


def _strategy(found: StrategyRuns, reference: StrategyRuns | None, planned: int) -> StrategySummary:
    first = min(found.runs, key=lambda record: record.repeat)
    return StrategySummary(
        strategy=found.strategy,
        runs=len(found.runs),
        planned=planned,
        doubtful=found.doubtful,
        simulated=found.simulated,
        jobs=tuple(_job(job, found, reference) for job in sorted(first.jobs, key=lambda j: (j.submitted_s, j.job_id))),
        summed_time_s=_certain(found.spread(summed_time_s)),
        predicted=predictions.of_runs(found.runs),
        makespan_s=found.spread(lambda record: record.makespan_s),
        local_share=found.spread(local_share),
        cross_rack_bytes=_certain(found.spread(cross_rack_bytes)),
        reduction=None if reference is None else change(reference, found),
        reduction_doubtful=found.doubtful or (reference is not None and reference.doubtful),
        confirmed_after_s=found.spread(_confirmed_after_s),
        files=file_figures(found.runs),
    )


def _confirmed_after_s(record: RunRecord) -> float | None:
    """The median, from when something was done to a file until the ledger has confirmed it."""
    after_s = record.retention.confirmed_after_s if record.retention is not None else None
    return None if after_s is None else after_s[1]


def _job(job: JobRecord, found: StrategyRuns, reference: StrategyRuns | None) -> JobSummary:
    def time_s(record: RunRecord) -> float:
        if (found_s := time_of(job.job_id)(record)) is None:
            raise MixedRunsError(f"run {record.run_id}: has no job {job.job_id!r} as the others have; compare it apart")
        return found_s

    same = [other for record in found.runs for other in record.jobs if other.job_id == job.job_id]
    return JobSummary(
        job_id=job.job_id,
        profile=job.profile,
        completion_time_s=_certain(found.spread(time_of(job.job_id))),
        predicted=predictions.of_job(found.runs, job.job_id),
        local_share=spread([share for other in same if (share := other.read_bytes.local_share) is not None]),
        cross_rack_bytes=_certain(spread([float(other.cross_rack_bytes) for other in same])),
        reduction=None if reference is None else change(reference, found, time_s),
    )


def _certain(found: Spread | None) -> Spread:
    assert found is not None  # finished runs have times of all of their jobs
    return found


def set_aside(record: RunRecord, used: bool) -> SetAside:
    """The word that a run needs which did not finish or is doubtful; `used` says whether it is in the figures."""
    if record.status == "finished":
        status = "doubtful"
        reasons = record.fidelity.reasons if record.fidelity else ("its fidelity was not assessed",)
    else:
        status, reasons = record.status, (record.reason or "no reason given",)
    return SetAside(record.run_id, record.strategy, record.blocking_factor, status, reasons, used)


def divisors(comparison: Comparison) -> list[str]:
    """What the emulation divided by, in words; one line, or one for each network when they differ."""
    lines = {
        network.blocking_factor: f"rates by {network.rate_divisor:g} and volumes by {network.volume_divisor:g}"
        for network in comparison.networks
        if network.rate_divisor is not None and network.volume_divisor is not None
    }
    if len(set(lines.values())) <= 1:
        return sorted(set(lines.values()))
    return [f"{line} at blocking factor {factor:g}" for factor, line in lines.items() if factor is not None]
