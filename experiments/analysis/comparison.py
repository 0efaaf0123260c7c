"""What the runs of an experiment say about its strategies, and which runs had to be left out."""

from __future__ import annotations

import dataclasses
import json
import statistics
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from experiments.analysis.estimates import Reduction, Spread, reduction, spread
from experiments.errors import ExperimentError
from experiments.records.record import JobRecord, RunRecord

Value = TypeVar("Value", bound=Hashable)

SCHEMA_VERSION = 1
BASELINE = "default"
ORIGIN = ("machine", "kernel", "versions", "datapath", "congestion_control")
"""What of a run's provenance must be the same for its times to be compared."""


class MixedRunsError(ExperimentError):
    """Runs that cannot be compared; the message says in what they differ."""


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
    """One job under one strategy, over all repeats."""

    job_id: str
    profile: str
    completion_time_s: Spread
    local_share: Spread | None
    cross_rack_bytes: Spread
    reduction: Reduction | None


@dataclass(frozen=True)
class StrategySummary:
    """One strategy on one network, over all repeats; `reduction` is None for the baseline and without pairs.

    `doubtful` says that its runs are, `reduction_doubtful` that these or the baseline's are.
    """

    strategy: str
    runs: int
    planned: int
    doubtful: bool
    jobs: tuple[JobSummary, ...]
    summed_time_s: Spread
    makespan_s: Spread | None
    local_share: Spread | None
    cross_rack_bytes: Spread
    reduction: Reduction | None
    reduction_doubtful: bool


@dataclass(frozen=True)
class NetworkComparison:
    """The strategies on one network; `strategies` lack those of which no run finished.

    The divisors are those of the runs on this network, None when no run got that far.
    """

    blocking_factor: float | None
    rate_divisor: float | None
    volume_divisor: float | None
    baseline: str
    strategies: tuple[StrategySummary, ...]


@dataclass(frozen=True)
class Comparison:
    """All networks of an experiment, and the runs that need a word."""

    experiment: str
    networks: tuple[NetworkComparison, ...]
    set_aside: tuple[SetAside, ...]
    mixed: tuple[str, ...]


def compare(records: Sequence[RunRecord], allow_mixed: bool = False, include_doubtful: bool = False) -> Comparison:
    """Compare strategies over the finished runs of one experiment.

    Only trusted runs enter the figures. Where a strategy has none of them on a network, its doubtful runs are used and
    marked; `include_doubtful` uses them everywhere. Failed and interrupted runs are listed and never used.

    Raises:
        MixedRunsError: no records, or they come from different machines, versions, divisors or workloads and
            `allow_mixed` is not set.
    """
    if not records:
        raise MixedRunsError("records: none; run the experiment first")
    mixed = tuple(differences(records))
    if not allow_mixed:
        refuse(mixed)
    labels = _labels(records)
    factors = sorted({record.blocking_factor for record in records}, key=lambda factor: factor or 0)
    networks, aside = [], [set_aside(record, False) for record in records if record.status != "finished"]
    for factor in factors:
        used: dict[str, list[RunRecord]] = {}
        for label in labels:
            used[label] = list(used_records(records, label, factor, include_doubtful))
            doubtful = [record for record in _finished(records, label, factor) if record.doubtful]
            aside += [set_aside(record, record in used[label]) for record in doubtful]
        networks.append(_network(factor, baseline_of(records), used, _planned(records)))
    return Comparison(records[0].experiment, tuple(networks), tuple(aside), mixed)


def _planned(records: Sequence[RunRecord]) -> int:
    """Repeats that were asked for."""
    return max(int(record.specification.get("repeats", record.repeat + 1)) for record in records)


def baseline_of(records: Sequence[RunRecord]) -> str:
    """The strategy that the others are compared with: `default`, or the first of the specification."""
    labels = _labels(records)
    return BASELINE if BASELINE in labels else labels[0]


def _labels(records: Sequence[RunRecord]) -> list[str]:
    """The strategies of some runs, in the order of the specification."""
    labels = _in_order(record.strategy for record in records)
    planned = [strategy["label"] for strategy in records[0].specification.get("strategies", ())]
    return sorted(labels, key=lambda label: planned.index(label) if label in planned else len(planned))


def used_records(
    records: Iterable[RunRecord], strategy: str, blocking_factor: float | None, include_doubtful: bool = False
) -> tuple[RunRecord, ...]:
    """The runs of one strategy on one network that enter the figures: the trusted ones, or all when there are none.

    Of several runs of one repeat, of which all but one are doubtful, the best one enters: a trusted one, else the last.
    """
    best: dict[int, RunRecord] = {}
    for record in sorted(_finished(records, strategy, blocking_factor), key=lambda record: record.started_at):
        held = best.get(record.repeat)
        if held is None or held.doubtful or not record.doubtful:
            best[record.repeat] = record
    trusted = tuple(record for record in best.values() if not record.doubtful)
    return tuple(best.values()) if include_doubtful or not trusted else trusted


def _finished(records: Iterable[RunRecord], strategy: str, factor: float | None) -> tuple[RunRecord, ...]:
    wanted = (strategy, factor, "finished")
    return tuple(record for record in records if (record.strategy, record.blocking_factor, record.status) == wanted)


def refuse(mixed: Sequence[str]) -> None:
    """Raise the error that runs which differ in something (`differences`) are not compared.

    Raises:
        MixedRunsError: they differ.
    """
    if mixed:
        raise MixedRunsError(f"runs differ in {'; '.join(mixed)}; compare them apart, or allow mixed runs")


def against_fastest(
    records: Iterable[RunRecord], strategies: Sequence[str], blocking_factor: float | None
) -> tuple[str | None, dict[str, Reduction | None]]:
    """The fastest strategy, and by how much each other one that has runs is below it (above, if negative).

    The fastest has the lowest median of the summed time over the repeats that all have, or, where none is common to
    all, over its own; None without runs. A change is None where two have no repeat in common.
    """
    records = tuple(records)
    used = {label: runs for label in strategies if (runs := list(used_records(records, label, blocking_factor)))}
    if not used:
        return None, {}
    times = {label: {run.repeat: summed_time_s(run) for run in runs} for label, runs in used.items()}
    shared = set.intersection(*(set(column) for column in times.values())) or set().union(*times.values())
    best = min(used, key=lambda label: statistics.median(t for repeat, t in times[label].items() if repeat in shared))
    return best, {label: _paired(used[best], runs, summed_time_s) for label, runs in used.items() if label != best}


def cannot_be_told(change: Reduction | None) -> bool:
    """Whether a strategy cannot be told from the fastest by its change against it: not two pairs, or 0 within them."""
    return change is None or change.outcome != "more"


def origins(records: Iterable[RunRecord]) -> list[str]:
    """In what finished runs differ that says where, with what and at which scale they were made, with the values.

    Divisors may differ between networks: those of each are chosen for it.
    """
    finished = [record for record in records if record.status == "finished"]
    found = [_several(name, (getattr(record.provenance, name) for record in finished)) for name in ORIGIN]
    for label in _in_order(record.strategy for record in finished):
        hashes = (record.provenance.strategy_sha256 for record in finished if record.strategy == label)
        found.append(_several(f"the module of {label}", hashes))
    for factor in _in_order(record.blocking_factor for record in finished):
        scales = [record.scale for record in finished if record.blocking_factor == factor and record.scale]
        for name in ("rate_divisor", "volume_divisor"):
            found.append(_several(name, (getattr(scale, name) for scale in scales)))
    return list(filter(None, found))


def differences(records: Iterable[RunRecord]) -> list[str]:
    """In what finished runs differ that would make a comparison meaningless, each with the values."""
    finished = [record for record in records if record.status == "finished"]
    found = origins(finished)
    for part in ("workload", "node", "data", "network", "failures"):
        if text := _several(part, (record.specification.get(part) for record in finished)):
            found.append(text)
    cells = [(r.strategy, r.blocking_factor, r.repeat) for r in finished if not r.doubtful]
    twice = next((cell for cell in cells if cells.count(cell) > 1), None)
    if twice is not None:
        found.append(f"origin (repeat {twice[2]} of {twice[0]} is there twice)")
    return found


def _several(name: str, values: Iterable[object]) -> str:
    """A name and its values when there is more than one, else nothing."""
    texts = _in_order(json.dumps(value, sort_keys=True) for value in values)
    shown = [text if len(text) < 40 else f"{text[:37]}..." for text in texts[:3]]
    return f"{name} ({', '.join(shown)})" if len(texts) > 1 else ""


def to_json(comparison: Comparison) -> str:
    """The comparison as one JSON object; times in modelled seconds, bytes modelled, shares of 1."""
    return json.dumps({"schema_version": SCHEMA_VERSION, **dataclasses.asdict(comparison)}, indent=1)


def _network(factor: float | None, baseline: str, used: dict[str, list[RunRecord]], planned: int) -> NetworkComparison:
    reference = used[baseline]
    summaries = [
        _strategy(label, runs, [] if label == baseline else reference, planned) for label, runs in used.items() if runs
    ]
    scale = next((record.scale for runs in used.values() for record in runs if record.scale), None)
    return NetworkComparison(
        blocking_factor=factor,
        rate_divisor=scale.rate_divisor if scale else None,
        volume_divisor=scale.volume_divisor if scale else None,
        baseline=baseline,
        strategies=tuple(summaries),
    )


def _strategy(label: str, runs: list[RunRecord], reference: list[RunRecord], planned: int) -> StrategySummary:
    first = min(runs, key=lambda record: record.repeat)
    jobs = []
    for job in sorted(first.jobs, key=lambda job: (job.submitted_s, job.job_id)):
        same = [found for record in runs for found in record.jobs if found.job_id == job.job_id]
        jobs.append(
            JobSummary(
                job_id=job.job_id,
                profile=job.profile,
                completion_time_s=_certain([_time(found) for found in same]),
                local_share=spread([s for found in same if (s := found.read_bytes.local_share) is not None]),
                cross_rack_bytes=_certain([float(found.cross_rack_bytes) for found in same]),
                reduction=_paired(reference, runs, lambda record, job=job: _time(_job(record, job.job_id))),  # type: ignore[misc]
            )
        )
    return StrategySummary(
        strategy=label,
        runs=len(runs),
        planned=planned,
        doubtful=any(record.doubtful for record in runs),
        jobs=tuple(jobs),
        summed_time_s=_certain([summed_time_s(record) for record in runs]),
        makespan_s=spread([record.makespan_s for record in runs if record.makespan_s is not None]),
        local_share=spread([share for record in runs if (share := local_share(record)) is not None]),
        cross_rack_bytes=_certain([float(sum(job.cross_rack_bytes for job in record.jobs)) for record in runs]),
        reduction=_paired(reference, runs, summed_time_s),
        reduction_doubtful=any(record.doubtful for record in (*reference, *runs)),
    )


def summed_time_s(record: RunRecord) -> float:
    """Sum of the completion times of all jobs, modelled seconds: what the thesis compares (Table 6.2)."""
    return sum(_time(job) for job in record.jobs)


def local_share(record: RunRecord) -> float | None:
    """Share of all bytes read that came from the reader's own node; None when nothing was read."""
    total = sum(job.read_bytes.total for job in record.jobs)
    return sum(job.read_bytes.local for job in record.jobs) / total if total else None


def _paired(
    reference: list[RunRecord], runs: list[RunRecord], time_s: Callable[[RunRecord], float]
) -> Reduction | None:
    """Reduction over the repeats that both sides have."""
    before = {record.repeat: record for record in reference}
    pairs = [(before[record.repeat], record) for record in runs if record.repeat in before]
    return reduction([time_s(first) for first, _ in pairs], [time_s(second) for _, second in pairs])


def _job(record: RunRecord, job_id: str) -> JobRecord:
    for job in record.jobs:
        if job.job_id == job_id:
            return job
    raise MixedRunsError(f"run {record.run_id}: has no job {job_id!r} as the others have; compare it apart")


def _time(job: JobRecord) -> float:
    assert job.completion_time_s is not None  # finished runs have finished jobs only
    return job.completion_time_s


def _certain(values: list[float]) -> Spread:
    found = spread(values)
    assert found is not None  # of at least one run
    return found


def set_aside(record: RunRecord, used: bool) -> SetAside:
    """The word that a run needs which did not finish or is doubtful; `used` says whether it is in the figures."""
    if record.status == "finished":
        status = "doubtful"
        reasons = record.fidelity.reasons if record.fidelity else ("its fidelity was not assessed",)
    else:
        status, reasons = record.status, (record.reason or "no reason given",)
    return SetAside(record.run_id, record.strategy, record.blocking_factor, status, reasons, used)


def _in_order(values: Iterable[Value]) -> list[Value]:
    """Distinct values in the order of their first appearance."""
    return list(dict.fromkeys(values))


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
