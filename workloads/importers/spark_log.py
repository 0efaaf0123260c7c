"""Reading a Spark event log: which stages ran, what they moved, and what depends on what."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from workloads.importers.trace import TraceError

_MEMORY_UNITS = {"k": 1 / 1024, "m": 1.0, "g": 1024.0, "t": 1024.0**2}
_DEFAULT_MEMORY_MB = 1024


@dataclass(frozen=True)
class Rdd:
    """One RDD as a stage describes it; `kept` when it is asked to stay in memory or on disk."""

    rdd_id: int
    parents: tuple[int, ...]
    kept: bool


@dataclass
class TaskVolumes:
    """What one successful task moved, in bytes, and its CPU seconds."""

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
        accumulators: Ids of the accumulators that its tasks updated.
        tasks: By partition, the last success.
    """

    stage_id: int
    name: str
    rdd_id: int
    rdds: Mapping[int, Rdd]
    parents: tuple[int, ...]
    completed_ms: int = 0
    accumulators: frozenset[int] = frozenset()
    tasks: dict[int, TaskVolumes] = field(default_factory=dict)

    @property
    def read_bytes(self) -> int:
        """From files and from RDDs that were kept."""
        return sum(task.read for task in self.tasks.values())

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
        executors: Cores of each executor; `peak` is how many there were at once.
    """

    name: str = "spark"
    stages: dict[int, SparkStage] = field(default_factory=dict)
    described: dict[int, SparkStage] = field(default_factory=dict)
    jobs: dict[int, SparkJob] = field(default_factory=dict)
    plans: list[Mapping[str, Any]] = field(default_factory=list)
    executors: dict[str, int] = field(default_factory=dict)
    peak: int = 0
    memory_mb: int = _DEFAULT_MEMORY_MB
    version: str = ""
    _alive: set[str] = field(default_factory=set)

    def take(self, event: Mapping[str, Any]) -> None:
        """Heeds one event; the method for each kind is named as the kind is.

        Raises:
            KeyError, TypeError, ValueError: the event has not the fields of its kind.
        """
        kind = str(event["Event"]).rpartition(".")[2].removeprefix("SparkListener")
        if (handler := getattr(self, f"_on_{kind}", None)) is not None:
            handler(event)

    def _on_LogStart(self, event: Mapping[str, Any]) -> None:
        self.version = event["Spark Version"]

    def _on_ApplicationStart(self, event: Mapping[str, Any]) -> None:
        self.name = event["App Name"]

    def _on_EnvironmentUpdate(self, event: Mapping[str, Any]) -> None:
        self.memory_mb = _memory_mb(event["Spark Properties"].get("spark.executor.memory", "1g"))

    def _on_ExecutorAdded(self, event: Mapping[str, Any]) -> None:
        self.executors[event["Executor ID"]] = event["Executor Info"]["Total Cores"]
        self._alive.add(event["Executor ID"])
        self.peak = max(self.peak, len(self._alive))

    def _on_ExecutorRemoved(self, event: Mapping[str, Any]) -> None:
        self._alive.discard(event["Executor ID"])

    def _on_JobStart(self, event: Mapping[str, Any]) -> None:
        infos = event.get("Stage Infos", [])
        for info in infos:
            self.described.setdefault(info["Stage ID"], _stage(info))
        stage_ids = tuple(event.get("Stage IDs") or [info["Stage ID"] for info in infos])
        self.jobs[event["Job ID"]] = SparkJob(event["Job ID"], event["Submission Time"], stage_ids)

    def _on_JobEnd(self, event: Mapping[str, Any]) -> None:
        self.jobs[event["Job ID"]].ended_ms = event["Completion Time"]

    def _on_StageCompleted(self, event: Mapping[str, Any]) -> None:
        info = event["Stage Info"]
        stage = _stage(info)
        if stage.stage_id in self.stages:  # an attempt before
            stage.tasks = self.stages[stage.stage_id].tasks
        stage.completed_ms = info.get("Completion Time", 0)
        stage.accumulators = frozenset(item["ID"] for item in info.get("Accumulables", []))
        self.stages[stage.stage_id] = stage

    def _on_TaskEnd(self, event: Mapping[str, Any]) -> None:
        if event["Task End Reason"]["Reason"] != "Success" or not event.get("Task Metrics"):
            return
        stage_id, info, metrics = event["Stage ID"], event["Task Info"], event["Task Metrics"]
        if stage_id not in self.stages:
            self.stages[stage_id] = self.described[stage_id]
        shuffled = metrics["Shuffle Read Metrics"]
        cpu_ns = metrics["Executor CPU Time"] + metrics["Executor Deserialize CPU Time"]
        self.stages[stage_id].tasks[info.get("Partition ID", info["Index"])] = TaskVolumes(
            read=metrics["Input Metrics"]["Bytes Read"],
            shuffle_read=shuffled["Remote Bytes Read"] + shuffled["Local Bytes Read"],
            shuffle_written=metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"],
            written=metrics["Output Metrics"]["Bytes Written"],
            returned=metrics["Result Size"],
            cpu_s=cpu_ns / 1e9,
            executor=info["Executor ID"],
        )

    def _on_SQLExecutionStart(self, event: Mapping[str, Any]) -> None:
        self.plans.append(event["sparkPlanInfo"])

    def _on_SQLAdaptiveExecutionUpdate(self, event: Mapping[str, Any]) -> None:
        self.plans.append(event["sparkPlanInfo"])


def read_application(lines: Iterable[str], source: str) -> Application:
    """What an event log says.

    Args:
        lines: One JSON object each.
        source: Names the log in errors.

    Raises:
        TraceError: a line is not an event, an event lacks a field, or no task succeeded.
    """
    application = Application()
    for place, event in _events(lines, source):
        try:
            application.take(event)
        except KeyError as error:
            raise TraceError(
                f"{place}: {event['Event']} lacks {error}; give the log of a Spark of at least 2.3"
            ) from error
        except (TypeError, ValueError, AttributeError) as error:
            raise TraceError(f"{place}: {event['Event']} is malformed ({error}); remove the line") from error
    application.stages = {key: stage for key, stage in application.stages.items() if stage.tasks}
    if not application.stages:
        raise TraceError(f"{source}: no task succeeded; give the log of an application that did something")
    return application


def _events(lines: Iterable[str], source: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{source}: line {number}"
        try:
            event = json.loads(line)
        except json.JSONDecodeError as error:
            raise TraceError(f"{place}: not JSON ({error.msg}); give a whole event log or remove the line") from error
        if not isinstance(event, dict) or "Event" not in event:
            raise TraceError(f"{place}: no Event; give a Spark event log")
        yield place, event


def _stage(info: Mapping[str, Any]) -> SparkStage:
    rdds = [_rdd(entry) for entry in info["RDD Info"]]
    return SparkStage(
        stage_id=info["Stage ID"],
        name=info["Stage Name"],
        rdd_id=max((rdd.rdd_id for rdd in rdds), default=-1),
        rdds={rdd.rdd_id: rdd for rdd in rdds},
        parents=tuple(info["Parent IDs"]),
    )


def _rdd(info: Mapping[str, Any]) -> Rdd:
    level = info["Storage Level"]
    return Rdd(info["RDD ID"], tuple(info["Parent IDs"]), bool(level["Use Disk"] or level["Use Memory"]))


def _memory_mb(text: str) -> int:
    """MiB of a size as Spark writes it: `4g`, `512m`, `1024` (MiB)."""
    text = text.strip().lower().removesuffix("b")
    unit = text[-1:]
    if unit in _MEMORY_UNITS:
        return max(1, round(float(text[:-1]) * _MEMORY_UNITS[unit]))
    return max(1, round(float(text)))
