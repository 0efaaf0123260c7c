"""Spark event logs: the stages of an application become those of a job."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from workloads.importers.spark_events import DEFAULT_PROFILE
from workloads.importers.spark_log import Application, SparkStage, read_application
from workloads.importers.spark_resources import Resources
from workloads.importers.trace import ImportedJob, Trace, TraceError, block_bytes, even, roomy_node, slug
from workloads.job import MOST_TASKS, Exchange, ExchangeKind, Input, Job, Read, Stage


@dataclass(frozen=True)
class Edge:
    """Data that one stage gets from another: a shuffle, a broadcast, or what an executor kept for a later stage.

    Attributes:
        kept_bytes: What of the stage's reads it stands for.
    """

    source: int
    kind: ExchangeKind
    bytes: int
    kept_bytes: int = 0


def import_spark_log(lines: Iterable[str], source: str) -> Trace:
    """The job of an application, with one container an executor.

    Raises:
        TraceError: a line is not an event, no task succeeded, or a stage reads the shuffle of a stage that is missing.
    """
    application = read_application(lines, source)
    notes = list(_missing(application))
    edges = dependencies(application, source, notes)
    executors, cores, resources = _executors(application)
    slots = max(1, cores // resources.task_cpus)
    if executors * slots > MOST_TASKS:
        raise TraceError(f"{source}: {executors} executors with {slots} task slots each; at most {MOST_TASKS:,} in all")
    name = slug(application.name)
    stages = tuple(
        _stage(application.stages[stage_id], before, name, executors * slots) for stage_id, before in edges.items()
    )
    job = Job(name, name, stages, executors + 1, slots, resources.memory_mb, cores)
    if not job.input_bytes:
        raise TraceError(f"{source}: no stage reads anything; give the log of an application with an input")
    description = f"Spark application {application.name!r}: {len(stages)} stages in {len(application.jobs)} jobs."
    imported = ImportedJob(job, description, _provenance(application, edges), recorded=_recorded(application))
    return Trace(name, "spark", (imported,), {"node": roomy_node(job)}, tuple(notes))


def _missing(application: Application) -> Iterator[str]:
    """What the log does not tell of the application, a sentence each."""
    if not application.ended:
        yield "the log ends before the application does; what came later is missing"
    if running := [stage.stage_id for stage in application.stages.values() if stage.ended is None]:
        yield f"stages {_numbers(running)} had not ended; their tasks so far are taken for all"
    if unknown := [stage.stage_id for stage in application.stages.values() if stage.rdd_id < 0]:
        yield f"stages {_numbers(unknown)} are described nowhere, as Spark lost these events; they come after nothing"
    started = {stage_id for job in application.jobs.values() for stage_id in job.stage_ids}
    if lost := application.stages.keys() - started:
        yield f"stages {_numbers(lost)} belong to no job, as Spark lost these events; they wait for no earlier job"


def _numbers(stage_ids: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(stage_ids)))


def _recorded(application: Application) -> str:
    """How long the application's jobs took; nothing when one of them has no end in the log."""
    ends = [job.ended_ms for job in application.jobs.values() if job.ended_ms is not None]
    if not ends or len(ends) < len(application.jobs):
        return ""
    took_ms = max(ends) - min(job.started_ms for job in application.jobs.values())
    return f"Recorded: {took_ms / 1000:.1f} s from the submission of the first job to the end of the last."


def _provenance(application: Application, edges: Mapping[int, list[Edge]]) -> str:
    made = [
        f"stage-{stage_id}" for stage_id, before in edges.items() if _generates(application.stages[stage_id], before)
    ]
    version = application.version or "of unknown version"
    return (
        f"Imported from the event log of an application on Spark {version}.\n"
        "Bytes and CPU seconds are sums over the successful tasks; CPU seconds are those of the JVM on the\n"
        "machine of the log. A job of the driver starts when the one before it has ended.\n"
        + (f"Stages that make their data, and here read as much as they pass on: {', '.join(made)}.\n" if made else "")
        + f"Tasks by executor in the log, which placement does not heed: {_by_executor(application)}.\n"
    )


def dependencies(application: Application, source: str, notes: list[str]) -> dict[int, list[Edge]]:
    """What every stage that ran gets from others; stages stand in an order in which sources come first.

    Args:
        application: what the log says.
        source: names the log in errors.
        notes: takes a sentence for what cannot be told apart.

    Raises:
        TraceError: a stage reads the shuffle of a stage that is not in the log.
    """
    ran: dict[int, int] = {}  # the RDD that a stage computes -> the last stage that did
    kept: dict[int, int] = {}  # an RDD that stays -> the stage that made it
    edges: dict[int, list[Edge]] = {}
    broadcasts = _broadcasts(application)
    for stage in _in_order(application, source):
        still_kept = {rdd: maker for rdd, maker in kept.items() if not _unpersisted(application, rdd, maker, stage)}
        visited, read_again, shuffled = _frontier(stage, still_kept)
        found = _shuffles(application, stage, [ran[rdd] for rdd in shuffled if rdd in ran], ran, source)
        makers = sorted({kept[rdd] for rdd in read_again})
        found += _taken_from_memory(stage, makers, _reads_files(stage, visited), found, notes)
        found += [edge for edge in broadcasts.get(stage.stage_id, ()) if edge.source in edges]
        found += _after_the_job_before(application, stage, found, edges)
        edges[stage.stage_id] = _merged(found)
        ran[stage.rdd_id] = stage.stage_id
        for rdd in visited:
            if stage.rdds[rdd].kept:
                kept[rdd] = stage.stage_id
    return edges


def _in_order(application: Application, source: str) -> Iterator[SparkStage]:
    """Stages after those whose shuffles they read, and else as they ended: a stage may be computed again later.

    Raises:
        TraceError: there is no such order.
    """
    stages = application.stages
    order = TopologicalSorter({key: set(stage.parents) & stages.keys() for key, stage in stages.items()})
    try:
        order.prepare()
    except CycleError as error:
        raise TraceError(f"{source}: stages {error.args[1]} come after each other; give a whole log") from error
    ready: list[tuple[float, int]] = []
    while order.is_active():
        for key in order.get_ready():
            heapq.heappush(ready, (_ended(stages[key]), key))
        _, key = heapq.heappop(ready)
        yield stages[key]
        order.done(key)


def _ended(stage: SparkStage) -> float:
    return math.inf if stage.ended is None else stage.ended


def _unpersisted(application: Application, rdd: int, maker: int, user: SparkStage) -> bool:
    """Whether an RDD was given up between the stage that made it and one that would read it again."""
    made = application.stages[maker].begun
    return any(made < number < user.begun for number in application.unpersisted.get(rdd, ()))


def _taken_from_memory(
    stage: SparkStage, makers: list[int], reads_files: bool, shuffles: list[Edge], notes: list[str]
) -> list[Edge]:
    """What a stage gets of RDDs that others kept; nothing where it cannot be told from files.

    A job has one exchange between two stages: beside a shuffle what was kept, which takes no network, has no place.
    """
    if makers and stage.read_bytes and reads_files:
        notes.append(
            f"stage {stage.stage_id} reads files and what was kept in memory, and the log does not tell them "
            "apart: all of it is taken for files"
        )
        return [Edge(maker, "forward", 0) for maker in makers]
    shuffling = {edge.source for edge in shuffles if edge.bytes}
    alone = [maker for maker in makers if maker not in shuffling]
    if makers and stage.read_bytes and not alone:
        notes.append(
            f"stage {stage.stage_id} gets a shuffle of stages {_numbers(makers)} and reads what they kept: "
            "of the two, the shuffle alone is imported"
        )
    sizes = _divide(stage.read_bytes, [1] * len(alone or makers))
    return [
        Edge(maker, "forward", size if alone else 0, size) for maker, size in zip(alone or makers, sizes, strict=True)
    ]


def _reads_files(stage: SparkStage, computed: Iterable[int]) -> bool:
    """Whether one of the RDDs that a stage computes comes out of files."""
    return any(not stage.rdds[rdd].parents and not stage.rdds[rdd].made for rdd in computed)


def _frontier(stage: SparkStage, kept: Mapping[int, int]) -> tuple[list[int], list[int], list[int]]:
    """RDDs that a stage computes, those that it reads again because they were kept, and those behind its shuffles."""
    computed: list[int] = []
    read_again: list[int] = []
    shuffled: list[int] = []
    waiting, seen = [stage.rdd_id], {stage.rdd_id}
    while waiting:
        rdd = waiting.pop()
        if rdd not in stage.rdds:
            shuffled.append(rdd)
        elif rdd in kept:
            read_again.append(rdd)
        else:
            computed.append(rdd)
            parents = [parent for parent in stage.rdds[rdd].parents if parent not in seen]
            seen.update(parents)
            waiting += parents
    return computed, read_again, shuffled


def _shuffles(
    application: Application, stage: SparkStage, sources: list[int], ran: Mapping[int, int], place: str
) -> list[Edge]:
    """Shuffles that a stage reads; what it read is divided by what its sources wrote."""
    total = stage.shuffle_read_bytes
    if total and not sources:  # a log without the parents of RDDs, or partitions that were kept and got lost
        described = [application.described.get(parent) for parent in stage.parents]
        sources = [ran[parent.rdd_id] for parent in described if parent is not None and parent.rdd_id in ran]
    if total and not sources:
        missing = ", ".join(str(parent) for parent in stage.parents) or "unknown"
        raise TraceError(f"{place}: stage {stage.stage_id} reads the shuffle of stage {missing}; give the whole log")
    sources = sorted(set(sources))
    sizes = _divide(total, [application.stages[parent].shuffle_written_bytes for parent in sources])
    return [Edge(parent, "repartition", size) for parent, size in zip(sources, sizes, strict=True)]


def _after_the_job_before(
    application: Application, stage: SparkStage, found: list[Edge], edges: Mapping[int, object]
) -> list[Edge]:
    """Lets the first stages of a driver's job wait for the last stage of the job that ended last before it began."""
    own = next((job for job in application.jobs.values() if stage.stage_id in job.stage_ids), None)
    if own is None or any(edge.source in own.stage_ids for edge in found):
        return []
    before = [job for job in application.jobs.values() if job.ended_ms is not None and job.ended_ms <= own.started_ms]
    if not before:
        return []
    last = max(before, key=lambda job: (job.ended_ms, job.job_id))
    results = [stage_id for stage_id in last.stage_ids if stage_id in edges]
    return [Edge(max(results), "forward", 0)] if results else []  # a job's last stage is numbered last


def _broadcasts(application: Application) -> dict[int, list[Edge]]:
    """Broadcasts of SQL operators, by the stage that uses them.

    The log does not say how long a broadcast is on the wire: it is taken for what its stage returned to the driver.
    """
    fragments: dict[int, int] = {}  # accumulator -> the part of a plan between exchanges that it belongs to
    sent: list[tuple[int, int]] = []  # part that makes a broadcast, part that uses it

    waiting = [(plan, id(plan)) for plan in reversed(application.plans)]
    while waiting:
        node, part = waiting.pop()
        inside = part
        if node.name in ("Exchange", "BroadcastExchange"):
            inside = id(node)
            if node.name == "BroadcastExchange":
                sent.append((inside, part))
        else:
            fragments.update((metric.accumulator, part) for metric in node.metrics or ())
        waiting += [(child, inside) for child in reversed(node.children or ())]
    stages_of: dict[int, set[int]] = {}
    for stage in application.stages.values():
        for accumulator in stage.accumulators & fragments.keys():
            stages_of.setdefault(fragments[accumulator], set()).add(stage.stage_id)
    found: dict[int, list[Edge]] = {}
    for maker, user in sent:
        for stage_id in stages_of.get(user, ()):
            if makers := stages_of.get(maker, set()) - {stage_id}:
                source = application.stages[max(makers)]
                found.setdefault(stage_id, []).append(Edge(source.stage_id, "broadcast", source.returned_bytes))
    return found


def _merged(edges: list[Edge]) -> list[Edge]:
    """One edge a source: a job has no two; the first gives the kind, or the one that is not empty."""
    merged: dict[int, Edge] = {}
    for edge in edges:
        other = merged.get(edge.source)
        kind = edge.kind if other is None or not other.bytes else other.kind
        size, kept = (other.bytes, other.kept_bytes) if other else (0, 0)
        merged[edge.source] = Edge(edge.source, kind, edge.bytes + size, edge.kept_bytes + kept)
    return list(merged.values())


def _generates(stage: SparkStage, before: list[Edge]) -> bool:
    """Whether a stage makes its data itself: it reads no file, and there is no stage that it comes after."""
    return not stage.read_bytes and not before


def _stage(stage: SparkStage, before: list[Edge], job_id: str, tasks: int) -> Stage:
    """A stage of the job; its CPU work belongs to its inputs in proportion to their bytes."""
    read_bytes = stage.read_bytes - sum(edge.kept_bytes for edge in before)
    if _generates(stage, before):
        read_bytes = max(stage.reading_tasks, stage.shuffle_written_bytes)  # at least one byte a task
    sizes = [edge.bytes for edge in before] + ([read_bytes] if read_bytes else [])
    cpu_s = [stage.cpu_s * size / sum(sizes) for size in sizes] if sum(sizes) else [stage.cpu_s, *sizes[1:]]
    shares = _shares(stage, tasks)
    inputs: list[Input] = [
        Exchange(
            f"stage-{edge.source}",
            edge.bytes,
            seconds,
            edge.kind,
            pipelined=False,
            shares=shares if edge.kind == "repartition" else (),
        )
        for edge, seconds in zip(before, cpu_s, strict=False)
    ]
    if read_bytes:
        blocks = block_bytes(read_bytes, stage.reading_tasks)
        inputs.append(Read(f"{job_id}/input-{stage.stage_id}", read_bytes, cpu_s[-1], blocks))
    return Stage(f"stage-{stage.stage_id}", tuple(inputs), stage.written_bytes, 3 if stage.written_bytes else 1)


def _shares(stage: SparkStage, tasks: int) -> tuple[float, ...]:
    """What each task slot gets of the shuffles, when the partitions are dealt out to the slots in turn."""
    got = [0] * tasks
    for partition, task in stage.tasks.items():
        got[partition % tasks] += task.shuffle_read
    while len(got) > 1 and not got[-1]:
        got.pop()
    return () if not any(got) or even(got, tasks) else tuple(got)


def _executors(application: Application) -> tuple[int, int, Resources]:
    """How many executors there were at once, and the cores and resources of most of them."""
    if not application.executors:
        used = {task.executor for stage in application.stages.values() for task in stage.tasks.values()}
        return len(used), 1, application.resources[DEFAULT_PROFILE]
    (cores, profile), _ = Counter(application.executors.values()).most_common(1)[0]
    return application.peak, cores, application.resources.get(profile, application.resources[DEFAULT_PROFILE])


def _divide(total: int, weights: list[int]) -> list[int]:
    """Parts in proportion to the weights that add up to exactly the total."""
    weights = weights if any(weights) else [1] * len(weights)
    ends = [total * sum(weights[: i + 1]) // sum(weights) for i in range(len(weights))]
    return [end - begin for begin, end in zip([0, *ends], ends, strict=False)]


def _by_executor(application: Application) -> str:
    counts = Counter(task.executor for stage in application.stages.values() for task in stage.tasks.values())
    return ", ".join(f"{executor} {counts[executor]}" for executor in sorted(counts))
