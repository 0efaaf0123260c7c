"""From what the agents report, on the wall and on the wire, to what a run record says, in modelled units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.records.record import JobRecord, ReadBytes, StageRecord, TrafficMatrix
from placement import Placement
from workloads.coordination.events import JobResult
from workloads.scale import Scale


@dataclass(frozen=True)
class Decision:
    """Where a job's containers go, what that costs by the terms of NeAwa's cost, and how long it took to decide."""

    placement: Placement
    cost_terms: Mapping[str, float]
    wall_s: float


Racks = Mapping[str, int]
"""Rack of each host, in the order of the hosts."""


def job_record(result: JobResult, scale: Scale, origin_s: float, racks: Racks, decision: Decision) -> JobRecord:
    """The record of one job.

    Args:
        result: what the job did.
        scale: the divisors.
        origin_s: wall seconds since the run's start at which the first job was submitted.
        racks: rack of each host.
        decision: where its containers went, and why.
    """

    def time_s(wall_s: float | None) -> float | None:
        return None if wall_s is None else scale.modelled_s(wall_s - origin_s)

    network = cross_rack = 0
    for sender, receiver, size in result.moved():
        if sender != receiver:
            network += size
            cross_rack += size if racks[sender] != racks[receiver] else 0
    return JobRecord(
        job_id=result.job_id,
        profile=result.profile,
        submitted_s=scale.modelled_s(result.submitted_s - origin_s),
        started_s=time_s(result.started_s),
        finished_s=time_s(result.finished_s) if result.failed is None else None,
        placement=result.placement,
        cost_terms=dict(decision.cost_terms),
        decision_wall_s=decision.wall_s,
        read_bytes=_reads(result, scale, racks),
        transferred_bytes=_modelled(scale, network),
        cross_rack_bytes=_modelled(scale, cross_rack),
        stages=tuple(
            StageRecord(
                name=stage.name,
                started_s=time_s(stage.started_s) or 0.0,
                finished_s=time_s(stage.finished_s),
                planned_bytes=_modelled(scale, stage.planned_bytes),
                sent_bytes=_modelled(scale, stage.sent_bytes),
                received_bytes=_modelled(scale, stage.received_bytes),
            )
            for stage in result.stages
            if stage.started_s is not None
        ),
        attempts=result.attempt,
        reason=result.failed,
    )


def traffic_matrix(rows: Iterable[Mapping[str, Any]], hosts: Sequence[str]) -> TrafficMatrix:
    """Bytes between hosts by all attempts of all jobs, as the rows of events.parquet tell; the diagonal is what stayed
    on a host.
    """
    sent = {(a, b): 0 for a in hosts for b in hosts}
    for row in rows:
        if row["kind"] in ("read", "transfer", "write"):
            pair = (row["peer"], row["host"]) if row["kind"] == "read" else (row["host"], row["peer"])
            sent[pair] += row["bytes"]
    return TrafficMatrix(hosts=tuple(hosts), bytes=tuple(tuple(sent[a, b] for b in hosts) for a in hosts))


def link_rows(readings: Iterable[Mapping[str, Any]], scale: Scale, origin_epoch_s: float) -> Iterator[dict[str, Any]]:
    """Rows of links.parquet from the controller's `/v1/links` documents.

    Bytes, drops and rates are since the row before, so that readings that were missed leave nothing out; a link's
    reading that several documents have counts once.
    """
    last: dict[tuple[str, str], Mapping[str, Any]] = {}
    for reading in readings:
        for link in reading["links"]:
            key = (link["id"], link["direction"])
            before = last.get(key)
            if before is not None and before["age_s"] == link["age_s"]:
                continue
            last[key] = link
            if before is None or before["age_s"] > link["age_s"]:  # the port is new
                before = link
            elapsed_s = link["age_s"] - before["age_s"]
            sent = link["tx_bytes"] - before["tx_bytes"]
            bits_per_s = sent * 8 / elapsed_s if elapsed_s else None
            yield {
                "time_s": scale.modelled_s(link["time_s"] - origin_epoch_s),
                "link": link["id"],
                "direction": link["direction"],
                "bytes": round(scale.modelled_bytes(sent)),
                "bits_per_s": None if bits_per_s is None else bits_per_s * scale.rate_divisor,
                "utilisation": None if bits_per_s is None else bits_per_s / (link["capacity_mbps"] * 1e6),
                "drops": link["drops"] - before["drops"],
            }


def _reads(result: JobResult, scale: Scale, racks: Racks) -> ReadBytes:
    wire = {"local": 0, "rack": 0, "remote": 0}
    for (source, reader), size in result.read_bytes.items():
        where = "local" if source == reader else "rack" if racks[source] == racks[reader] else "remote"
        wire[where] += size
    return ReadBytes(**{where: _modelled(scale, size) for where, size in wire.items()})


def _modelled(scale: Scale, wire: int) -> int:
    return round(scale.modelled_bytes(wire))
