"""Reading a Spark event log: which stages ran, what they moved, and what depends on what.

A log may lack events: Spark drops some when it is too busy to write them, and an application that still runs has not
written its last ones. What such events would have told is taken from others where these tell it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from workloads.importers.event_log import named, objects, text, whole
from workloads.importers.spark_resources import DEFAULT_PROFILE, Resources, of_profile, of_properties
from workloads.importers.trace import TraceError

_MOST_PARTITIONS = 10**6


@dataclass(frozen=True)
class Rdd:
    """One RDD as a stage describes it.

    Attributes:
        kept: it is asked to stay in memory or on disk.
        made: it holds what the driver gave it, and reads no file.
    """

    rdd_id: int
    parents: tuple[int, ...]
    kept: bool
    made: bool


@dataclass(frozen=True)
class Operator:
    """An operator of an SQL plan, with the accumulators that its tasks update."""

    name: str
    accumulators: tuple[int, ...]
    children: tuple[Operator, ...]


@dataclass
class TaskVolumes:
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

    def take(self, event: Mapping[str, Any]) -> None:
        """Heeds one event; the method for each kind is named as the kind is.

        Raises:
            KeyError, TypeError, ValueError, AttributeError, RecursionError: the event has not the fields of its kind.
        """
        self._number += 1
        kind = str(event["Event"]).rpartition(".")[2].removeprefix("SparkListener")
        if (handler := getattr(self, f"_on_{kind}", None)) is not None:
            handler(event)

    def _on_LogStart(self, event: Mapping[str, Any]) -> None:
        self.version = text(event["Spark Version"])

    def _on_ApplicationStart(self, event: Mapping[str, Any]) -> None:
        self.name = text(event["App Name"])

    def _on_EnvironmentUpdate(self, event: Mapping[str, Any]) -> None:
        self.resources[DEFAULT_PROFILE] = of_properties(event["Spark Properties"])

    def _on_ResourceProfileAdded(self, event: Mapping[str, Any]) -> None:
        if (profile := whole(event["Resource Profile Id"])) != DEFAULT_PROFILE:
            self.resources[profile] = of_profile(event, self.resources[DEFAULT_PROFILE])

    def _on_ApplicationEnd(self, _event: Mapping[str, Any]) -> None:
        self.ended = True

    def _on_ExecutorAdded(self, event: Mapping[str, Any]) -> None:
        name, info = text(event["Executor ID"]), event["Executor Info"]
        profile = whole(info.get("Resource Profile Id", DEFAULT_PROFILE))
        self.executors[name] = max(1, whole(info["Total Cores"])), profile
        self._alive.add(name)
        self.peak = max(self.peak, len(self._alive))

    def _on_ExecutorRemoved(self, event: Mapping[str, Any]) -> None:
        self._alive.discard(text(event["Executor ID"]))

    def _on_JobStart(self, event: Mapping[str, Any]) -> None:
        stages = [_stage(info) for info in event.get("Stage Infos", [])]
        for stage in stages:
            self.described.setdefault(stage.stage_id, stage)
        stage_ids = event.get("Stage IDs") or [stage.stage_id for stage in stages]
        job_id = whole(event["Job ID"])
        self.jobs[job_id] = SparkJob(job_id, whole(event["Submission Time"]), tuple(map(whole, stage_ids)))

    def _on_JobEnd(self, event: Mapping[str, Any]) -> None:
        if (job := self.jobs.get(whole(event["Job ID"]))) is not None:
            job.ended_ms = whole(event["Completion Time"])

    def _on_UnpersistRDD(self, event: Mapping[str, Any]) -> None:
        self.unpersisted.setdefault(whole(event["RDD ID"]), []).append(self._number)

    def _on_StageSubmitted(self, event: Mapping[str, Any]) -> None:
        stage = _stage(event["Stage Info"])
        self.described.setdefault(stage.stage_id, stage)
        self._computed_by(self._running(stage.stage_id), whole(event["Stage Info"].get("Stage Attempt ID", 0)))

    def _on_StageCompleted(self, event: Mapping[str, Any]) -> None:
        info = event["Stage Info"]
        told = _stage(info)
        stage = self._running(told.stage_id)
        stage.name, stage.rdd_id, stage.rdds, stage.parents = told.name, told.rdd_id, told.rdds, told.parents
        stage.accumulators |= {whole(item["ID"]) for item in info.get("Accumulables", [])}
        if stage.ended is None:
            stage.ended = self._number

    def _on_TaskEnd(self, event: Mapping[str, Any]) -> None:
        if event["Task End Reason"]["Reason"] != "Success" or not event.get("Task Metrics"):
            return
        info, metrics = event["Task Info"], event["Task Metrics"]
        stage, attempt = self._running(whole(event["Stage ID"])), whole(event.get("Stage Attempt ID", 0))
        partition = self._partition(stage, attempt, info)
        if partition in stage.tasks and stage.tasks[partition].attempt > attempt:
            return
        shuffled = metrics["Shuffle Read Metrics"]
        cpu_ns = whole(metrics["Executor CPU Time"]) + whole(metrics["Executor Deserialize CPU Time"])
        stage.tasks[partition] = TaskVolumes(
            attempt=attempt,
            read=whole(metrics["Input Metrics"]["Bytes Read"]),
            shuffle_read=whole(shuffled["Remote Bytes Read"]) + whole(shuffled["Local Bytes Read"]),
            shuffle_written=whole(metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"]),
            written=whole(metrics["Output Metrics"]["Bytes Written"]),
            returned=whole(metrics["Result Size"]),
            cpu_s=cpu_ns / 1e9,
            executor=text(info["Executor ID"]),
        )

    def _running(self, stage_id: int) -> SparkStage:
        """A stage that runs: as it was described, or without a description where that event was lost."""
        if stage_id not in self.stages:
            described = self.described.get(stage_id, SparkStage(stage_id, "", -1, {}, ()))
            self.stages[stage_id] = replace(described, begun=self._number, tasks={})
        return self.stages[stage_id]

    def _partition(self, stage: SparkStage, attempt: int, info: Mapping[str, Any]) -> int:
        """The partition that a task computed.

        Since Spark 3.3 tasks tell it. Before, they have their index in their attempt only.
        """
        if (told := info.get("Partition ID", -1)) != -1:
            return whole(told)
        index = whole(info["Index"])
        computed = self._computed_by(stage, attempt)
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

    def _on_SQLExecutionStart(self, event: Mapping[str, Any]) -> None:
        self.plans.append(_operator(event["sparkPlanInfo"]))

    def _on_SQLAdaptiveExecutionUpdate(self, event: Mapping[str, Any]) -> None:
        self.plans.append(_operator(event["sparkPlanInfo"]))


def read_application(lines: Iterable[str], source: str) -> Application:
    """What an event log says.

    Args:
        lines: One JSON object each.
        source: Names the log in errors.

    Raises:
        TraceError: a line is not an event, an event lacks a field, or no task succeeded.
    """
    application = Application()
    for place, event in objects(lines, source, "Event"):
        with named(place, str(event["Event"]), "give the log of a Spark of at least 2.3"):
            application.take(event)
    application.stages = {key: stage for key, stage in application.stages.items() if stage.tasks}
    if not application.stages:
        raise TraceError(f"{source}: no task succeeded; give the log of an application that did something")
    return application


def _stage(info: Mapping[str, Any]) -> SparkStage:
    rdds = [_rdd(entry) for entry in info["RDD Info"]]
    return SparkStage(
        stage_id=whole(info["Stage ID"]),
        name=text(info["Stage Name"]),
        rdd_id=max((rdd.rdd_id for rdd in rdds), default=-1),
        rdds={rdd.rdd_id: rdd for rdd in rdds},
        parents=tuple(map(whole, info["Parent IDs"])),
        partitions=min(whole(info.get("Number of Tasks", 0)), _MOST_PARTITIONS),
    )


def _rdd(info: Mapping[str, Any]) -> Rdd:
    level = info["Storage Level"]
    made = str(info.get("Name", "")).startswith("ParallelCollection")
    parents = tuple(map(whole, info["Parent IDs"]))
    return Rdd(whole(info["RDD ID"]), parents, bool(level["Use Disk"] or level["Use Memory"]), made)


def _operator(info: Mapping[str, Any]) -> Operator:
    return Operator(
        text(info["nodeName"]),
        tuple(whole(metric["accumulatorId"]) for metric in info.get("metrics") or ()),
        tuple(map(_operator, info.get("children") or ())),
    )
