"""Hadoop 1 jobs in the JSON of the MRemu emulator: tasks with their times, and every transfer of the shuffle."""

from __future__ import annotations

import json
import re
import reprlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from workloads.importers import map_reduce
from workloads.importers.map_reduce import Phase
from workloads.importers.trace import ImportedJob, Trace, TraceError, number, slug, whole
from workloads.job import Job

_ATTEMPT = re.compile(r"_\d+\Z")
_MOST_SLOTS = 10_000  # of a node of a specification
_MEMORY_MB = 1024
_DISK_MB_PER_S = 10_000
_COUNTS = {"MAP": "numMaps", "REDUCE": "numReduces"}
_ROLES = {"MAP": "mapper", "REDUCE": "reducer"}
_MOST_HOSTS = 254
_PROVENANCE = (
    "Imported from a trace in MRemu's format. The shuffle is the sum of the recorded transfers. Recorded\n"
    "durations are CPU work: those of the maps with their reading, those of the reducers from the end of\n"
    "the shuffle with their writing. Assumed: the maps read as many bytes as they pass on.\n"
)


@dataclass(frozen=True)
class _Task:
    name: str
    host: str
    cpu_s: float
    finished_s: float

    @property
    def began_s(self) -> float:
        """When its work began; that of a reducer begins when its shuffle ends."""
        return self.finished_s - self.cpu_s


def import_hadoop_job(text: str, source: str) -> Trace:
    """The job of a trace, on hosts that hang on one switch, one TaskTracker on each.

    A container is a TaskTracker with its map slots; one more host takes the master. The recorded duration of a map is
    its CPU work, and that of a reducer from the end of its shuffle; so the modelled disks never are the bottleneck.
    What the maps read is not recorded: as in a sort, they read as much as they pass on. The shuffle waits for the last
    map if it did so in the trace.

    Raises:
        TraceError: not JSON, a field is missing or malformed, or transfers of unknown tasks.
    """
    document = _document(text, source)
    attempts = {kind: _attempts(document, kind, source) for kind in _COUNTS}
    maps, reducers = (_successful(document, kind, attempts[kind], source) for kind in ("MAP", "REDUCE"))
    received = _received(document, source, attempts, reducers)
    if sum(received.values()) < len(maps):
        raise TraceError(f"{source}: transfers: they move nothing; give the trace of a job that shuffles")
    hosts = len({task.host for task in (*maps.values(), *reducers.values())})
    if hosts >= _MOST_HOSTS:
        raise TraceError(f"{source}: tasks: on {hosts} hosts; a switch has at most {_MOST_HOSTS}, merge some")
    config = _field(document, "config", dict, source)
    given = _field(config, "numMapSlots", object, f"{source}: config")
    slots = whole(given, f"{source}: config.numMapSlots", 1, _MOST_SLOTS)
    shuffled = sum(received.values())
    span = _span(document, source)
    overlapped = span is None or span[0] < max(task.finished_s for task in maps.values())
    name = slug(str(_field(document, "name", str, source)))
    mapping = _phase(maps, read_bytes=shuffled, readers=len(maps))
    reducing = _phase(reducers, received=[received[reducer] for reducer in reducers])
    stages = map_reduce.stages(name, mapping, reducing, hosts, slots, overlapped)
    job = Job(name, name, stages, hosts + 1, slots, _MEMORY_MB * slots, slots)
    about = f"Hadoop 1 job with {len(maps)} maps and {len(reducers)} reducers."
    recorded = _recorded(document, source, maps, reducers, span)
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


def _phase(tasks: Mapping[str, _Task], **volumes: Any) -> Phase:
    return Phase([task.host for task in tasks.values()], [task.cpu_s for task in tasks.values()], **volumes)


_TIMES = ("submitTime", "finishTime")


def _document(text: str, source: str) -> Mapping[str, Any]:
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise TraceError(
            f"{source}: line {error.lineno}: not JSON ({error.msg}); give a whole trace of MRemu"
        ) from error
    except (ValueError, RecursionError) as error:  # numbers too long, objects too deep
        raise TraceError(f"{source}: not JSON ({error}); give a trace of MRemu") from error
    if not isinstance(document, dict):
        raise TraceError(f"{source}: not an object; give a trace of MRemu, with tasks and transfers")
    return document


def _field(document: Mapping[str, Any], key: str, kind: type, place: str) -> Any:  # noqa: ANN401 - anything of JSON
    if key not in document:
        raise TraceError(f"{place}: {key} is missing; add it")
    if not isinstance(document[key], kind):
        raise TraceError(
            f"{place}: {key} {reprlib.repr(document[key])} has the wrong type; give one of {kind.__name__}"
        )
    return document[key]


def _entries(document: Mapping[str, Any], key: str, source: str) -> list[tuple[str, Mapping[str, Any]]]:
    entries = _field(document, key, list, source)
    for i, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise TraceError(f"{source}: {key}.{i} {reprlib.repr(entry)} has the wrong type; give an object")
    return [(f"{source}: {key}.{i}", entry) for i, entry in enumerate(entries)]


def _attempts(document: Mapping[str, Any], kind: str, source: str) -> dict[str, _Task]:
    """All attempts of one kind, by name."""
    began = "startTime" if kind == "MAP" else "shuffleFinished"
    found: dict[str, _Task] = {}
    for place, entry in _entries(document, "tasks", source):
        if _field(entry, "type", str, place) != kind:
            continue
        name = _field(entry, "name", str, place)
        start, finish = (number(_field(entry, key, object, place), f"{place}: {key}") for key in (began, "finishTime"))
        if finish < start:
            raise TraceError(f"{place}: finishTime {finish} is before {began} {start}; correct one of them")
        found[name] = _Task(name, _field(entry, "host", str, place), finish - start, finish)
    return found


def _successful(document: Mapping[str, Any], kind: str, attempts: Mapping[str, _Task], source: str) -> dict[str, _Task]:
    """Attempts of one kind that count, by name: of those of a task with transfers, or else of all, the first to end.

    Speculative and failed attempts are left out, as is their work. Hadoop's set-up and clean-up run in map slots, and
    some traces list them as maps: when there are more maps than `numMaps`, those without transfers are left out.
    """
    used = {str(_field(entry, _ROLES[kind], str, place)) for place, entry in _entries(document, "transfers", source)}
    chosen: dict[str, _Task] = {}
    for name, task in attempts.items():
        rival = chosen.get(_ATTEMPT.sub("", name))
        if rival is None or (task.name not in used, task.finished_s) < (rival.name not in used, rival.finished_s):
            chosen[_ATTEMPT.sub("", name)] = task
    if not chosen:
        raise TraceError(f"{source}: tasks: none of type {kind}; give the trace of a job with maps and reducers")
    count = whole(_field(document, _COUNTS[kind], object, source), f"{source}: {_COUNTS[kind]}")
    return {task.name: task for task in chosen.values() if task.name in used or len(chosen) <= count}


def _received(
    document: Mapping[str, Any], source: str, attempts: Mapping[str, Mapping[str, _Task]], reducers: Iterable[str]
) -> Counter[str]:
    """Bytes that each reducer that counts gets, from whichever attempts of the maps."""
    received: Counter[str] = Counter(dict.fromkeys(reducers, 0))
    for place, entry in _entries(document, "transfers", source):
        for kind, role in _ROLES.items():
            name = _field(entry, role, str, place)
            if name not in attempts[kind]:
                raise TraceError(f"{place}: {role} {name!r} is not among the tasks; add it or remove the transfer")
        size = whole(_field(entry, "size", object, place), f"{place}: size")
        if entry["reducer"] in received:
            received[entry["reducer"]] += size
    return received


def _span(document: Mapping[str, Any], source: str) -> tuple[float, float] | None:
    """When the first transfer began and the last one ended; None when one does not say."""
    entries = _entries(document, "transfers", source)
    if not all({"startTime", "finishTime"} <= entry.keys() for _, entry in entries):
        return None
    began, ended = (
        [number(entry[key], f"{place}: {key}") for place, entry in entries] for key in ("startTime", "finishTime")
    )
    return min(began), max(ended)


def _recorded(
    document: Mapping[str, Any],
    source: str,
    maps: Mapping[str, _Task],
    reducers: Mapping[str, _Task],
    span: tuple[float, float] | None,
) -> str:
    """What the stages of the imported job can be compared with, and the whole."""
    submitted, finished = (number(_field(document, key, object, source), f"{source}: {key}") for key in _TIMES)
    mapped = max(task.finished_s for task in maps.values()) - min(task.began_s for task in maps.values())
    longest = max(task.cpu_s for task in reducers.values())
    return map_reduce.recorded(finished - submitted, mapped, span[1] - span[0] if span else None, longest)
