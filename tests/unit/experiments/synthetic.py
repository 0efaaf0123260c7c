"""Results of an experiment that never ran: a plausible outcome, written down by the code that writes down real ones."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np

from experiments.records.conversion import Decision
from experiments.records.delays import Delays, LinkDelays
from experiments.records.draws import predicted
from experiments.records.outcome import Outcome, save
from experiments.records.prediction import Cause, JobPrediction, LinkUse, PredictedTime, Prediction
from experiments.records.record import Kind, RunRecord
from experiments.records.results_folder import ResultsFolder
from experiments.records.sweep_folder import SweepFolder
from experiments.records.verdict import Sample, Watched, assess
from experiments.runs.network_calibration import AggregateMeasurement
from experiments.specification.model import Specification
from experiments.specification.plan import Run, runs_of
from experiments.specification.specification_file import load, override
from experiments.specification.sweep import Sweep
from placement import CostTerms
from topologies.topology import Direction, Topology
from workloads.coordination.cluster import AgentError
from workloads.coordination.events import Event, JobResult, StageResult, Transfers
from workloads.scale import Scale

START = datetime(2026, 3, 2, 9, 30, tzinfo=timezone.utc)
WORKLOAD = (
    ("kmeans-1", "kmeans", 0.0, 210.0, 0.55, 8e9),
    ("cc-1", "connected-components", 10.0, 260.0, 0.7, 25e9),
    ("q3-1", "tpch-q3", 20.0, 520.0, 0.4, 250e9),
    ("q10-1", "tpch-q10", 30.0, 480.0, 0.35, 250e9),
    ("q10-2", "tpch-q10", 40.0, 490.0, 0.35, 250e9),
)
"""Job id, profile, submission, time without the network, share of network time, input bytes."""

SPREADING = {"default": 1.0, "random": 1.05, "neawa": 0.45, "coloc": 0.6}
SCALE = Scale(rate_divisor=8, volume_divisor=128)
VERSIONS = {"python": "3.11.7", "placement-testbed": "0.1.0"}


def specification(*assignments: str) -> Specification:
    """One repeat of the preset with some values replaced."""
    return override(load("thesis"), ["repeats=1", *assignments])


def results(
    parent: Path,
    *assignments: str,
    doubtful: tuple[str, ...] = (),
    failed: tuple[str, ...] = (),
    kind: Kind = "emulated",
) -> ResultsFolder:
    """A results folder whose runs have all been written; `doubtful` and `failed` name runs."""
    spec = specification(*assignments)
    folder = ResultsFolder.create(parent, spec, START)
    for number, run in enumerate(runs_of(spec)):
        started = START + timedelta(minutes=7 * number)
        write_run(folder, run, started, run.id in doubtful, run.id in failed, kind)
    return folder


def swept(
    parent: Path,
    sweep: Sweep,
    doubtful: tuple[str, ...] = (),
    failed: tuple[str, ...] = (),
    kind: Kind = "emulated",
) -> SweepFolder:
    """A sweep's folder whose runs have all been written; `doubtful` and `failed` name them with their points."""
    folder = SweepFolder.create(parent, sweep, START)
    for number, assignment in enumerate(folder.assignments()):
        name = f"{assignment.prefix}{assignment.run.id}"
        started = START + timedelta(minutes=7 * number)
        write_run(assignment.folder, assignment.run, started, name in doubtful, name in failed, kind)
    return folder


def predict(folder: ResultsFolder, far: str = "") -> None:
    """Give the finished runs predictions: of one job far from its time, of the others near."""
    for run in folder.runs():
        record = run.record()
        if record.status != "finished":
            continue
        times_s = {
            job.job_id: (job.completion_time_s or 0.0) * (0.7 if job.job_id == far else 1.01) for job in record.jobs
        }
        cause = Cause(
            stage="join",
            longer_s=30.0,
            links=(LinkUse(link="t1-c1/2", direction="up", utilisation=0.97, predicted_utilisation=0.71, drops=12),),
        )
        prediction = Prediction(
            draws=60,
            summed_time=_said(sum(times_s.values())),
            jobs=tuple(
                JobPrediction(
                    job_id=job.job_id,
                    completion_time=_said(times_s[job.job_id]),
                    cross_rack_bytes=job.cross_rack_bytes,
                    local_share=job.read_bytes.local_share,
                    cause=cause if job.job_id == far else None,
                )
                for job in record.jobs
            ),
        )
        with run.writing(lambda: START) as writer:
            writer.save(predicted(record, prediction))


def _said(mean_s: float) -> PredictedTime:
    return PredictedTime(mean_s=mean_s, sd_s=0.05 * mean_s, low_s=0.92 * mean_s, high_s=1.1 * mean_s)


def opened(run: Run, started: datetime = START, kind: Kind = "emulated") -> RunRecord:
    """The record of a run that has just started."""
    scale = {"rate_divisor": SCALE.rate_divisor, "volume_divisor": SCALE.volume_divisor}
    if kind == "simulated":
        return RunRecord.open(run, started, kind=kind, scale=scale, provenance={"versions": VERSIONS})
    measured = AggregateMeasurement(256, 64, 64, fair_mbps=400.0, measured_mbps=395.2)
    return RunRecord.open(
        run,
        started,
        scale=scale,
        provenance={
            "machine": "5f0c2a9be1d7",
            "cpu_model": "Example CPU at 2.5 GHz",
            "cpu_count": 2,
            "memory_bytes": 24 * 2**30,
            "kernel": "6.1.0",
            "datapath": "userspace",
            "congestion_control": "cubic",
            "tc_state_sha256": "9f" * 32,
            "versions": {**VERSIONS, "openvswitch": "3.1.0"},
        },
        calibration={**asdict(measured), "error": measured.error, "shortfall": measured.shortfall, "attempt": 1},
    )


def write_run(
    folder: ResultsFolder,
    run: Run,
    started: datetime,
    doubtful: bool = False,
    failed: bool = False,
    kind: Kind = "emulated",
) -> None:
    """Write the record and the series of one run, as a run does; a simulated one has neither samples nor readings."""
    rng = np.random.default_rng([run.seed, len(run.strategy.label)])
    ended = started + timedelta(minutes=5)
    with contextlib.suppress(AgentError), folder.run(run.id).writing(lambda: ended) as writer:
        record = opened(run, started, kind)
        writer.save(record)
        if failed:
            raise AgentError("agent of h3: process ended before it was ready")
        outcome = _outcome(run, rng, doubtful)
        if kind == "simulated":
            outcome.watched, outcome.link_readings, fidelity = Watched(), [], None
        else:
            fidelity = assess(outcome.watched, run.specification.fidelity, 0.012, None, outcome.decision_share)
        save(run, writer, record, outcome, SCALE, ended, fidelity)


def _outcome(run: Run, rng: np.random.Generator, doubtful: bool) -> Outcome:
    topology = run.build_topology()
    outcome = Outcome(START.timestamp())
    for job in WORKLOAD:
        result, events = _job(run, topology, job, rng)
        outcome.results.append(result)
        outcome.kept += events
        terms = {one.name: min(1.0, _spreading(run) * rng.uniform(0.3, 0.7)) for one in fields(CostTerms)}
        outcome.decisions[result.job_id] = Decision(result.placement, terms, 0.01)
    outcome.deciding_s = 0.05
    outcome.kept.sort(key=lambda event: event.times_s[0] if isinstance(event, Transfers) else event.time_s)
    outcome.link_readings += _readings(topology, outcome.results, _spreading(run), rng)
    outcome.watched = Watched(_samples(rng, doubtful), _delays(topology, rng))
    return outcome


def _delays(topology: Topology, rng: np.random.Generator) -> Delays:
    ways: tuple[Direction, ...] = ("up", "down")
    delays_s = rng.exponential(0.001, size=(len(topology.links), 2, 200))
    links = tuple(
        LinkDelays(link.id, way, 200, 0, float(mine.mean()), float(np.percentile(mine, 99)), float(mine.max()))
        for link, both in zip(topology.links, delays_s, strict=True)
        for way, mine in zip(ways, both, strict=True)
    )
    return Delays(links, float(np.percentile(delays_s, 99)), 0.05)


def _spreading(run: Run) -> float:
    return SPREADING.get(run.strategy.label, 0.8)


def _job(
    run: Run, topology: Topology, job: tuple[str, str, float, float, float, float], rng: np.random.Generator
) -> tuple[JobResult, list[Event | Transfers]]:
    """What a job did and the events that tell of it, with the same bytes in both."""
    job_id, profile, at_s, base_s, network, input_bytes = job
    spreading, factor = _spreading(run), run.blocking_factor or 1.0
    time_s = base_s * (1 - network + network * (0.5 + 0.5 * spreading * factor / 5 * 2)) * rng.normal(1, 0.015)
    hosts = [host.name for host in topology.hosts]
    used = max(2, round(spreading * len(hosts)))
    favoured = rng.permutation(len(hosts))[:used] if spreading > 0.9 else (np.arange(used) + rng.integers(len(hosts)))
    placement = tuple(hosts[favoured[c % used] % len(hosts)] for c in range(12))
    local = min(0.97, max(0.05, 1.05 - spreading + rng.normal(0, 0.03)))
    bounds = [SCALE.wall_s(at_s + 3 + (time_s - 3) * share) for share in (0, 0.45, 0.7, 1.0)]
    at, moved = SCALE.wall_s(at_s), input_bytes * network
    result = JobResult(job_id, profile, placement, 1, at, bounds[0], SCALE.wall_s(at_s + time_s))
    events: list[Event | Transfers] = [Event(at, "job_submitted", job=job_id, detail=profile)]
    for number, (name, size) in enumerate((("scan", input_bytes), ("join", moved / 2), ("aggregate", moved / 2))):
        kept = local if name == "scan" else 1 - 0.75 * spreading
        stage = StageResult(name, bounds[number], bounds[number + 1])
        result.stages.append(stage)
        for task, host in enumerate(placement[1:]):
            peers = {host: kept, hosts[(hosts.index(host) + len(hosts) // 2) % len(hosts)]: 1 - kept}
            parts = {peer: SCALE.wire_bytes(round(size * share / 11)) for peer, share in peers.items()}
            events += _task(result, stage, task, host, parts, rng)
    return result, [*events, Event(SCALE.wall_s(at_s + time_s), "job_finished", job=job_id)]


def _task(
    result: JobResult, stage: StageResult, task: int, host: str, parts: Mapping[str, int], rng: np.random.Generator
) -> Iterator[Event | Transfers]:
    """A task that moves some bytes from or to each of its peers and computes; the job's and stage's sums grow by it."""
    length = stage.finished_s - stage.started_s
    start, middle = stage.started_s + rng.uniform(0, 0.05) * length, stage.started_s + rng.uniform(0.4, 0.7) * length
    end = stage.finished_s - rng.uniform(0, 0.1) * length
    where: dict[str, Any] = {"job": result.job_id, "stage": stage.name, "task": task, "host": host}
    reads = stage.name == "scan"
    yield Event(start, "task_started", **where)
    for peer, size in parts.items():
        for name in ("planned_bytes", "sent_bytes", "received_bytes"):
            setattr(stage, name, getattr(stage, name) + size)
        if reads:
            result.read_bytes[peer, host] = result.read_bytes.get((peer, host), 0) + size
            read: dict[str, Any] = {"start_s": start, "peer": peer, "bytes": size, "ok": True, "local": peer == host}
            yield Event(middle, "read", container=task + 1, **where, **read)
        else:
            sent: dict[str, Any] = {"times_s": [middle], "starts_s": [start], "peers": [peer], "bytes": [size]}
            place: dict[str, Any] = {"peer_tasks": [0], "ports": [(0, 0)], "exchange": stage.name}
            result.transfers.append(Transfers(container=task + 1, **where, **sent, **place))
            yield result.transfers[-1]
    yield Event(end, "compute", container=task + 1, start_s=middle, **where)
    yield Event(end, "task_finished", **where)


def _readings(
    topology: Topology, results: Sequence[JobResult], spreading: float, rng: np.random.Generator
) -> list[dict[str, Any]]:
    """`/v1/links` documents whose counters have grown by plausible rates in between."""
    end_s, interval_s = max(result.finished_s or 0.0 for result in results), 2.0
    sent: Counter[tuple[str, str]] = Counter()
    drops: Counter[tuple[str, str]] = Counter()
    readings = []
    for at_s in np.arange(0, end_s + 2 * interval_s, interval_s):
        active = sum(1 for result in results if result.submitted_s <= at_s <= (result.finished_s or 0.0))
        luck = iter(rng.uniform(0.6, 1.25, 2 * len(topology.links)).tolist())
        lost = iter(rng.poisson(3, 2 * len(topology.links)).tolist())
        links = []
        for link in topology.links:
            capacity_mbps = link.capacity_mbps / SCALE.rate_divisor
            mean = active / len(results) * ((0.95 * spreading) if link.a.node.startswith("t") else 0.3)
            for direction in ("up", "down"):
                used = min(1.0, mean * next(luck)) if at_s else 0.0
                sent[link.id, direction] += int(used * capacity_mbps * 1e6 / 8 * interval_s)
                drops[link.id, direction] += next(lost) if used > 0.95 else 0
                counted = {"tx_bytes": sent[link.id, direction], "drops": drops[link.id, direction]}
                when = {"time_s": START.timestamp() + float(at_s), "age_s": float(at_s)}
                links.append({"id": link.id, "direction": direction, "capacity_mbps": capacity_mbps, **counted, **when})
        readings.append({"links": links})
    return readings


def _samples(rng: np.random.Generator, doubtful: bool) -> tuple[Sample, ...]:
    idle = 0.0 if doubtful else 0.6
    return tuple(
        Sample(
            time_wall_s=float(second),
            cpu_idle=float(np.clip(rng.normal(idle, 0.05), 0, 1)),
            cpu_steal=0.0,
            datapath_cpu=float(np.clip(rng.normal(0.4, 0.05), 0, 1)),
            run_queue_delay_s=float(rng.exponential(0.0005)),
            agents_run_queue_delay_s=float(rng.exponential(0.0001)),
            receive_queue_bytes=2304,
            receive_delay_s=float(rng.exponential(0.0004)),
            arrived_bytes=2_900_000,
            receive_drops=0,
            frames_received=10_000,
            backlog_bytes=30_000,
            queue_drops=3,
            retransmissions=3,
            segments_sent=10_000,
        )
        for second in range(1, 61)
    )
