"""What clients of the cluster do to files while jobs run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from experiments.documents.diagnostics import nearest
from experiments.documents.quantities import Bytes
from experiments.specification.parts import Part, Seconds
from topologies.topology import Topology
from workloads.schedule import LATEST_S

MOST_OPERATIONS = 100_000

Operation = Literal["create", "change", "rename", "delete", "read"]
Path = Annotated[str, Field(pattern=r"^(/[^/\x00-\x1f]+)+$", max_length=250)]


class FilesSpec(Part):
    """One operation on a file, or a sequence of them."""

    operation: Operation = Field(description="change writes the file anew, as HDFS does")
    file: Path = Field(description="Its name, which begins with a slash")
    at_s: Seconds = Field(
        default=0.0, description="When, modelled seconds, or later: after those before it on the file"
    )
    bytes: Bytes | None = Field(default=None, description="What create and change write")
    to: Path | None = Field(default=None, description="New name")
    host: str | None = Field(default=None, description="Where the client is that writes or reads; the first one's")
    user: Annotated[str, Field(min_length=1, max_length=32)] = "client"
    every_s: Annotated[float, Field(gt=0, le=LATEST_S)] | None = Field(
        default=None, description="A sequence of changes or reads at this interval"
    )
    count: Annotated[int, Field(ge=2, le=MOST_OPERATIONS)] | None = Field(default=None, description="How many")

    @model_validator(mode="after")
    def _complete(self) -> FilesSpec:
        writes = self.operation in ("create", "change")
        if writes != (self.bytes is not None):
            raise ValueError(f"bytes: {'give them to' if writes else 'not with'} {self.operation}")
        if (self.operation == "rename") != (self.to is not None):
            raise ValueError("`to` and the operation rename go together; give both or neither")
        if self.host is not None and self.operation in ("rename", "delete"):
            raise ValueError(f"host: not with {self.operation}, which is the name node's")
        if (self.every_s is None) != (self.count is None):
            raise ValueError("a sequence has `every_s` and `count`; give both or neither")
        if self.count is not None and self.operation not in ("change", "read"):
            raise ValueError(f"count: not with {self.operation}, which happens to a file once")
        return self


@dataclass(frozen=True, slots=True)
class FileTask:
    """One operation, at its time; `place` is its index in the specification."""

    place: int
    at_s: float
    operation: Operation
    file: str
    size: int
    to: str
    host: str | None
    user: str


def tasks(entries: Iterable[FilesSpec]) -> tuple[FileTask, ...]:
    """All operations in the order of their times."""
    found = [
        FileTask(
            place,
            entry.at_s + step * (entry.every_s or 0.0),
            entry.operation,
            entry.file,
            entry.bytes or 0,
            entry.to or "",
            entry.host,
            entry.user,
        )
        for place, entry in enumerate(entries)
        for step in range(entry.count or 1)
    ]
    return tuple(sorted(found, key=lambda task: task.at_s))


def threads(every: Sequence[FileTask]) -> list[list[FileTask]]:
    """Operations on the same files, in order; those of different threads know nothing of each other."""
    joined: dict[str, list[FileTask]] = {}
    for task in every:
        thread = joined.setdefault(task.file, [])
        if task.to and (other := joined.get(task.to)) is not None and other is not thread:
            thread += other
            thread.sort(key=lambda one: one.at_s)
            for name in [name for name, known in joined.items() if known is other]:
                joined[name] = thread
        if task.to:
            joined[task.to] = thread
        thread.append(task)
    return [*{id(thread): thread for thread in joined.values()}.values()]


def problems(entries: Sequence[FilesSpec], topology: Topology) -> Iterator[tuple[tuple[str, int, str], object, str]]:
    """What cannot be done: where the specification asks for it, the value, and the reason with the remedy."""
    hosts = [host.name for host in topology.hosts]
    for place, entry in enumerate(entries):
        if entry.host is not None and entry.host not in hosts:
            yield ("files", place, "host"), entry.host, f"no such host; {nearest(entry.host, hosts)}"
    every = tasks(entries)
    if len(every) > MOST_OPERATIONS:
        hint = f"there are {len(every):,} operations in all; give at most {MOST_OPERATIONS:,}"
        yield ("files", 0, "count"), entries[0].count, hint
        return
    there: set[str] = set()
    for task in every:
        if task.operation == "create" and task.file in there:
            hint = "it is there already at that time; delete it before, or change it"
            yield ("files", task.place, "file"), task.file, hint
        elif task.operation != "create" and task.file not in there:
            yield ("files", task.place, "file"), task.file, "no such file at that time; create it before"
            return
        elif task.operation == "rename" and task.to in there:
            yield ("files", task.place, "to"), task.to, "there is a file of that name at that time; delete it before"
        if task.operation in ("delete", "rename"):
            there.discard(task.file)
        if task.operation in ("create", "rename"):
            there.add(task.to or task.file)
