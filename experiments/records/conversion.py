"""From what the agents report, on the wall and on the wire, to what a run record says, in modelled units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.records.record import JobRecord, ReadBytes, StageRecord, TrafficMatrix
from placement import Placement
from workloads.coordination.events import JobResult
from workloads.scale import Scale

if TYPE_CHECKING:
    import polars as pl


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


def traffic_matrix(events: pl.DataFrame, hosts: Sequence[str]) -> TrafficMatrix:
    """Bytes between hosts by all attempts of all jobs, as the rows of events.parquet tell; the diagonal is what stayed
    on a host.
    """
    import polars as pl

    read = pl.col("kind") == "read"
    pairs = (
        events.filter(pl.col("kind").is_in(["read", "transfer", "write"]))
        .group_by(
            pl.when(read).then("peer").otherwise("host").alias("from"),
            pl.when(read).then("host").otherwise("peer").alias("to"),
        )
        .agg(pl.col("bytes").sum())
    )
    sent = {(sender, receiver): size for sender, receiver, size in pairs.iter_rows()}
    return TrafficMatrix(hosts=tuple(hosts), bytes=tuple(tuple(sent.get((a, b), 0) for b in hosts) for a in hosts))


def _reads(result: JobResult, scale: Scale, racks: Racks) -> ReadBytes:
    wire = {"local": 0, "rack": 0, "remote": 0}
    for (source, reader), size in result.read_bytes.items():
        where = "local" if source == reader else "rack" if racks[source] == racks[reader] else "remote"
        wire[where] += size
    return ReadBytes(**{where: _modelled(scale, size) for where, size in wire.items()})


def _modelled(scale: Scale, wire: int) -> int:
    return round(scale.modelled_bytes(wire))
