"""The events of a Hadoop job's history that tell what moved: a class for each record of the schema, as far as read.

A class has the name of its record, and its fields have those of the record's. In JSON a value of a union is wrapped in
an object with the name of its type; which fields are unions differs between versions, so all may be.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias, get_args

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.json import Decoder

from workloads.importers.event_log import Whole

_TYPES = {"null", "boolean", "int", "long", "float", "double", "bytes", "string", "array", "map"}

_Json: TypeAlias = "bool | int | float | str | list[_Json] | dict[str, _Json] | None"


class Header(Struct, frozen=True):
    """A line: the kind of its event, by which errors name it, and the event, in JSON, by the name of its record."""

    event: Raw
    type: str = "event"


class _Record(Struct, frozen=True, rename="camel"):
    """One of the records; times are in ms."""


class JobSubmitted(_Record, frozen=True):
    """A job begins."""

    jobid: str
    submit_time: Whole
    job_name: str | None = None


class JobInited(_Record, frozen=True):
    """The tasks of a job are known."""

    total_maps: Whole
    total_reduces: Whole


class JobFinished(_Record, frozen=True):
    """A job has succeeded."""

    finish_time: Whole


class JobUnsuccessfulCompletion(_Record, frozen=True):
    """A job has ended otherwise."""

    finish_time: Whole
    job_status: str


class TaskAttemptStarted(_Record, frozen=True):
    """An attempt of a task begins."""

    attempt_id: str
    task_type: str
    start_time: Whole


class TaskAttemptUnsuccessfulCompletion(_Record, frozen=True):
    """An attempt has failed or was killed, even after it had succeeded."""

    attempt_id: str
    finish_time: Whole


class TaskFinished(_Record, frozen=True):
    """A task has ended."""

    taskid: str
    successful_attempt_id: str | None = None


class Counter(Struct, frozen=True):
    """A counter; those of a job's own may be negative."""

    name: str
    value: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]


class Group(Struct, frozen=True):
    """Counters of one class."""

    name: str
    counts: tuple[Counter, ...]


class Counters(Struct, frozen=True):
    """All counters of an attempt."""

    groups: tuple[Group, ...]


class AttemptFinished(_Record, frozen=True):
    """An attempt of a task has ended."""

    taskid: str
    attempt_id: str
    task_type: str
    task_status: str
    hostname: str
    counters: Counters
    finish_time: Whole
    rackname: str | None = None


class MapAttemptFinished(AttemptFinished, frozen=True):
    """It is of a map."""

    @property
    def shuffle_finish_time(self) -> int:
        """That of the whole, as a map has no shuffle."""
        return self.finish_time


class ReduceAttemptFinished(AttemptFinished, frozen=True, kw_only=True):
    """It is of a reducer."""

    shuffle_finish_time: Whole


Event: TypeAlias = (
    JobSubmitted
    | JobInited
    | JobFinished
    | JobUnsuccessfulCompletion
    | TaskAttemptStarted
    | TaskAttemptUnsuccessfulCompletion
    | TaskFinished
    | MapAttemptFinished
    | ReduceAttemptFinished
)

_RECORDS: Mapping[str, type[Event]] = {record.__name__: record for record in get_args(Event)}
_FIELDS = Decoder(dict[str, Raw])


def event_of(header: Header) -> Event | None:
    """The event of a line; None for one that tells nothing of what moved.

    Raises:
        ValueError: it lacks a field, or has one of the wrong type.
        RecursionError: it is too deep.
    """
    ((name, fields),) = _FIELDS.decode(header.event).items()
    if (record := _RECORDS.get(name.rpartition(".")[2])) is None:
        return None
    return msgspec.convert(_bare(msgspec.json.decode(fields)), record)


def _bare(value: _Json) -> _Json:
    """A value without the names of types, where it or parts of it stand in unions."""
    if isinstance(value, list):
        return [_bare(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, inner),) = value.items()
        if name in _TYPES or "." in name:
            return _bare(inner)
    return {name: _bare(inner) for name, inner in value.items()}
