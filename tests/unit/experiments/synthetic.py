"""Results of an experiment that never ran: plausible records, events and link samples for tests of what reads them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np

from experiments.records.record import JobRecord, RunRecord
from experiments.records.results_folder import ResultsFolder
from experiments.records.sweep_folder import SweepFolder
from experiments.specification.model import Specification
from experiments.specification.plan import Run, runs_of
from experiments.specification.specification_file import load, override
from experiments.specification.sweep import Sweep

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
FIELDS_OF_COSTS = ("hops", "balance", "coverage", "replica_coverage", "closeness", "locality", "total")


def specification(*assignments: str) -> Specification:
    """The preset with some values replaced."""
    return override(load("thesis"), assignments)


def results(
    parent: Path, *assignments: str, doubtful: tuple[str, ...] = (), failed: tuple[str, ...] = ()
) -> ResultsFolder:
    """A results folder whose runs have all been written; `doubtful` and `failed` name runs."""
    spec = specification(*assignments)
    folder = ResultsFolder.create(parent, spec, START)
    for number, run in enumerate(runs_of(spec)):
        started = START + timedelta(minutes=7 * number)
        write_run(folder, run, started, run.id in doubtful, run.id in failed)
    return folder


def swept(parent: Path, sweep: Sweep, doubtful: tuple[str, ...] = (), failed: tuple[str, ...] = ()) -> SweepFolder:
    """A sweep's folder whose runs have all been written; `doubtful` and `failed` name them with their points."""
    folder = SweepFolder.create(parent, sweep, START)
    for number, assignment in enumerate(folder.assignments()):
        name = f"{assignment.place}{assignment.run.id}"
        started = START + timedelta(minutes=7 * number)
        write_run(assignment.folder, assignment.run, started, name in doubtful, name in failed)
    return folder


def opened(run: Run, started: datetime = START) -> RunRecord:
    """The record of a run that has just started."""
    return RunRecord.open(
        run,
        started,
        scale={"rate_divisor": 8, "volume_divisor": 128},
        provenance={
            "machine": "5f0c2a9be1d7",
            "cpu_model": "Example CPU at 2.5 GHz",
            "cpu_count": 2,
            "memory_bytes": 24 * 2**30,
            "kernel": "6.1.0",
            "datapath": "userspace",
            "congestion_control": "cubic",
            "tc_state_sha256": "9f" * 32,
            "versions": {"python": "3.11.7", "placement-testbed": "0.1.0", "openvswitch": "3.1.0"},
        },
        calibration={"links_checked": 72, "largest_rate_error": 0.012},
    )


def write_run(folder: ResultsFolder, run: Run, started: datetime, doubtful: bool = False, failed: bool = False) -> None:
    """Write the record and the series of one run."""
    rng = np.random.default_rng([run.seed, len(run.strategy.label)])
    with folder.run(run.id).writing(lambda: started) as writer:
        record = opened(run, started)
        writer.save(record)
        end = started + timedelta(minutes=5)
        if failed:
            writer.save(record.failed(end, "host h3 did not answer within 30 s"))
            return
        jobs = tuple(_job(run, job, rng) for job in WORKLOAD)
        events, traffic = _events(run, jobs, rng)
        writer.save_events(events)
        writer.save_links(_links(run, jobs, rng))
        writer.save_fidelity(_fidelity(rng, doubtful))
        idle = 0.04 if doubtful else 0.63
        reasons = ("cpu_idle 0.04 is below min_cpu_idle 0.1",) if doubtful else ()
        fidelity = {
            "verdict": "doubtful" if doubtful else "trusted",
            "reasons": reasons,
            "figures": {"cpu_idle": idle, "datapath_cpu": 0.41, "rate_error": 0.012, "run_queue_delay_s": 0.003},
        }
        hosts = tuple(host.name for host in run.build_topology().hosts)
        matrix = {"hosts": hosts, "bytes": traffic.tolist()}
        writer.save(record.finished(end, jobs, traffic_matrix=matrix, fidelity=fidelity))


def _job(run: Run, job: tuple[str, str, float, float, float, float], rng: np.random.Generator) -> JobRecord:
    job_id, profile, at_s, base_s, network, input_bytes = job
    spreading = SPREADING.get(run.strategy.label, 0.8)
    factor = run.blocking_factor or 1.0
    time_s = base_s * (1 - network + network * (0.5 + 0.5 * spreading * factor / 5 * 2)) * rng.normal(1, 0.015)
    hosts = [host.name for host in run.build_topology().hosts]
    used = max(2, round(spreading * len(hosts)))
    favoured = rng.permutation(len(hosts))[:used] if spreading > 0.9 else (np.arange(used) + rng.integers(len(hosts)))
    placement = tuple(hosts[favoured[c % used] % len(hosts)] for c in range(12))
    local = min(0.97, max(0.05, 1.05 - spreading + rng.normal(0, 0.03)))
    bounds = at_s + 3 + (time_s - 3) * np.array([0, 0.45, 0.7, 1.0])
    moved = int(input_bytes * network)
    stages = [
        {
            "name": name,
            "started_s": bounds[i],
            "finished_s": bounds[i + 1],
            "planned_bytes": moved // 3,
            "sent_bytes": moved // 3,
            "received_bytes": moved // 3,
        }
        for i, name in enumerate(("scan", "join", "aggregate"))
    ]
    read = int(input_bytes)
    local_bytes = int(read * local)
    return JobRecord.model_validate(
        {
            "job_id": job_id,
            "profile": profile,
            "submitted_s": at_s,
            "started_s": at_s + 3,
            "finished_s": at_s + time_s,
            "placement": placement,
            "cost_terms": {n: float(min(1, spreading * rng.uniform(0.3, 0.7))) for n in FIELDS_OF_COSTS},
            "read_bytes": {
                "local": local_bytes,
                "rack": (read - local_bytes) // 3,
                "remote": (read - local_bytes) // 2,
            },
            "transferred_bytes": moved,
            "cross_rack_bytes": int(moved * 0.75 * spreading),
            "stages": stages,
        }
    )


def _events(
    run: Run, jobs: tuple[JobRecord, ...], rng: np.random.Generator
) -> tuple[list[dict[str, object]], np.ndarray]:
    hosts = [host.name for host in run.build_topology().hosts]
    traffic = np.zeros((len(hosts), len(hosts)), dtype=np.int64)
    rows: list[dict[str, object]] = []
    for job in jobs:
        rows.append({"time_s": job.submitted_s, "kind": "job_submitted", "job": job.job_id})
        for stage in job.stages:
            length = stage.finished_s - stage.started_s
            for task, host in enumerate(job.placement[1:]):
                peer = job.placement[1 + int(rng.integers(len(job.placement) - 1))]
                start = stage.started_s + rng.uniform(0, 0.05) * length
                middle = stage.started_s + rng.uniform(0.4, 0.7) * length
                end = stage.finished_s - rng.uniform(0, 0.1) * length
                where = {"job": job.job_id, "stage": stage.name, "task": task, "container": task + 1, "host": host}
                size = int(stage.sent_bytes / 11)
                kind = "read" if stage.name == "scan" else "transfer"
                rows.append({**where, "container": None, "time_s": start, "kind": "task_started"})
                moved = {"time_s": middle, "start_s": start, "kind": kind, "peer": peer, "bytes": size, "ok": True}
                rows.append({**where, **moved, "local": peer == host})
                rows.append({**where, "time_s": end, "start_s": middle, "kind": "compute"})
                rows.append({**where, "container": None, "time_s": end, "kind": "task_finished"})
                source, target = (peer, host) if kind == "read" else (host, peer)
                traffic[hosts.index(source), hosts.index(target)] += size
        rows.append({"time_s": job.finished_s, "kind": "job_finished", "job": job.job_id})
    return sorted(rows, key=lambda row: float(str(row["time_s"]))), traffic


def _links(run: Run, jobs: tuple[JobRecord, ...], rng: np.random.Generator) -> list[dict[str, object]]:
    topology = run.build_topology()
    spreading = SPREADING.get(run.strategy.label, 0.8)
    rows: list[dict[str, object]] = []
    end = max(job.finished_s for job in jobs if job.finished_s)
    interval_s = 8.0
    for time_s in np.arange(interval_s, end + 2 * interval_s, interval_s):
        active = sum(1 for job in jobs if job.submitted_s <= time_s <= (job.finished_s or 0))
        for link in topology.links:
            for direction in ("up", "down"):
                crossing = link.a.node.startswith("t")
                mean = active / len(jobs) * ((0.95 * spreading) if crossing else 0.3)
                used = float(np.clip(mean * rng.uniform(0.6, 1.25), 0, 1))
                rows.append(
                    {
                        "time_s": float(time_s),
                        "link": link.id,
                        "direction": direction,
                        "bytes": int(used * link.capacity_mbps * 1e6 / 8 * interval_s),
                        "bits_per_s": used * link.capacity_mbps * 1e6,
                        "utilisation": used,
                        "drops": int(rng.poisson(3)) if used > 0.95 else 0,
                    }
                )
    return rows


def _fidelity(rng: np.random.Generator, doubtful: bool) -> list[dict[str, object]]:
    idle = 0.05 if doubtful else 0.6
    return [
        {
            "time_wall_s": float(second),
            "cpu_idle": float(np.clip(rng.normal(idle, 0.05), 0, 1)),
            "datapath_cpu": float(np.clip(rng.normal(0.4, 0.05), 0, 1)),
            "run_queue_delay_s": float(rng.exponential(0.002)),
        }
        for second in range(60)
    ]
