"""The events of a Spark event log that tell what moved and what depends on what: a class for each kind, as far as read.

Spark names a kind as the class that it has for it, and fields as its `JsonProtocol` says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias, get_args

from msgspec import Meta, Raw, Struct, field
from msgspec.json import Decoder

from workloads.importers.event_log import Whole

DEFAULT_PROFILE = 0
"""Of the resource profiles, the one that the application's properties give."""

MOST_PARTITIONS = 10**6


class Header(Struct, frozen=True):
    """What every event has."""

    kind: str = field(name="Event")


class LogStart(Struct, frozen=True):
    """The first event."""

    version: str = field(name="Spark Version")


class ApplicationStart(Struct, frozen=True):
    """An application begins."""

    name: str = field(name="App Name")


class ApplicationEnd(Struct, frozen=True):
    """An application ends."""


class Properties(Struct, frozen=True):
    """What an application was asked to get; sizes as people write them, in MiB without a unit, `off_heap` in bytes."""

    memory: str | int = field(name="spark.executor.memory", default="1g")
    overhead: str | int | None = field(name="spark.executor.memoryOverhead", default=None)
    former_overhead: str | int = field(name="spark.yarn.executor.memoryOverhead", default="0")  # before Spark 2.3
    python: str | int = field(name="spark.executor.pyspark.memory", default="0")
    uses_off_heap: str | bool = field(name="spark.memory.offHeap.enabled", default="false")
    off_heap: str | int = field(name="spark.memory.offHeap.size", default="0")
    task_cpus: str | float = field(name="spark.task.cpus", default="1")


class EnvironmentUpdate(Struct, frozen=True):
    """What an application was given."""

    properties: Properties = field(name="Spark Properties")


class Request(Struct, frozen=True):
    """How much of a resource a profile asks for: MiB, or a number of them."""

    amount: Annotated[float, Meta(ge=0, le=1e18)] = field(name="Amount")


class ResourceProfileAdded(Struct, frozen=True):
    """What executors and tasks of some stages are given."""

    profile: Whole = field(name="Resource Profile Id")
    of_executor: dict[str, Request] = field(name="Executor Resource Requests")
    of_task: dict[str, Request] = field(name="Task Resource Requests")


class ExecutorInfo(Struct, frozen=True):
    """What an executor is."""

    cores: Whole = field(name="Total Cores")
    profile: Whole = field(name="Resource Profile Id", default=DEFAULT_PROFILE)


class ExecutorAdded(Struct, frozen=True):
    """An executor began."""

    name: str = field(name="Executor ID")
    info: ExecutorInfo = field(name="Executor Info")


class ExecutorRemoved(Struct, frozen=True):
    """An executor ended."""

    name: str = field(name="Executor ID")


class StorageLevel(Struct, frozen=True):
    """Where an RDD is asked to stay."""

    on_disk: bool = field(name="Use Disk")
    in_memory: bool = field(name="Use Memory")


class Rdd(Struct, frozen=True):
    """One RDD as a stage describes it."""

    rdd_id: Whole = field(name="RDD ID")
    parents: tuple[Whole, ...] = field(name="Parent IDs")
    level: StorageLevel = field(name="Storage Level")
    name: str = field(name="Name", default="")

    @property
    def kept(self) -> bool:
        """It is asked to stay in memory or on disk."""
        return self.level.on_disk or self.level.in_memory

    @property
    def made(self) -> bool:
        """It holds what the driver gave it, and reads no file."""
        return self.name.startswith("ParallelCollection")


class Accumulable(Struct, frozen=True):
    """An accumulator that tasks of a stage updated."""

    accumulator: Whole = field(name="ID")


class StageInfo(Struct, frozen=True):
    """A stage, as it is described before or after it ran; `parents` are the stages whose shuffles it may read."""

    stage_id: Whole = field(name="Stage ID")
    name: str = field(name="Stage Name")
    rdds: tuple[Rdd, ...] = field(name="RDD Info")
    parents: tuple[Whole, ...] = field(name="Parent IDs")
    attempt: Whole = field(name="Stage Attempt ID", default=0)
    partitions: Whole = field(name="Number of Tasks", default=0)
    accumulables: tuple[Accumulable, ...] = field(name="Accumulables", default=())


class JobStart(Struct, frozen=True):
    """An action of the driver begins."""

    job_id: Whole = field(name="Job ID")
    submitted_ms: Whole = field(name="Submission Time")
    stages: tuple[StageInfo, ...] = field(name="Stage Infos", default=())
    stage_ids: tuple[Whole, ...] | None = field(name="Stage IDs", default=None)


class JobEnd(Struct, frozen=True):
    """An action of the driver ends."""

    job_id: Whole = field(name="Job ID")
    completed_ms: Whole = field(name="Completion Time")


class StageSubmitted(Struct, frozen=True):
    """A stage begins."""

    info: StageInfo = field(name="Stage Info")


class StageCompleted(Struct, frozen=True):
    """A stage ends."""

    info: StageInfo = field(name="Stage Info")


class UnpersistRDD(Struct, frozen=True):
    """An RDD is no longer kept."""

    rdd_id: Whole = field(name="RDD ID")


class Outcome(Struct, frozen=True):
    """How a task ended."""

    reason: str = field(name="Reason")


class TaskInfo(Struct, frozen=True):
    """A task: its number in its attempt of the stage, and the partition that it computed; -1 where that is not told."""

    executor: str = field(name="Executor ID")
    index: Annotated[int, Meta(ge=0, lt=MOST_PARTITIONS)] = field(name="Index")
    partition: Annotated[int, Meta(ge=-1, lt=MOST_PARTITIONS)] = field(name="Partition ID", default=-1)


class TaskEnd(Struct, frozen=True):
    """A task ends; what it moved, which of one that failed may be anything, is `TaskMetrics` in JSON."""

    stage_id: Whole = field(name="Stage ID")
    outcome: Outcome = field(name="Task End Reason")
    info: TaskInfo = field(name="Task Info")
    attempt: Whole = field(name="Stage Attempt ID", default=0)
    metrics: Raw = field(name="Task Metrics", default=Raw(b"null"))


class InputMetrics(Struct, frozen=True):
    """From files and from RDDs that were kept."""

    bytes: Whole = field(name="Bytes Read")


class ShuffleReadMetrics(Struct, frozen=True):
    """From shuffles, in bytes."""

    remote: Whole = field(name="Remote Bytes Read")
    local: Whole = field(name="Local Bytes Read")


class ShuffleWriteMetrics(Struct, frozen=True):
    """To shuffles."""

    bytes: Whole = field(name="Shuffle Bytes Written")


class OutputMetrics(Struct, frozen=True):
    """To files."""

    bytes: Whole = field(name="Bytes Written")


class TaskMetrics(Struct, frozen=True):
    """What a task moved and computed."""

    cpu_ns: Whole = field(name="Executor CPU Time")
    deserialize_cpu_ns: Whole = field(name="Executor Deserialize CPU Time")
    result_bytes: Whole = field(name="Result Size")
    read: InputMetrics = field(name="Input Metrics")
    shuffle_read: ShuffleReadMetrics = field(name="Shuffle Read Metrics")
    shuffle_written: ShuffleWriteMetrics = field(name="Shuffle Write Metrics")
    written: OutputMetrics = field(name="Output Metrics")


class Metric(Struct, frozen=True):
    """One of the metrics of an SQL operator."""

    accumulator: Whole = field(name="accumulatorId")


class Operator(Struct, frozen=True):
    """An operator of an SQL plan, with the accumulators that its tasks update."""

    name: str = field(name="nodeName")
    metrics: tuple[Metric, ...] | None = None
    children: tuple[Operator, ...] | None = None


class SQLExecutionStart(Struct, frozen=True):
    """A query begins."""

    plan: Operator = field(name="sparkPlanInfo")


class SQLAdaptiveExecutionUpdate(Struct, frozen=True):
    """A query goes on by another plan."""

    plan: Operator = field(name="sparkPlanInfo")


Event: TypeAlias = (
    LogStart
    | ApplicationStart
    | ApplicationEnd
    | EnvironmentUpdate
    | ResourceProfileAdded
    | ExecutorAdded
    | ExecutorRemoved
    | JobStart
    | JobEnd
    | StageSubmitted
    | StageCompleted
    | UnpersistRDD
    | TaskEnd
    | SQLExecutionStart
    | SQLAdaptiveExecutionUpdate
)

_DECODERS: Mapping[str, Decoder[Event]] = {f"SparkListener{kind.__name__}": Decoder(kind) for kind in get_args(Event)}
_TASK_METRICS = Decoder(TaskMetrics | None)


def decoder(kind: str) -> Decoder[Event] | None:
    """What reads events of a kind; None for one that tells nothing of what moved."""
    return _DECODERS.get(kind.rpartition(".")[2])


def task_metrics(event: TaskEnd) -> TaskMetrics | None:
    """What a task moved that succeeded; None for others, and where the event does not say it.

    Raises:
        ValueError: it lacks a field, or has one of the wrong type.
    """
    return _TASK_METRICS.decode(event.metrics) if event.outcome.reason == "Success" else None
