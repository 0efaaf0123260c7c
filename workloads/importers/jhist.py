"""History files of Hadoop 2 and 3: a MapReduce job on YARN."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from workloads.importers import map_reduce
from workloads.importers.jhist_log import Attempt, History, read_history
from workloads.importers.map_reduce import Phase
from workloads.importers.trace import ImportedJob, Trace, TraceError, roomy_node, slug
from workloads.job import Job

_LEAST_MEMORY_MB = 1024  # what mapreduce.map.memory.mb and mapreduce.reduce.memory.mb are unless set
_NAMES = {"MAP": "maps", "REDUCE": "reducers"}
_PROVENANCE = (
    "Imported from the history of a Hadoop job. Bytes and CPU seconds are the counters of the successful\n"
    "attempts, one a task. The history does not say what memory was asked for: taken is the most that a\n"
    f"task used at its end, and at least Hadoop's default of {_LEAST_MEMORY_MB} MiB.\n"
)


def import_job_history(lines: Iterable[str], source: str) -> Trace:
    """The job of a history, with as many containers as ran at once.

    Raises:
        TraceError: the file is no history, an event lacks a field, or no map succeeded.
    """
    history = read_history(lines, source)
    maps, reducers = history.succeeded("MAP"), history.succeeded("REDUCE")
    if not maps:
        raise TraceError(f"{source}: no map succeeded; give the history of a job that did something")
    mapping, reducing = _phase(maps), _phase(reducers)
    made = not mapping.read_bytes
    if made:
        passed_on = max(len(maps), sum(reducing.received) + mapping.written_bytes)  # at least one byte a map
        mapping = Phase(mapping.hosts, mapping.cpu_s, (), passed_on, len(maps), mapping.written_bytes)
    containers = _most_at_once(history)
    name = slug(history.name or history.job_id or Path(source).stem)
    stages = map_reduce.stages(name, mapping, reducing, containers, 1, _overlapped(history, maps))
    used_mb = -(-max(attempt.memory for attempt in (*maps, *reducers)) // 2**20)
    job = Job(name, name, stages, containers + 1, memory_mb=max(_LEAST_MEMORY_MB, used_mb))
    provenance = _PROVENANCE + ("The maps make their data, and here read as much as they pass on.\n" if made else "")
    imported = ImportedJob(
        job,
        f"Hadoop job {history.job_id or name} with {len(maps)} maps and {len(reducers)} reducers.",
        provenance + map_reduce.places(mapping, reducing),
        recorded=_recorded(history, maps, reducers),
    )
    return Trace(name, "jhist", (imported,), {"node": roomy_node(job)}, tuple(_missing(history, maps, reducers)))


def _missing(history: History, maps: Sequence[Attempt], reducers: Sequence[Attempt]) -> Iterator[str]:
    """What the history does not tell of the job, a sentence each."""
    if not history.status:
        yield "the history ends before the job does; what came later is missing"
    elif history.status != "SUCCEEDED":
        yield f"the job ended as {slug(history.status)}: what had succeeded by then is imported"
    for kind, attempts in (("MAP", maps), ("REDUCE", reducers)):
        announced = history.announced.get(kind, 0)
        if len(attempts) < announced:
            yield f"{announced - len(attempts)} of {announced} {_NAMES[kind]} did not succeed; their work is missing"
    if all(attempt.cpu_s is None for attempt in (*maps, *reducers)):
        yield "the history has no CPU times (CPU_MILLISECONDS): the job computes nothing"


def _phase(attempts: Sequence[Attempt]) -> Phase:
    return Phase(
        hosts=[attempt.host for attempt in attempts],
        cpu_s=[attempt.cpu_s or 0.0 for attempt in attempts],
        received=[attempt.received for attempt in attempts],
        read_bytes=sum(attempt.read for attempt in attempts),
        readers=sum(attempt.read > 0 for attempt in attempts),
        written_bytes=sum(attempt.written for attempt in attempts),
    )


def _most_at_once(history: History) -> int:
    """Most attempts, also those that failed, that ran at one time: each had a container of its own."""
    changes = [(began, 1) for began in history.started_ms.values()]
    changes += [(ended, -1) for attempt, ended in history.ended_ms.items() if attempt in history.started_ms]
    running = most = 1 if not changes else 0
    for _, change in sorted(changes):
        running += change
        most = max(most, running)
    return most


def _overlapped(history: History, maps: Sequence[Attempt]) -> bool:
    """Whether a reducer began before the last map had ended, and so fetched meanwhile."""
    return history.reducing_since_ms is None or history.reducing_since_ms < max(attempt.ended_ms for attempt in maps)


def _recorded(history: History, maps: Sequence[Attempt], reducers: Sequence[Attempt]) -> str:
    """What the stages of the job can be compared with; nothing without its times."""
    begun = [attempt.began_ms for attempt in maps if attempt.began_ms is not None]
    if history.submitted_ms is None or history.finished_ms is None or not begun:
        return ""
    shuffled_s = longest_s = None
    if reducers and history.reducing_since_ms is not None:
        shuffled_s = (max(attempt.shuffled_ms for attempt in reducers) - history.reducing_since_ms) / 1000
        longest_s = max(attempt.ended_ms - attempt.shuffled_ms for attempt in reducers) / 1000
    mapped_s = (max(attempt.ended_ms for attempt in maps) - min(begun)) / 1000
    return map_reduce.recorded((history.finished_ms - history.submitted_ms) / 1000, mapped_s, shuffled_s, longest_s)
