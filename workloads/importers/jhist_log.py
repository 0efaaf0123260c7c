"""Reading the history file of a Hadoop 2 or 3 job (`.jhist`): which attempts succeeded, and what they moved.

Hadoop writes one Avro record an event, by the schema in the file's second line.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain

from workloads.importers import avro, jhist_events
from workloads.importers.event_log import headers, named
from workloads.importers.jhist_events import Counters, Event, MapAttemptFinished, ReduceAttemptFinished
from workloads.importers.trace import TraceError

_REMEDY = "give the history of a Hadoop 2 or 3 job, or remove the line"
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

    def take(self, event: Event) -> None:
        """Heeds one event.

        Raises:
            ValueError: a counter is negative.
        """
        match event:
            case MapAttemptFinished() | ReduceAttemptFinished():
                self._finish(event)
            case jhist_events.TaskAttemptStarted(attempt_id, task_type, start_time):
                self.started_ms[attempt_id] = start_time
                if task_type == "REDUCE":
                    self.reducing_since_ms = min(start_time, self.reducing_since_ms or start_time)
            case jhist_events.TaskAttemptUnsuccessfulCompletion(attempt_id, finish_time):
                self.ended_ms.setdefault(attempt_id, finish_time)
                self.finished.pop(attempt_id, None)  # a map that had succeeded, on a node that was lost
            case jhist_events.TaskFinished(task, attempt_id):
                if attempt_id is not None:
                    self._successful[task] = attempt_id
            case jhist_events.JobSubmitted(job_id, submit_time, name):
                self.job_id, self.name, self.submitted_ms = job_id, name or "", submit_time
            case jhist_events.JobInited(maps, reduces):
                self.announced = {"MAP": maps, "REDUCE": reduces}
            case jhist_events.JobFinished(finish_time):
                self.status, self.finished_ms = "SUCCEEDED", finish_time
            case jhist_events.JobUnsuccessfulCompletion(finish_time, status):
                self.status, self.finished_ms = status, finish_time

    def _finish(self, event: MapAttemptFinished | ReduceAttemptFinished) -> None:
        self.ended_ms[event.attempt_id] = event.finish_time
        if event.task_status != "SUCCEEDED":
            return
        counts = _Counts(event.counters)
        cpu_ms = counts.of("CPU_MILLISECONDS", _TASK)
        self.finished.pop(event.attempt_id, None)
        self.finished[event.attempt_id] = Attempt(
            task=event.taskid,
            kind=event.task_type,
            host=f"{event.rackname or ''}/{event.hostname}",
            read=counts.files("BYTES_READ"),
            received=counts.of("REDUCE_SHUFFLE_BYTES", _TASK) or 0,
            written=counts.files("BYTES_WRITTEN"),
            cpu_s=None if cpu_ms is None else cpu_ms / 1000,
            memory=counts.of("PHYSICAL_MEMORY_BYTES", _TASK) or 0,
            began_ms=self.started_ms.get(event.attempt_id),
            shuffled_ms=event.shuffle_finish_time,
            ended_ms=event.finish_time,
        )


class _Counts:
    """Counters of an attempt, by the last part of their group's name and their own."""

    def __init__(self, counters: Counters) -> None:
        self._values = {
            (group.name.rpartition(".")[2], counter.name): counter.value
            for group in counters.groups
            for counter in group.counts
        }

    def of(self, name: str, groups: tuple[str, ...]) -> int | None:
        """A counter of one of these groups; None where there is none."""
        return next((self._moved(group, name) for group in groups if (group, name) in self._values), None)

    def files(self, name: str) -> int:
        """What was moved from or to all file systems but the local one, to which Hadoop spills; where that is nothing,
        what the job's own format counts.
        """
        moved = sum(
            self._moved(group, counter)
            for group, counter in self._values
            if group in _FILE_SYSTEMS and counter.endswith(f"_{name}") and not counter.startswith("FILE_")
        )
        return moved or self.of(name, _FORMATS) or 0

    def _moved(self, group: str, name: str) -> int:
        if (value := self._values[group, name]) < 0:
            raise ValueError(f"{name} is {value}, and cannot be negative")
        return value


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
    for place, _, header in headers(chain(["", ""], read), source, jhist_events.Header, _REMEDY):
        with named(place, header.type, _REMEDY):
            if (event := jhist_events.event_of(header)) is not None:
                history.take(event)
    return history
