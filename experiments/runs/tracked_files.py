"""Which files of a run are tracked, and how all of them have been used; no I/O."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from experiments.records.file_operations import FileOperation
from placement import BlockId
from retention.annotations import Annotations, Usage


@dataclass(eq=False)
class TrackedFile:
    """A tracked file.

    Attributes:
        key: tells it from all others, whatever its name.
        name: now.
        digests: checksums of its blocks as they were kept last; empty until they are.
        keeping: what was done to it last, on its way to the ledger.
        last: happens when what the ledger was told last is confirmed; None while it was told nothing.
    """

    key: str
    name: str
    digests: dict[BlockId, int] = field(default_factory=dict)
    keeping: asyncio.Task[None] | None = None
    last: asyncio.Event | None = None


class TrackedFiles:
    """The files of one run.

    Args:
        annotations: which ones are to be tracked.
        retain_s: for how long those must not be deleted, modelled seconds.

    Attributes:
        deleted: tracked files that are there no longer.
    """

    def __init__(self, annotations: Annotations, retain_s: float | None) -> None:
        self._annotations = annotations
        self._retain_s = retain_s
        self._usage: dict[str, Usage] = {}
        self._changing: set[str] = set()
        self._tracked: dict[str, TrackedFile] = {}  # by name
        self.deleted: list[TrackedFile] = []

    def __iter__(self) -> Iterator[TrackedFile]:
        return iter(list(self._tracked.values()))

    def get(self, name: str) -> TrackedFile | None:
        """The tracked file of a name."""
        return self._tracked.get(name)

    def last(self, name: str) -> TrackedFile | None:
        """The tracked file of a name, or the last one that was deleted."""
        return self._tracked.get(name) or next((one for one in self.deleted[::-1] if one.name == name), None)

    def loaded(self, names: Iterable[str]) -> list[TrackedFile]:
        """Files were there before the clock started; those to be tracked from now on."""
        self._usage.update(dict.fromkeys(names, Usage(0.0, 0.0)))
        return self.due(0.0)

    def changing(self, name: str) -> None:
        """A file is being written anew."""
        self._changing.add(name)

    def done(self, one: FileOperation, now_s: float) -> TrackedFile | None:
        """Something was done to a file; the tracked one that it was done to."""
        self._use(one, now_s)
        file = self._tracked.get(one.was or one.file)
        if file is not None and one.operation == "rename":
            self._tracked[one.file] = self._tracked.pop(file.name)
            file.name = one.file
        if file is not None and one.operation == "delete":
            self.deleted.append(self._tracked.pop(file.name))
        return file

    def _use(self, one: FileOperation, now_s: float) -> None:
        self._changing.discard(one.file)
        used = self._usage.pop(one.was or one.file, Usage(now_s, now_s))
        if one.operation == "change":
            used = dataclasses.replace(used, changes=used.changes + 1, changed_s=now_s)
        if one.operation != "delete":
            self._usage[one.file] = used
        if one.operation == "read":
            self.read(one.file)

    def read(self, name: str) -> None:
        """A file is read."""
        self._usage[name] = dataclasses.replace(self._usage[name], reads=self._usage[name].reads + 1)

    def due(self, now_s: float, names: Iterable[str] | None = None) -> list[TrackedFile]:
        """Files, all or some, that are to be tracked and were not; they are from now on."""
        asked = self._usage.keys() if names is None else self._usage.keys() & set(names)
        there = {name: self._usage[name] for name in asked if name not in self._changing}
        found = []
        for name in self._annotations.due(there, self._tracked, now_s):
            self._tracked[name] = TrackedFile(str(len(self._tracked) + len(self.deleted)), name)
            found.append(self._tracked[name])
        return found

    def expired(self, now_s: float) -> list[TrackedFile]:
        """Tracked files whose time is over, and to which nothing is being done."""
        return [
            file
            for file in self
            if self.retained_until_s(file.name) <= now_s
            and file.name not in self._changing
            and (file.keeping is None or file.keeping.done())
        ]

    def retained_until_s(self, name: str) -> int:
        """Modelled time before which a file must not be deleted, whole seconds as its contract has it."""
        if self._retain_s is None or name not in self._tracked:
            return 0
        return math.ceil(self._usage[name].created_s + self._retain_s)
