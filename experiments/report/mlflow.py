"""Runs of results folders as runs of an MLflow tracking server or store.

MLflow is not among the testbed's own libraries: it brings some thirty packages that nothing else here needs.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from experiments.analysis.pairing import (
    StrategyRuns,
    baseline_of,
    change,
    cross_rack_bytes,
    local_share,
    select,
    summed_time_s,
)
from experiments.documents.yaml_document import flat
from experiments.errors import ExperimentError
from experiments.records.record import RunRecord
from experiments.records.results_folder import ResultsFolder
from experiments.records.sweep_folder import SweepFolder

INSTALLATION = ".venv/bin/python -m pip install mlflow-skinny"
ORIGIN = "testbed.run"
"""Tag that says which run of which folder this is, and of when: one that is resumed is another."""

_STATUS = {"finished": "FINISHED", "failed": "FAILED", "interrupted": "KILLED", "damaged": "FAILED"}
_LONGEST_VALUE = 500
_BATCH = 100  # parameters in one request, at most


class TrackingError(ExperimentError):
    """Runs that cannot be exported; the message says why and what to do."""


@dataclass(frozen=True)
class TrackedRun:
    """One run in MLflow's terms; moments are milliseconds since 1970, metrics are in the units of the record."""

    name: str
    status: str
    started_ms: int
    ended_ms: int | None
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


class Tracker(Protocol):
    """Where runs go."""

    def has(self, origin: str) -> bool:
        """Whether a run of this origin is there."""

    def log(self, run: TrackedRun, artifact: Path) -> None:
        """Add a run with one file."""


def export(path: Path, tracker: Tracker) -> tuple[int, int]:
    """Add all ended runs of a results folder, or of a sweep's points, that are not there yet.

    Returns:
        How many were added, and how many were there.

    Raises:
        RecordError: the folder is neither, or a record cannot be read.
    """
    added = there = 0
    for name, folder in _folders(path):
        records = folder.records()
        for record in (record for record in records if record.status != "running"):
            run = tracked(record, records, name)
            if tracker.has(run.tags[ORIGIN]):
                there += 1
            else:
                tracker.log(run, folder.run(record.run_id).path / "record.json")
                added += 1
    return added, there


def _folders(path: Path) -> Iterator[tuple[str, ResultsFolder]]:
    """The results folders in a folder, each with a name that tells it from those of others."""
    if not SweepFolder.is_at(path):
        yield path.resolve().name, ResultsFolder.open(path)
        return
    sweep = SweepFolder.open(path)
    for point in sweep.points():
        yield f"{path.resolve().name}/{point.id}", sweep.point(point)


def tracked(record: RunRecord, records: Sequence[RunRecord], folder: str) -> TrackedRun:
    """One of a folder's `records` in MLflow's terms."""
    arm = {name: getattr(record, name) for name in ("strategy", "blocking_factor", "repeat", "seed")}
    scale = record.scale.model_dump() if record.scale else {}
    params = {**arm, **scale, **flat({"specification": record.specification})}
    reasons = record.fidelity.reasons if record.fidelity else ()
    tags = {
        ORIGIN: f"{folder}/{record.run_id} of {record.started_at:%Y-%m-%dT%H:%M:%S.%f}",
        "kind": record.kind,
        "verdict": record.state,
        "reasons": "; ".join(filter(None, [record.reason, *reasons])),
        "machine": record.provenance.machine,
        "kernel": record.provenance.kernel,
        "testbed": record.provenance.versions.get("testbed", ""),
    }
    return TrackedRun(
        name=record.run_id,
        status=_STATUS[record.status],
        started_ms=_milliseconds(record.started_at),
        ended_ms=_milliseconds(record.finished_at) if record.finished_at else None,
        params={_key(key): _text(value) for key, value in params.items()},
        metrics={_key(key): value for key, value in _metrics(record, records) if math.isfinite(value)},
        tags={key: value for key, value in tags.items() if value},
    )


def _metrics(record: RunRecord, records: Sequence[RunRecord]) -> Iterator[tuple[str, float]]:
    if record.status == "finished":
        yield "summed_time_s", summed_time_s(record)
        yield "cross_rack_bytes", cross_rack_bytes(record)
        reduction = _reduction(record, records)
        for key, value in {
            "makespan_s": record.makespan_s,
            "local_share": local_share(record),
            "reduction": reduction,
            **{f"completion_time_s/{job.job_id}": job.completion_time_s for job in record.jobs},
        }.items():
            if value is not None:
                yield key, value
    for key, figure in (record.fidelity.figures if record.fidelity else {}).items():
        if figure is not None:
            yield f"fidelity/{key}", figure


def _reduction(record: RunRecord, records: Sequence[RunRecord]) -> float | None:
    """By which share the summed time is below that of the baseline's run of the same repeat; None of the baseline."""
    baseline = baseline_of(records)
    if record.strategy == baseline:
        return None
    found = change(select(records, baseline, record.blocking_factor), StrategyRuns(record.strategy, (record,)))
    return None if found is None else found.estimate


def _key(text: str) -> str:
    """A name that MLflow takes."""
    return re.sub(r"[^\w\-. :/]", "_", text)[:250]


def _text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 3]}..."


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


class MlflowTracker:
    """An experiment of an MLflow server or store; it is made when there is none of the name.

    Raises:
        TrackingError: MLflow is not installed, or does not take the address.
    """

    def __init__(self, uri: str | None, experiment: str) -> None:
        try:
            import mlflow
        except ImportError as error:
            raise TrackingError(f"MLflow is not installed; install it with {INSTALLATION}") from error
        self._entities: Any = mlflow.entities
        try:
            self._client: Any = mlflow.MlflowClient(uri)
            found = self._client.get_experiment_by_name(experiment)
            self._experiment = found.experiment_id if found else self._client.create_experiment(experiment)
        except Exception as error:  # MLflow and its stores raise their own, which share no class
            raise TrackingError(f"--tracking-uri {uri or 'from the environment'}: {_first_line(error)}") from error

    def has(self, origin: str) -> bool:
        """Whether a run of this origin is there."""
        quoted = origin.replace("'", "\\'")
        return bool(self._client.search_runs([self._experiment], f"tags.`{ORIGIN}` = '{quoted}'", max_results=1))

    def log(self, run: TrackedRun, artifact: Path) -> None:
        """Add a run with one file; it counts as there when all of it is."""
        made = self._client.create_run(self._experiment, start_time=run.started_ms, run_name=run.name)
        run_id, at = made.info.run_id, run.ended_ms or run.started_ms
        params = [self._entities.Param(key, value) for key, value in run.params.items()]
        for first in range(0, len(params), _BATCH):
            self._client.log_batch(run_id, params=params[first : first + _BATCH])
        self._client.log_batch(
            run_id, metrics=[self._entities.Metric(key, value, at, 0) for key, value in run.metrics.items()]
        )
        self._client.log_artifact(run_id, str(artifact))
        self._client.log_batch(run_id, tags=[self._entities.RunTag(key, value) for key, value in run.tags.items()])
        self._client.set_terminated(run_id, run.status, run.ended_ms)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
