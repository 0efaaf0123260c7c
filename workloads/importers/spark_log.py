"""Reading a Spark event log: which stages ran, what they moved, and what depends on what.

A log may lack events: Spark drops some when it is too busy to write them, and an application that still runs has not
written its last ones. What such events would have told is taken from others where these tell it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from msgspec import Struct

from workloads.importers import spark_events
from workloads.importers.event_log import headers, named
from workloads.importers.spark_events import DEFAULT_PROFILE, MOST_PARTITIONS, Event, Operator, Rdd, StageInfo, TaskEnd
from workloads.importers.spark_resources import Resources, of_profile, of_properties
from workloads.importers.trace import TraceError

_REMEDY = "give the log of a Spark of at least 2.3, or remove the line"


class TaskVolumes(Struct, frozen=True):
    """What one successful task moved, in bytes, and its CPU seconds; `attempt` is that of its stage."""

    attempt: int
    read: int
    shuffle_read: int
    shuffle_written: int
    written: int
    returned: int
    cpu_s: float
    executor: str


@dataclass
class SparkStage:
    """One stage that ran.

    Attributes:
        rdd_id: The RDD that it computes.
        rdds: All RDDs of the stage by id; parents that are not among them are behind a shuffle.
        parents: Stages whose shuffles it may read, also those that were skipped because their output was there.
        partitions: Tasks of the first attempt.
        begun: Number of the first event in the log that tells of it.
        ended: Number of the event that first tells of its end; None when none does.
        accumulators: Ids of the accumulators that its tasks updated.
        tasks: By partition, the last success of the last attempt of the stage that had one.
    """

    stage_id: int
    name: str
    rdd_id: int
    rdds: Mapping[int, Rdd]
    parents: tuple[int, ...]
    partitions: int = 0
    begun: int = 0
    ended: int | None = None
    accumulators: frozenset[int] = frozenset()
    tasks: dict[int, TaskVolumes] = field(default_factory=dict)

    @property
    def read_bytes(self) -> int:
        """From files and from RDDs that were kept."""
        return sum(task.read for task in self.tasks.values())

    @property
    def reading_tasks(self) -> int:
        """Tasks that read input; all of them where none does, and the stage makes its data."""
        return sum(task.read > 0 for task in self.tasks.values()) or len(self.tasks)

    @property
    def shuffle_read_bytes(self) -> int:
        """From earlier stages' shuffles, whether from the same executor or another."""
        return sum(task.shuffle_read for task in self.tasks.values())

    @property
    def shuffle_written_bytes(self) -> int:
        """For later stages."""
        return sum(task.shuffle_written for task in self.tasks.values())

    @property
    def written_bytes(self) -> int:
        """To files."""
        return sum(task.written for task in self.tasks.values())

    @property
    def returned_bytes(self) -> int:
        """To the driver, serialised."""
        return sum(task.returned for task in self.tasks.values())

    @property
    def cpu_s(self) -> float:
        """CPU seconds of its tasks in the JVM."""
        return sum(task.cpu_s for task in self.tasks.values())


@dataclass
class SparkJob:
    """One action of the driver."""

    job_id: int
    started_ms: int
    stage_ids: tuple[int, ...]
    ended_ms: int | None = None


@dataclass
class Application:
    """All that a log says, as far as volumes and dependencies go.

    Attributes:
        stages: That ran, by id.
        described: All stages that jobs listed, also skipped ones, by id.
        plans: Trees of SQL operators.
        executors: Cores of each executor and its resource profile; `peak` is how many there were at once.
        resources: What an executor and a task of a profile were given.
        unpersisted: Numbers of the events by which an RDD was no longer kept.
        ended: Whether the log has the application's end.
    """

    name: str = "spark"
    stages: dict[int, SparkStage] = field(default_factory=dict)
    described: dict[int, SparkStage] = field(default_factory=dict)
    jobs: dict[int, SparkJob] = field(default_factory=dict)
    plans: list[Operator] = field(default_factory=list)
    executors: dict[str, tuple[int, int]] = field(default_factory=dict)
    peak: int = 0
    resources: dict[int, Resources] = field(default_factory=lambda: {DEFAULT_PROFILE: Resources()})
    unpersisted: dict[int, list[int]] = field(default_factory=dict)
    version: str = ""
    ended: bool = False
    _alive: set[str] = field(default_factory=set)
    _attempts: dict[tuple[int, int], list[int]] = field(default_factory=dict)
    _number: int = 0

    def take(self, event: Event) -> None:
        """Heeds one event.

        Raises:
            ValueError: a task's metrics lack a field, or a size or a number is none that Spark knows.
        """
        self._number += 1
        match event:
            case TaskEnd():
                self._end_task(event)
            case spark_events.StageSubmitted(info):
                self.described.setdefault(info.stage_id, _stage(info))
                self._computed_by(self._running(info.stage_id), info.attempt)
            case spark_events.StageCompleted(info):
                self._end_stage(info)
            case spark_events.JobStart():
                self._start_job(event)
            case spark_events.JobEnd(job_id, completed_ms):
                if job_id in self.jobs:
                    self.jobs[job_id].ended_ms = completed_ms
            case spark_events.UnpersistRDD(rdd_id):
                self.unpersisted.setdefault(rdd_id, []).append(self._number)
            case spark_events.SQLExecutionStart(plan) | spark_events.SQLAdaptiveExecutionUpdate(plan):
                self.plans.append(plan)
            case spark_events.ExecutorAdded(name, info):
                self.executors[name] = max(1, info.cores), info.profile
                self._alive.add(name)
                self.peak = max(self.peak, len(self._alive))
            case spark_events.ExecutorRemoved(name):
                self._alive.discard(name)
            case spark_events.LogStart(version):
                self.version = version
            case spark_events.ApplicationStart(name):
                self.name = name
            case spark_events.ApplicationEnd():
                self.ended = True
            case spark_events.EnvironmentUpdate(properties):
                self.resources[DEFAULT_PROFILE] = of_properties(properties)
            case spark_events.ResourceProfileAdded(profile):
                if profile != DEFAULT_PROFILE:
                    self.resources[profile] = of_profile(event, self.resources[DEFAULT_PROFILE])

    def _start_job(self, event: spark_events.JobStart) -> None:
        for info in event.stages:
            self.described.setdefault(info.stage_id, _stage(info))
        stage_ids = event.stage_ids or tuple(info.stage_id for info in event.stages)
        self.jobs[event.job_id] = SparkJob(event.job_id, event.submitted_ms, stage_ids)

    def _end_stage(self, info: StageInfo) -> None:
        told, stage = _stage(info), self._running(info.stage_id)
        stage.name, stage.rdd_id, stage.rdds, stage.parents = told.name, told.rdd_id, told.rdds, told.parents
        stage.accumulators |= {item.accumulator for item in info.accumulables}
        if stage.ended is None:
            stage.ended = self._number

    def _end_task(self, event: TaskEnd) -> None:
        if (metrics := spark_events.task_metrics(event)) is None:
            return
        stage = self._running(event.stage_id)
        partition = self._partition(stage, event)
        if partition in stage.tasks and stage.tasks[partition].attempt > event.attempt:
            return
        stage.tasks[partition] = TaskVolumes(
            attempt=event.attempt,
            read=metrics.read.bytes,
            shuffle_read=metrics.shuffle_read.remote + metrics.shuffle_read.local,
            shuffle_written=metrics.shuffle_written.bytes,
            written=metrics.written.bytes,
            returned=metrics.result_bytes,
            cpu_s=(metrics.cpu_ns + metrics.deserialize_cpu_ns) / 1e9,
            executor=event.info.executor,
        )

    def _running(self, stage_id: int) -> SparkStage:
        """A stage that runs: as it was described, or without a description where that event was lost."""
        if stage_id not in self.stages:
            described = self.described.get(stage_id, SparkStage(stage_id, "", -1, {}, ()))
            self.stages[stage_id] = replace(described, begun=self._number, tasks={})
        return self.stages[stage_id]

    def _partition(self, stage: SparkStage, event: TaskEnd) -> int:
        """The partition that a task computed.

        Since Spark 3.3 tasks tell it. Before, they have their index in their attempt only.
        """
        if event.info.partition >= 0:
            return event.info.partition
        index, computed = event.info.index, self._computed_by(stage, event.attempt)
        return computed[index] if index < len(computed) else index

    def _computed_by(self, stage: SparkStage, attempt: int) -> list[int]:
        """Partitions that an attempt of a stage computes, in the order of its tasks: those that are missing when it
        begins in ascending order, and then what has been lost, of which the log does not tell.
        """
        if attempt == 0:
            return []
        if (stage.stage_id, attempt) not in self._attempts:
            known = set(stage.tasks)
            partitions = max(stage.partitions, max(known, default=-1) + 1)
            missing = [partition for partition in range(partitions) if partition not in known]
            self._attempts[stage.stage_id, attempt] = [*missing, *sorted(known)]
        return self._attempts[stage.stage_id, attempt]


def read_application(lines: Iterable[str], source: str) -> Application:
    """What an event log says.

    Args:
        lines: One JSON object each.
        source: Names the log in errors.

    Raises:
        TraceError: a line is not an event, an event lacks a field, or no task succeeded.
    """
    application = Application()
    for place, line, header in headers(lines, source, spark_events.Header, _REMEDY):
        if (decoder := spark_events.decoder(header.kind)) is not None:
            with named(place, header.kind, _REMEDY):
                application.take(decoder.decode(line))
    application.stages = {key: stage for key, stage in application.stages.items() if stage.tasks}
    if not application.stages:
        raise TraceError(f"{source}: no task succeeded; give the log of an application that did something")
    return application


def _stage(info: StageInfo) -> SparkStage:
    return SparkStage(
        stage_id=info.stage_id,
        name=info.name,
        rdd_id=max((rdd.rdd_id for rdd in info.rdds), default=-1),
        rdds={rdd.rdd_id: rdd for rdd in info.rdds},
        parents=info.parents,
        partitions=min(info.partitions, MOST_PARTITIONS),
    )
