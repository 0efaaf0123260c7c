"""What happened in a run, on the wall and on the wire, and writing it down in modelled units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from experiments.records import conversion, file_figures, file_operations, frames, retention, verdict
from experiments.records.conversion import Decision, Racks
from experiments.records.file_figures import FileFigures
from experiments.records.file_operations import FileOperation
from experiments.records.record import Fidelity, JobRecord, RunRecord
from experiments.records.results_folder import RunWriter
from experiments.records.retention import Retained
from experiments.records.verdict import Watched
from experiments.specification.plan import Run
from workloads.coordination.events import Event, JobResult, Transfers, one_by_one
from workloads.scale import Scale

if TYPE_CHECKING:
    import polars as pl

MOST_HOSTS = 1000
"""Up to so many hosts a record has the bytes between all of them."""


@dataclass
class Outcome:
    """What happened, in wall seconds since `started_epoch_s` and wire bytes."""

    started_epoch_s: float
    results: list[JobResult] = field(default_factory=list)
    decisions: dict[str, Decision] = field(default_factory=dict)
    deciding_s: float = 0.0
    kept: list[Event | Transfers] = field(default_factory=list)
    link_readings: list[Mapping[str, Any]] = field(default_factory=list)
    watched: Watched = field(default_factory=Watched)
    file_operations: list[FileOperation] = field(default_factory=list)
    retained: Retained | None = None

    @property
    def events(self) -> list[Event]:
        """All of them."""
        return list(one_by_one(self.kept))

    @property
    def origin_s(self) -> float:
        """When the first job was submitted."""
        return min((result.submitted_s for result in self.results), default=0.0)

    @property
    def decision_share(self) -> float | None:
        """Share of the jobs' times, from submission to end, in which they waited for the strategy to decide."""
        times_s = sum(one.finished_s - one.submitted_s for one in self.results if one.finished_s is not None)
        return self.deciding_s / times_s if times_s else None


def save(
    run: Run,
    writer: RunWriter,
    record: RunRecord,
    outcome: Outcome,
    scale: Scale,
    finished_at: datetime,
    fidelity: Fidelity | None,
) -> RunRecord:
    """Write the series of a run that has ended well, and then its finished record.

    Args:
        run: the run.
        writer: of its folder.
        record: as it stands.
        outcome: what happened.
        scale: the divisors.
        finished_at: now.
        fidelity: whether the machine kept up; None where nothing was emulated.
    """
    racks = {host.name: host.rack for host in run.build_topology().hosts}
    jobs, origin_s = job_records(outcome, scale, racks), outcome.origin_s
    events = frames.events(outcome.kept, scale, origin_s)
    writer.save_events(events)
    writer.save_links(link_frame(outcome, scale))
    writer.save_fidelity(verdict.rows(outcome.watched.samples))
    if outcome.file_operations:
        writer.save_files(file_operations.rows(outcome.file_operations, scale, origin_s))
    if outcome.watched.delays is not None:
        writer.save_delays(map(asdict, outcome.watched.delays.links))
    retained = outcome.retained
    if retained is not None:
        writer.save_transactions(retention.rows(retained.transactions, scale.modelled_s(origin_s - retained.origin_s)))
        writer.save_stored(retention.stored_document(retained.files))
    matrix = conversion.traffic_matrix(events, tuple(racks)) if len(racks) <= MOST_HOSTS else None
    kept = None if retained is None else retention.record(retained, _file_figures(outcome, retained, scale))
    finished = record.finished(finished_at, jobs, traffic_matrix=matrix, fidelity=fidelity, retention=kept)
    writer.save(finished)
    return finished


def _file_figures(outcome: Outcome, retained: Retained, scale: Scale) -> tuple[FileFigures, ...]:
    return file_figures.figures(
        outcome.file_operations,
        retained.transactions,
        [event for event in outcome.kept if isinstance(event, Event)],
        {result.job_id for result in outcome.results},
        lambda wall_s: scale.modelled_s(wall_s - retained.origin_s),
    )


def job_records(outcome: Outcome, scale: Scale, racks: Racks) -> list[JobRecord]:
    """The jobs in the order of their submission."""
    return [
        conversion.job_record(result, scale, outcome.origin_s, racks, outcome.decisions[result.job_id])
        for result in sorted(outcome.results, key=lambda result: (result.submitted_s, result.job_id))
    ]


def link_frame(outcome: Outcome, scale: Scale) -> pl.DataFrame:
    """Rows of links.parquet."""
    return frames.links(outcome.link_readings, scale, outcome.started_epoch_s + outcome.origin_s)
