"""Coflow benchmark traces: one shuffle a job, with the racks of its mappers and the megabytes of its reducers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from workloads.importers.trace import ImportedJob, Trace, TraceError, block_bytes, even, number, slug, unique, whole
from workloads.job import Exchange, Job, Read, Stage

_MB = 2**20  # as the simulators that read this format take it
_MEMORY_MB = 1024
_MOST_RACKS = 255
_LEAST_SLOTS = 8


@dataclass(frozen=True)
class Coflow:
    """One line: `id arrival-ms mappers rack... reducers rack:MB...`.

    Attributes:
        mapper_racks: Rack of each mapper.
        reducers: Rack and bytes of each reducer; every mapper sends each of them an equal part.
    """

    coflow_id: str
    arrival_ms: float
    mapper_racks: tuple[int, ...]
    reducers: tuple[tuple[int, float], ...]

    @property
    def bytes(self) -> int:
        """What is shuffled."""
        return round(sum(size for _, size in self.reducers))


def import_coflows(lines: Iterable[str], source: str) -> Trace:
    """The jobs of a trace: each coflow is a job that reads what its mappers send, and shuffles it.

    A job has one task for each mapper or each reducer, whichever are more. Each mapper has a file of its own; reducers
    get exactly their shares. The network gets one host a rack, as the benchmark has one port a rack, without blocking.

    Raises:
        TraceError: a line that is not of the format.
    """
    numbered = [(place, words) for place, line in enumerate(lines, 1) if (words := line.partition("#")[0].split())]
    if not numbered:
        raise TraceError(f"{source}: empty; the first line has the numbers of racks and coflows")
    racks, count = _header(numbered[0][1], f"{source}: line {numbered[0][0]}")
    coflows = [_coflow(words, f"{source}: line {place}", racks) for place, words in numbered[1:]]
    _one_numbering(numbered[1:], coflows, racks, source)
    if len(coflows) != count:
        raise TraceError(f"{source}: line 1: announces {count} coflows, {len(coflows)} follow; correct the number")
    seen: set[str] = set()
    for (place, _), coflow in zip(numbered[1:], coflows, strict=True):
        if coflow.coflow_id in seen:
            raise TraceError(f"{source}: line {place}: coflow {coflow.coflow_id} was there before; rename one")
        seen.add(coflow.coflow_id)
    first_ms = min(coflow.arrival_ms for coflow in coflows)
    names = unique(f"coflow-{slug(coflow.coflow_id)}" for coflow in coflows)
    jobs = sorted(
        (_job(coflow, name, first_ms) for coflow, name in zip(coflows, names, strict=True)),
        key=lambda imported: imported.at_s,
    )
    slots = max(_LEAST_SLOTS, *(-(-imported.job.containers // racks) for imported in jobs))
    return Trace(
        name=slug(Path(source).stem),
        format="coflow",
        jobs=tuple(jobs),
        cluster={
            "topology": {
                "preset": "fat-tree",
                "parameters": {"racks": racks, "hosts_per_rack": 1, "core_switches": 2, "uplink_ports_per_rack": 2},
                "blocking_factor": [1],
            },
            "node": {"slots": slots, "cores": slots, "memory_bytes": max(32, slots) * 2**30},
            "data": {"replication": min(3, racks)},
        },
    )


def _header(words: Sequence[str], place: str) -> tuple[int, int]:
    if len(words) != 2:
        raise TraceError(f"{place}: {len(words)} fields; give the numbers of racks and coflows")
    racks, count = whole(words[0], f"{place}: racks", 1), whole(words[1], f"{place}: coflows", 1)
    if racks > _MOST_RACKS:
        raise TraceError(f"{place}: {racks} racks; the emulated network has at most {_MOST_RACKS}, merge some")
    return racks, count


def _one_numbering(
    numbered: Sequence[tuple[int, Sequence[str]]], coflows: Sequence[Coflow], racks: int, source: str
) -> None:
    """Refuse racks that count both from 0 and up to their number: one of them does not exist."""
    named = [{*coflow.mapper_racks, *(rack for rack, _ in coflow.reducers)} for coflow in coflows]
    if any(0 in found for found in named):
        for (place, _), found in zip(numbered, named, strict=True):
            if racks in found:
                raise TraceError(
                    f"{source}: line {place}: rack {racks} of {racks}, and others count from 0; correct it"
                )


def _coflow(words: Sequence[str], place: str, racks: int) -> Coflow:
    """A coflow from the words of its line; racks are numbered from 0 or from 1."""
    rest = iter(words)

    def rack(word: str, where: str) -> int:
        number = whole(word, where)
        if number > racks:
            raise TraceError(f"{where}: {number}; there are {racks} racks, correct line 1 or the rack")
        return number

    def take(what: str) -> str:
        word = next(rest, None)
        if word is None:
            raise TraceError(f"{place}: ends before {what}; write `id arrival mappers rack... reducers rack:MB...`")
        return word

    coflow_id = take("its id")
    arrival_ms = number(take("the arrival"), f"{place}: arrival")
    mappers = whole(take("the number of mappers"), f"{place}: mappers", 1)
    mapper_racks = tuple(
        rack(take(f"the rack of mapper {i + 1}"), f"{place}: rack of mapper {i + 1}") for i in range(mappers)
    )
    reducers: list[tuple[int, float]] = []
    for i in range(whole(take("the number of reducers"), f"{place}: reducers", 1)):
        name, colon, size = take(f"reducer {i + 1}").partition(":")
        where = f"{place}: reducer {i + 1}"
        if not colon:
            raise TraceError(f"{where}: {name!r} has no megabytes; write rack:MB")
        reducers.append((rack(name, f"{where}: rack"), number(size, f"{where}: MB") * _MB))
    if (extra := next(rest, None)) is not None:
        raise TraceError(f"{place}: {extra!r} after the last reducer; correct the numbers of mappers and reducers")
    coflow = Coflow(coflow_id, arrival_ms, mapper_racks, tuple(reducers))
    if coflow.bytes < mappers:
        raise TraceError(f"{place}: moves {coflow.bytes} bytes from {mappers} mappers; remove the coflow")
    return coflow


def _job(coflow: Coflow, job_id: str, first_ms: float) -> ImportedJob:
    mappers, reducers = len(coflow.mapper_racks), len(coflow.reducers)
    tasks = max(mappers, reducers, 2)
    total = coflow.bytes
    ends = [total * i // mappers for i in range(mappers + 1)]
    parts = [end - begin for begin, end in itertools.pairwise(ends)]
    reads = tuple(Read(f"{job_id}/map-{i}", part, block_bytes=block_bytes(part, 1)) for i, part in enumerate(parts, 1))
    sizes = tuple(size for _, size in coflow.reducers)
    shares = () if even(sizes, tasks) else tuple(size / _MB for size in sizes)
    stages = (Stage("map", reads), Stage("reduce", (Exchange("map", total, shares=shares),)))
    return ImportedJob(
        Job(job_id, job_id, stages, containers=tasks + 1, memory_mb=_MEMORY_MB),
        f"Coflow {coflow.coflow_id}: {mappers} mappers send {total} bytes to {reducers} reducers.",
        "Imported from a trace in the coflow benchmark's format, 1 MB = 2^20 bytes. The trace knows the shuffle only:\n"
        "the job reads as much as it shuffles, and neither computes nor writes.\n"
        f"Racks in the trace, which placement does not heed: mappers {_counted(coflow.mapper_racks)}; "
        f"reducers {_counted([rack for rack, _ in coflow.reducers])}.\n",
        (coflow.arrival_ms - first_ms) / 1000,
    )


def _counted(racks: Sequence[int]) -> str:
    counts = {rack: racks.count(rack) for rack in sorted(set(racks))}
    return ", ".join(f"{rack}" if count == 1 else f"{rack} ({count} times)" for rack, count in counts.items())
