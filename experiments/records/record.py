"""All about one run as a value: what was asked for, where it ran, what came out and how far to trust it.

Times are modelled seconds since the run's first submission and bytes are modelled bytes, unless a name says otherwise
(`_wall_s`, `_wire_bytes`).
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from experiments.errors import ExperimentError
from experiments.records.prediction import Prediction
from experiments.records.retention import RetentionRecord
from experiments.records.values import Count, Reason, Text, Value
from experiments.specification.plan import Run
from topologies.topology import Topology, TopologyError

SCHEMA_VERSION: Final = 1

Status = Literal["running", "finished", "failed", "interrupted", "damaged"]
Kind = Literal["emulated", "simulated"]


@functools.lru_cache(maxsize=32)  # of many runs on few networks
def _topology(document: str) -> Topology:
    return Topology.from_json(document)


class RecordError(ExperimentError, ValueError):
    """A record that cannot be read or would contradict itself; the message names the file or field and the remedy."""


class ReadBytes(Value):
    """Input that a job read: from its own node, from another node of its rack, from another rack."""

    local: Count = 0
    rack: Count = 0
    remote: Count = 0

    @property
    def total(self) -> int:
        """All bytes read."""
        return self.local + self.rack + self.remote

    @property
    def local_share(self) -> float | None:
        """Share of the bytes that came from the reader's own node; None when nothing was read."""
        return self.local / self.total if self.total else None


class StageRecord(Value):
    """One stage of a job; its three byte counts are equal when nothing was lost."""

    name: Text
    started_s: float
    finished_s: float | None = None
    planned_bytes: Count = 0
    sent_bytes: Count = 0
    received_bytes: Count = 0


class JobRecord(Value):
    """One job; `reason` says why it did not finish."""

    job_id: Text
    profile: Text
    submitted_s: float
    started_s: float | None = None
    finished_s: float | None = None
    placement: tuple[str, ...] = ()
    cost_terms: dict[str, float] = Field(default_factory=dict)
    decision_wall_s: float | None = Field(default=None, description="How long the strategy took to place it, wall time")
    read_bytes: ReadBytes = ReadBytes()
    transferred_bytes: Count = 0
    cross_rack_bytes: Count = 0
    stages: tuple[StageRecord, ...] = ()
    attempts: Annotated[int, Field(ge=1)] = 1
    reason: Reason | None = None
    completion_time_s: float | None = Field(
        default=None, description="finished_s - submitted_s; filled in when left out"
    )

    @model_validator(mode="before")
    @classmethod
    def _completion_time(cls, value: Any) -> Any:  # noqa: ANN401 - raw input
        if isinstance(value, dict) and value.get("finished_s") is not None and value.get("completion_time_s") is None:
            return {**value, "completion_time_s": value["finished_s"] - value["submitted_s"]}
        return value

    @model_validator(mode="after")
    def _ordered(self) -> JobRecord:
        if self.reason is None and self.finished_s is None:
            raise ValueError(f"job {self.job_id}: finished_s is missing; give it, or the reason why it did not finish")
        if self.completion_time_s is not None and self.completion_time_s < 0:
            raise ValueError(
                f"job {self.job_id}: finished_s {self.finished_s} is before submitted_s {self.submitted_s}"
            )
        return self


class TrafficMatrix(Value):
    """Bytes sent from host (row) to host (column), both in the order of `hosts`."""

    hosts: tuple[str, ...]
    bytes: tuple[tuple[Count, ...], ...]

    @model_validator(mode="after")
    def _square(self) -> TrafficMatrix:
        if any(len(row) != len(self.hosts) for row in self.bytes) or len(self.bytes) != len(self.hosts):
            raise ValueError(f"traffic_matrix.bytes: not {len(self.hosts)} rows of {len(self.hosts)}")
        return self


class Fidelity(Value):
    """Whether the machine kept up with the network it emulated; `reasons` say what did not."""

    verdict: Literal["trusted", "doubtful"]
    reasons: tuple[str, ...] = ()
    figures: dict[str, float | None] = Field(default_factory=dict)


class ScaleRecord(Value):
    """The divisors that the run used; `auto` has become a number."""

    rate_divisor: Annotated[float, Field(gt=0)]
    volume_divisor: Annotated[float, Field(gt=0)]


class Provenance(BaseModel):
    """Where and with what a run was made; further keys are kept as they are.

    `strategy_sha256` is of the module of a strategy of one's own, of which `versions` tells nothing.
    """

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)

    machine: str = ""
    cpu_model: str = ""
    cpu_count: Count = 0
    memory_bytes: Count = 0
    kernel: str = ""
    datapath: str = ""
    congestion_control: str = ""
    constants: dict[str, bool | int | float] = Field(
        default_factory=dict, description="what takes its own time on the emulated network: queues, TCP's timers"
    )
    tc_state_sha256: str = ""
    versions: dict[str, str] = {}
    strategy_sha256: str | None = None


class _Labelled(BaseModel):
    """What is read of a strategy in the specification of a record."""

    label: str


class _Asked(BaseModel):
    """What is read of the specification of a record, which another version may have written."""

    strategies: tuple[_Labelled, ...] = ()
    repeats: Count = 0
    failures: tuple[dict[str, Any], ...] = ()


class RunRecord(Value):
    """Everything about one run; what is not known yet is empty."""

    schema_version: Literal[1] = SCHEMA_VERSION
    kind: Kind = Field(default="emulated", description="simulated: computed by the twin, nothing was emulated")
    run_id: Text
    experiment: Text
    status: Status
    reason: Reason | None = None
    started_at: datetime
    finished_at: datetime | None = None
    strategy: Text
    blocking_factor: float | None
    repeat: Count
    seed: Count
    scale: ScaleRecord | None = None
    jobs: tuple[JobRecord, ...] = ()
    makespan_s: float | None = None
    traffic_matrix: TrafficMatrix | None = None
    fidelity: Fidelity | None = None
    prediction: Prediction | None = Field(
        default=None, description="what the twin says of an emulated run; empty where it was not asked"
    )
    retention: RetentionRecord | None = Field(default=None, description="of files on a ledger; null where none are")
    calibration: dict[str, Any] = Field(default_factory=dict)
    provenance: Provenance = Provenance()
    topology: dict[str, Any] = Field(default_factory=dict)
    specification: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> RunRecord:
        if self.status == "finished":
            unfinished = [job.job_id for job in self.jobs if job.finished_s is None]
            if unfinished or not self.jobs:
                what = f"unfinished jobs {', '.join(unfinished)}" if unfinished else "no jobs"
                raise ValueError(f"status finished, but {what}; record it as failed")
        if self.status == "failed" and not self.reason:
            raise ValueError("reason: missing; say why the run failed")
        for moment in (self.started_at, self.finished_at):
            if moment is not None and moment.tzinfo is None:
                raise ValueError(f"started_at or finished_at {moment}: without a time zone; give one")
        return self

    @model_validator(mode="after")
    def _described(self) -> RunRecord:
        try:
            _Asked.model_validate(self.specification)
        except ValidationError as error:
            raise ValueError(f"specification.{_first(error)}") from error
        try:
            _ = self.network if self.topology else None
        except TopologyError as error:
            raise ValueError(f"topology: {error}") from error
        return self

    @classmethod
    def open(cls, run: Run, started_at: datetime, **known: Any) -> RunRecord:
        """The record of a run that is about to start; `known` are fields that are known already."""
        fields: dict[str, Any] = {
            "run_id": run.id,
            "experiment": run.specification.name,
            "status": "running",
            "started_at": started_at,
            "strategy": run.strategy.label,
            "blocking_factor": run.blocking_factor,
            "repeat": run.repeat,
            "seed": run.seed,
            "topology": topology_document(run.build_topology()),
            "specification": run.specification.model_dump(mode="json"),
        }
        return _validated({**fields, **known})

    def updated(self, **changes: Any) -> RunRecord:
        """A copy with some fields replaced, validated again.

        Raises:
            RecordError: the fields would contradict each other.
        """
        return _validated({**{name: getattr(self, name) for name in type(self).model_fields}, **changes})

    def finished(self, finished_at: datetime, jobs: Sequence[JobRecord], **results: Any) -> RunRecord:
        """The record of a run whose jobs all finished; the makespan follows from them.

        Raises:
            RecordError: a job did not finish.
        """
        ends = [job.finished_s for job in jobs if job.finished_s is not None]
        starts = [job.submitted_s for job in jobs]
        makespan_s = max(ends) - min(starts) if ends else None
        known = {"status": "finished", "finished_at": finished_at, "jobs": tuple(jobs), "makespan_s": makespan_s}
        return self.updated(**{**known, **results})

    def failed(self, finished_at: datetime, reason: str, **results: Any) -> RunRecord:
        """The record of a run that has no times to give; `results` is what is known nevertheless."""
        return self.updated(**{"status": "failed", "finished_at": finished_at, "reason": reason, **results})

    @property
    def network(self) -> Topology:
        """The modelled network, with undivided capacities."""
        return _topology(json.dumps(self.topology))

    @property
    def doubtful(self) -> bool:
        """Whether the fidelity of a finished run was found wanting, or was not assessed; a simulated run needs none."""
        return self.kind == "emulated" and (self.fidelity is None or self.fidelity.verdict != "trusted")

    @property
    def state(self) -> str:
        """In a word: what became of the run, and how far a finished one is to be trusted."""
        if self.status != "finished":
            return self.status
        return "simulated" if self.kind == "simulated" else "doubtful" if self.doubtful else "trusted"

    def to_json(self) -> str:
        """One JSON object; `from_json` reads it back to an equal record."""
        return self.model_dump_json(indent=1)

    @classmethod
    def from_json(cls, text: str, source: str = "record") -> RunRecord:
        """The record that `to_json` wrote; `source` names it in errors.

        Raises:
            RecordError: another schema version, or fields that do not make a record.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise RecordError(f"{source}: {_first(error)}") from error


def now() -> datetime:
    """The time as records have it."""
    return datetime.now(timezone.utc)


def json_schema() -> dict[str, Any]:
    """JSON schema of record.json, for other programs."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **RunRecord.model_json_schema(mode="serialization"),
        "title": "Run record",
    }


def topology_document(topology: Topology) -> dict[str, Any]:
    """A network as the JSON object that a record holds."""
    document: dict[str, Any] = json.loads(topology.to_json())
    return document


def _validated(fields: dict[str, Any]) -> RunRecord:
    try:
        return RunRecord.model_validate(fields)
    except ValidationError as error:
        raise RecordError(_first(error)) from error


def _first(error: ValidationError) -> str:
    item = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in item["loc"])
    if where == "schema_version":
        return f"schema_version {item['input']!r}: this version reads {SCHEMA_VERSION}"
    return f"{where}: {item['msg']}" if where else str(item["msg"]).removeprefix("Value error, ")
