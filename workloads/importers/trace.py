"""What every importer yields: jobs and what the trace says about its cluster, and how they become profiles."""

from __future__ import annotations

import itertools
import math
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workloads.errors import WorkloadError
from workloads.job import MOST_BLOCKS, Exchange, Job, Read, Stage

_GB = 1e9
_MOST = 1e18
_NODES = 8  # of the network of a specification that names none
_LEAST_SLOTS = 8
_LEAST_MEMORY_MB = 32 * 1024


class TraceError(WorkloadError, ValueError):
    """A trace that cannot be imported; the message names the file, the line or field, and the remedy."""


@dataclass(frozen=True)
class ImportedJob:
    """One job of a trace.

    Attributes:
        job: Its files are named `job_id/file`.
        description: One sentence.
        provenance: Where its volumes come from, and what the trace says that the testbed decides by itself.
        at_s: Modelled seconds from the first job's submission to this one's.
        recorded: One sentence: how long it took where it was recorded; empty when the trace does not know.
    """

    job: Job
    description: str
    provenance: str
    at_s: float = 0.0
    recorded: str = ""


@dataclass(frozen=True)
class Trace:
    """Jobs of a trace, in order of time.

    Attributes:
        name: Of the trace; letters, digits, dots, dashes and underscores.
        format: Name of its format.
        cluster: Parts of a specification that the trace determines: `topology`, `node`, `data`.
        notes: What is missing or could not be told, a sentence each.
    """

    name: str
    format: str
    jobs: tuple[ImportedJob, ...]
    cluster: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def profile_document(imported: ImportedJob) -> dict[str, Any]:
    """The document of a profile whose job, at its default size, has exactly the volumes of the imported one.

    Volumes are ratios to the input, so that the job can be scaled by its `input_bytes`. What a trace cannot know, the
    weights of the placement cost, is even.

    Raises:
        TraceError: the job reads nothing.
    """
    job = imported.job
    if not job.input_bytes:
        raise TraceError(f"job {job.job_id}: reads no bytes; a profile needs an input, remove the job")
    return {
        "name": job.profile,
        "description": imported.description,
        "provenance": f"{imported.provenance}{imported.recorded}\n" if imported.recorded else imported.provenance,
        "weights": {"closeness": 0.5, "locality": 0.5},
        "input_bytes": job.input_bytes,
        "containers": job.containers,
        "slots_per_container": job.slots_per_container,
        "memory_mb": job.memory_mb,
        "vcores": job.vcores,
        "stages": [_stage(job, stage) for stage in job.stages],
    }


def block_bytes(size: int, tasks: int) -> int:
    """The size of blocks of which a file has one for each of the tasks that read it.

    The file has fewer where it cannot be divided so: one of no more than (tasks - 1)² bytes, or for more tasks than a
    file may have blocks.
    """
    return max(1, -(-size // min(max(1, tasks), MOST_BLOCKS)))


def roomy_node(job: Job) -> dict[str, int]:
    """The `node` of a specification on whose usual network all containers of a job find room at once."""
    a_node = -(-job.containers // _NODES)
    return {
        "slots": max(_LEAST_SLOTS, a_node),
        "cores": max(_LEAST_SLOTS, a_node * job.vcores),
        "memory_bytes": max(_LEAST_MEMORY_MB, a_node * job.memory_mb) * 2**20,
    }


def even(shares: Sequence[float], tasks: int) -> bool:
    """Whether so many tasks get the same, up to 1 %."""
    return len(shares) == tasks and max(shares) <= 1.01 * min(shares)


def slug(text: str) -> str:
    """A text as a name of a trace, a job or a file."""
    letters = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "-" for letter in text)
    return letters.strip("-._")[:50].rstrip("-._") or "trace"


def unique(names: Iterable[str]) -> list[str]:
    """Names that differ: those that were there before get a number."""
    found: dict[str, None] = {}
    for name in names:
        candidates = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
        found[next(candidate for candidate in candidates if candidate not in found)] = None
    return list(found)


def number(value: object, place: str, least: float = 0.0, most: float = _MOST) -> float:
    """A finite number of a trace, also one in quotes.

    Raises:
        TraceError: it is something else, below `least` or above `most`; `place` names the file and the field.
    """
    try:
        found = float(value)  # type: ignore[arg-type]  # whatever it is, it becomes a number or an error
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if isinstance(value, bool) or not least <= found <= most:
        raise TraceError(f"{place}: {reprlib.repr(value)}; give a number from {least:g} to {most:g}")
    return found


def whole(value: object, place: str, least: int = 0, most: float = _MOST) -> int:
    """A whole number of a trace; see `number`."""
    found = number(value, place, least, most)
    if found != int(found):
        raise TraceError(f"{place}: {reprlib.repr(value)}; give a whole number")
    return int(found)


def _stage(job: Job, stage: Stage) -> dict[str, Any]:
    inputs = [_read(job, item) if isinstance(item, Read) else _exchange(job, item) for item in stage.inputs]
    document: dict[str, Any] = {"name": stage.name, "inputs": inputs}
    if stage.write_bytes:
        document["write_bytes_per_input_byte"] = stage.write_bytes / job.input_bytes
        document["write_replication"] = stage.write_replication
    return document


def _read(job: Job, read: Read) -> dict[str, Any]:
    document: dict[str, Any] = {
        "read": read.file.removeprefix(f"{job.job_id}/"),
        "share": read.bytes / job.input_bytes,
    }
    if read.block_bytes is not None:
        document["block_bytes"] = read.block_bytes
    return document | _cpu(job, read.cpu_s)


def _exchange(job: Job, exchange: Exchange) -> dict[str, Any]:
    document: dict[str, Any] = {"from": exchange.source}
    if exchange.kind != "repartition":
        document["kind"] = exchange.kind
    if not exchange.pipelined:
        document["pipelined"] = False
    if exchange.bytes:
        document["bytes_per_input_byte"] = exchange.bytes / job.input_bytes
    if exchange.skew:
        document["skew"] = exchange.skew
    if exchange.shares:
        document["shares"] = list(exchange.shares)
    return document | _cpu(job, exchange.cpu_s)


def _cpu(job: Job, cpu_s: float) -> dict[str, float]:
    return {"cpu_s_per_gb": cpu_s * _GB / job.input_bytes} if cpu_s else {}
