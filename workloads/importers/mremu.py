"""Hadoop 1 jobs in the JSON of the MRemu emulator: tasks with their times, and every transfer of the shuffle."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Set
from typing import Annotated, Any, TypeAlias

from msgspec import Meta, Raw, Struct, field
from msgspec.json import Decoder

from workloads.importers import map_reduce
from workloads.importers.event_log import named
from workloads.importers.map_reduce import Phase
from workloads.importers.trace import ImportedJob, Trace, TraceError, slug
from workloads.job import Job

_ATTEMPT = re.compile(r"_\d+\Z")
_MOST_SLOTS = 10_000  # of a node of a specification
_MEMORY_MB = 1024
_DISK_MB_PER_S = 10_000
_MOST_HOSTS = 254
_REMEDY = "correct it, or give a whole trace of MRemu"
_PROVENANCE = (
    "Imported from a trace in MRemu's format. The shuffle is the sum of the recorded transfers. Recorded\n"
    "durations are CPU work: those of the maps with their reading, those of the reducers from the end of\n"
    "the shuffle with their writing. Assumed: the maps read as many bytes as they pass on.\n"
)


_Number = Annotated[float, Meta(ge=0, le=1e18)]
_Whole = Annotated[int, Meta(ge=0, le=10**18)]


class _Task(Struct, frozen=True):
    """An attempt of a task; times in s. Its work began at `began_s`."""

    name: str
    host: str
    began_s: _Number
    finished_s: _Number = field(name="finishTime")

    @property
    def cpu_s(self) -> float:
        """How long it worked."""
        return self.finished_s - self.began_s

    def __post_init__(self) -> None:
        if self.finished_s < self.began_s:
            raise ValueError(f"finishTime {self.finished_s} is before {self.began_s}, when its work began")


_Tasks: TypeAlias = Mapping[str, _Task]  # by name


class _Map(_Task, frozen=True):
    began_s: _Number = field(name="startTime")


class _Reducer(_Task, frozen=True):
    """Its work begins when its shuffle ends."""

    began_s: _Number = field(name="shuffleFinished")


class _Kind(Struct, frozen=True):
    type: str


class _Transfer(Struct, frozen=True):
    """What a reducer got from a map, in bytes; times in s."""

    mapper: str
    reducer: str
    size: _Whole
    began_s: _Number | None = field(name="startTime", default=None)
    finished_s: _Number | None = field(name="finishTime", default=None)


class _Config(Struct, frozen=True):
    map_slots: Annotated[int, Meta(ge=1, le=_MOST_SLOTS)] = field(name="numMapSlots")


class _Document(Struct, frozen=True):
    """A trace; times in s. There are tasks of other kinds than maps and reducers, too."""

    name: str
    config: _Config
    maps: _Whole = field(name="numMaps")
    reduces: _Whole = field(name="numReduces")
    submitted_s: _Number = field(name="submitTime")
    finished_s: _Number = field(name="finishTime")
    transfers: list[_Transfer]
    tasks: list[Raw]

    @property
    def transferred_s(self) -> tuple[float, float] | None:
        """When the first transfer began and the last one ended; None when one does not say."""
        began = [item.began_s for item in self.transfers if item.began_s is not None]
        ended = [item.finished_s for item in self.transfers if item.finished_s is not None]
        return (min(began), max(ended)) if len(began) == len(ended) == len(self.transfers) else None


_DOCUMENT = Decoder(_Document, strict=False)  # numbers may stand in quotes
_KIND = Decoder(_Kind)
_TASKS: Mapping[str, Decoder[_Task]] = {"MAP": Decoder(_Map, strict=False), "REDUCE": Decoder(_Reducer, strict=False)}


def import_hadoop_job(text: str, source: str) -> Trace:
    """The job of a trace, on hosts that hang on one switch, one TaskTracker on each.

    A container is a TaskTracker with its map slots; one more host takes the master. The recorded duration of a map is
    its CPU work, and that of a reducer from the end of its shuffle; so the modelled disks never are the bottleneck.
    What the maps read is not recorded: as in a sort, they read as much as they pass on. The shuffle waits for the last
    map if it did so in the trace.

    Raises:
        TraceError: not JSON, a field is missing or malformed, or transfers of unknown tasks.
    """
    with named(source, "trace", _REMEDY):
        document = _DOCUMENT.decode(text)
    attempts = _attempts(document, source)
    received = _received(document, attempts, source)
    maps = _successful(attempts["MAP"], {item.mapper for item in document.transfers}, document.maps)
    reducers = _successful(attempts["REDUCE"], received.keys(), document.reduces)
    shuffled = sum(received[reducer] for reducer in reducers)
    if shuffled < max(1, len(maps)):
        raise TraceError(f"{source}: transfers: they move nothing; give the trace of a job that shuffles")
    hosts = len({task.host for task in (*maps.values(), *reducers.values())})
    if hosts >= _MOST_HOSTS:
        raise TraceError(f"{source}: tasks: on {hosts} hosts; a switch has at most {_MOST_HOSTS}, merge some")
    slots, span = document.config.map_slots, document.transferred_s
    overlapped = span is None or span[0] < max(task.finished_s for task in maps.values())
    name = slug(document.name)
    mapping = _phase(maps, read_bytes=shuffled, readers=len(maps))
    reducing = _phase(reducers, received=[received[reducer] for reducer in reducers])
    stages = map_reduce.stages(name, mapping, reducing, hosts, slots, overlapped)
    job = Job(name, name, stages, hosts + 1, slots, _MEMORY_MB * slots, slots)
    about = f"Hadoop 1 job with {len(maps)} maps and {len(reducers)} reducers."
    recorded = _recorded(document, maps, reducers)
    return Trace(
        name=name,
        format="mremu",
        jobs=(ImportedJob(job, about, _PROVENANCE + map_reduce.places(mapping, reducing), recorded=recorded),),
        cluster={
            "topology": {"preset": "single-switch", "parameters": {"hosts": hosts + 1, "host_mbps": 1000}},
            "node": {"slots": 1, "cores": slots, "disk_mb_per_s": _DISK_MB_PER_S},
            "data": {"replication": min(3, hosts + 1)},
        },
    )


def _phase(tasks: _Tasks, **volumes: Any) -> Phase:
    return Phase([task.host for task in tasks.values()], [task.cpu_s for task in tasks.values()], **volumes)


def _attempts(document: _Document, source: str) -> dict[str, dict[str, _Task]]:
    """All attempts of maps and of reducers, by name."""
    found: dict[str, dict[str, _Task]] = {kind: {} for kind in _TASKS}
    for i, raw in enumerate(document.tasks):
        with named(f"{source}: tasks[{i}]", "task", _REMEDY):
            kind = _KIND.decode(raw).type
            if kind in _TASKS:
                task = _TASKS[kind].decode(raw)
                found[kind][task.name] = task
    for kind, attempts in found.items():
        if not attempts:
            raise TraceError(f"{source}: tasks: none of type {kind}; give the trace of a job with maps and reducers")
    return found


def _received(document: _Document, attempts: Mapping[str, _Tasks], source: str) -> Counter[str]:
    """Bytes that each attempt of a reducer got, from whichever attempts of the maps."""
    received: Counter[str] = Counter()
    for i, transfer in enumerate(document.transfers):
        for role, name, kind in (("mapper", transfer.mapper, "MAP"), ("reducer", transfer.reducer, "REDUCE")):
            if name not in attempts[kind]:
                raise TraceError(
                    f"{source}: transfers[{i}]: {role} {name!r} is not among the tasks; add it or remove the transfer"
                )
        received[transfer.reducer] += transfer.size
    return received


def _successful(attempts: _Tasks, used: Set[str], count: int) -> dict[str, _Task]:
    """Attempts of one kind that count: of those of a task with transfers, or else of all, the first to end.

    Speculative and failed attempts are left out, as is their work. Hadoop's set-up and clean-up run in map slots, and
    some traces list them as maps: when there are more maps than are announced, those without transfers are left out.
    """
    chosen: dict[str, _Task] = {}
    for name, task in attempts.items():
        rival = chosen.get(_ATTEMPT.sub("", name))
        if rival is None or (name not in used, task.finished_s) < (rival.name not in used, rival.finished_s):
            chosen[_ATTEMPT.sub("", name)] = task
    return {task.name: task for task in chosen.values() if task.name in used or len(chosen) <= count}


def _recorded(document: _Document, maps: _Tasks, reducers: _Tasks) -> str:
    """What the stages of the imported job can be compared with, and the whole."""
    mapped = max(task.finished_s for task in maps.values()) - min(task.began_s for task in maps.values())
    longest = max(task.cpu_s for task in reducers.values())
    span = document.transferred_s
    transferred = span[1] - span[0] if span else None
    return map_reduce.recorded(document.finished_s - document.submitted_s, mapped, transferred, longest)
