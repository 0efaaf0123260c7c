"""Reading the history file of a Hadoop 2 or 3 job (`.jhist`): which attempts succeeded, and what they moved.

Hadoop writes one Avro record an event, by the schema in the file's second line. In JSON a value of a union is wrapped
in an object with the name of its type; which fields are unions differs between versions, so all may be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

from workloads.importers import avro
from workloads.importers.event_log import named, objects, text, whole
from workloads.importers.trace import TraceError

_TYPES = {"null", "boolean", "int", "long", "float", "double", "bytes", "string", "array", "map"}
_FILE_SYSTEMS = ("FileSystemCounter", "FileSystemCounters")
_TASK = ("TaskCounter", "Task$Counter")
_FORMATS = tuple(f"File{way}Format{what}" for way in ("Input", "Output") for what in ("Counter", "$Counter"))


@dataclass(frozen=True)
class Attempt:
    """An attempt of a task that succeeded; times in ms, other volumes in bytes.

    Attributes:
        kind: `MAP` or `REDUCE`.
        host: With its rack before it.
        received: Of the shuffle.
        cpu_s: CPU seconds; None where the history has none.
        memory: What it used at its end.
        began_ms: When it began; None where the history lacks that.
        shuffled_ms: When its shuffle had ended; a map's end.
    """

    task: str
    kind: str
    host: str
    read: int
    received: int
    written: int
    cpu_s: float | None
    memory: int
    began_ms: int | None
    shuffled_ms: int
    ended_ms: int


@dataclass
class History:
    """What a history says.

    Attributes:
        status: `SUCCEEDED`, `FAILED`, `KILLED`, `ERROR`; empty without the job's end.
        announced: How many tasks there are of each kind.
        started_ms: When each attempt began, also those that failed, by its id; and when it `ended_ms`.
        reducing_since_ms: When the first reducer began.
        finished: Attempts that succeeded and whose work was not lost again, by id in the order of their ends.
    """

    job_id: str = ""
    name: str = ""
    submitted_ms: int | None = None
    finished_ms: int | None = None
    status: str = ""
    announced: dict[str, int] = field(default_factory=dict)
    started_ms: dict[str, int] = field(default_factory=dict)
    ended_ms: dict[str, int] = field(default_factory=dict)
    reducing_since_ms: int | None = None
    finished: dict[str, Attempt] = field(default_factory=dict)
    _successful: dict[str, str] = field(default_factory=dict)

    def succeeded(self, kind: str) -> list[Attempt]:
        """One attempt of each task of a kind that succeeded: the one that the history names, or else the last."""
        by_task = {attempt.task: attempt for attempt in self.finished.values() if attempt.kind == kind}
        for task, attempt_id in self._successful.items():
            if task in by_task and attempt_id in self.finished:
                by_task[task] = self.finished[attempt_id]
        return [by_task[task] for task in sorted(by_task)]

    def take(self, record: str, event: Mapping[str, Any]) -> None:
        """Heeds one event; the method for each record of the schema is named as the record is.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: the event has not the fields of its record.
        """
        if (handler := getattr(self, f"_on_{record}", None)) is not None:
            handler({name: _bare(value) for name, value in event.items()})

    def _on_JobSubmitted(self, event: Mapping[str, Any]) -> None:
        self.job_id, self.name = text(event["jobid"]), text(event.get("jobName") or "")
        self.submitted_ms = whole(event["submitTime"])

    def _on_JobInited(self, event: Mapping[str, Any]) -> None:
        self.announced = {"MAP": whole(event["totalMaps"]), "REDUCE": whole(event["totalReduces"])}

    def _on_JobFinished(self, event: Mapping[str, Any]) -> None:
        self.status, self.finished_ms = "SUCCEEDED", whole(event["finishTime"])

    def _on_JobUnsuccessfulCompletion(self, event: Mapping[str, Any]) -> None:
        self.status, self.finished_ms = text(event["jobStatus"]), whole(event["finishTime"])

    def _on_TaskAttemptStarted(self, event: Mapping[str, Any]) -> None:
        began_ms = self.started_ms[text(event["attemptId"])] = whole(event["startTime"])
        if event["taskType"] == "REDUCE":
            self.reducing_since_ms = min(began_ms, self.reducing_since_ms or began_ms)

    def _on_MapAttemptFinished(self, event: Mapping[str, Any]) -> None:
        self._attempt_finished(event, whole(event["finishTime"]))

    def _on_ReduceAttemptFinished(self, event: Mapping[str, Any]) -> None:
        self._attempt_finished(event, whole(event["shuffleFinishTime"]))

    def _on_TaskAttemptUnsuccessfulCompletion(self, event: Mapping[str, Any]) -> None:
        attempt_id = text(event["attemptId"])
        self.ended_ms.setdefault(attempt_id, whole(event["finishTime"]))
        self.finished.pop(attempt_id, None)  # a map that had succeeded, on a node that was lost

    def _on_TaskFinished(self, event: Mapping[str, Any]) -> None:
        if (attempt_id := event.get("successfulAttemptId")) is not None:
            self._successful[text(event["taskid"])] = text(attempt_id)

    def _attempt_finished(self, event: Mapping[str, Any], shuffled_ms: int) -> None:
        attempt_id = text(event["attemptId"])
        self.ended_ms[attempt_id] = whole(event["finishTime"])
        if event["taskStatus"] != "SUCCEEDED":
            return
        counts = _Counters(event["counters"])
        cpu_ms = counts.of("CPU_MILLISECONDS", _TASK)
        self.finished.pop(attempt_id, None)
        self.finished[attempt_id] = Attempt(
            task=text(event["taskid"]),
            kind=text(event["taskType"]),
            host=f"{text(event.get('rackname') or '')}/{text(event['hostname'])}",
            read=counts.files("BYTES_READ"),
            received=counts.of("REDUCE_SHUFFLE_BYTES", _TASK) or 0,
            written=counts.files("BYTES_WRITTEN"),
            cpu_s=None if cpu_ms is None else cpu_ms / 1000,
            memory=counts.of("PHYSICAL_MEMORY_BYTES", _TASK) or 0,
            began_ms=self.started_ms.get(attempt_id),
            shuffled_ms=shuffled_ms,
            ended_ms=self.ended_ms[attempt_id],
        )


class _Counters:
    """Counters of an attempt, by the last part of their group's name and their own."""

    def __init__(self, counters: Any) -> None:  # noqa: ANN401 - whatever stands in the file
        self._values = {
            (text(_bare(group["name"])).rpartition(".")[2], text(_bare(counter["name"]))): _bare(counter["value"])
            for group in _bare(counters["groups"])
            for counter in _bare(group["counts"])
        }

    def of(self, name: str, groups: tuple[str, ...]) -> int | None:
        """A counter of one of these groups; None where there is none."""
        return next((whole(self._values[group, name]) for group in groups if (group, name) in self._values), None)

    def files(self, name: str) -> int:
        """What was moved from or to all file systems but the local one, to which Hadoop spills; where that is nothing,
        what the job's own format counts.
        """
        moved = sum(
            whole(value)
            for (group, counter), value in self._values.items()
            if group in _FILE_SYSTEMS and counter.endswith(f"_{name}") and not counter.startswith("FILE_")
        )
        return moved or self.of(name, _FORMATS) or 0


def read_history(lines: Iterable[str], source: str) -> History:
    """What a history file says.

    Args:
        lines: As they are in the file: its kind, its schema, and an event each.
        source: Names the file in errors.

    Raises:
        TraceError: it is no history, a line is not an event, or an event lacks a field.
    """
    read = iter(lines)
    if next(read, "").strip() != avro.JSON:
        raise TraceError(f"{source}: line 1: not {avro.JSON}; give the .jhist file of a Hadoop 2 or 3 job")
    next(read, "")
    history = History()
    for place, event in objects(chain(["", ""], read), source, "event"):
        kind = str(event.get("type"))
        with named(place, kind, "give the history of a Hadoop 2 or 3 job"):
            ((record, fields),) = event["event"].items()
            history.take(record.rpartition(".")[2], fields)
    return history


def _bare(value: Any) -> Any:  # noqa: ANN401 - anything of JSON
    """A value without the name of its type, where it stands in a union."""
    if isinstance(value, dict) and len(value) == 1:
        ((name, inner),) = value.items()
        if name in _TYPES or "." in name:
            return inner
    return value
