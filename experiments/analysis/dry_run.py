"""Where blocks and containers would go: every strategy on the same cluster, without emulating anything."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from experiments.specification import modelled_cluster, strategy_modules
from experiments.specification.model import Specification
from experiments.specification.plan import runs_of
from experiments.specification.resolved_run import ResolvedRun, resolve
from placement import (
    Cluster,
    ClusterState,
    Colocation,
    ContainerRequest,
    File,
    Objective,
    Placement,
    PlacementError,
    Placer,
    Strategy,
    explain,
)
from workloads.job import Job

SCHEMA_VERSION = 2

Writes = Callable[[Placement], Sequence[File]]
"""The files that a job writes for later ones when its containers are where they are."""


def dry_run(
    cluster: Cluster,
    files: Sequence[File],
    requests: Sequence[ContainerRequest],
    strategies: Mapping[str, Strategy],
    seed: int,
    colocations: Sequence[Colocation] = (),
    objective: Objective | None = None,
    exact_within_s: float | None = None,
    times: Sequence[float] | None = None,
    writes: Mapping[str, Writes] | None = None,
) -> dict[str, Any]:
    """Store all files, then submit all jobs one after the other, under each strategy.

    They stay as long as they can, as how long they take is not known: where one has no room, those that came first end.

    Args:
        cluster: the machines.
        files: in the order in which they are stored.
        requests: jobs in the order in which they come.
        strategies: by the name to show.
        seed: of each strategy's own generator, the same for all.
        colocations: descriptions, for strategies that heed them.
        objective: the cost that all are rated by; the weighted sum unless given.
        exact_within_s: also find each job's best placement within this time; None does not.
        times: modelled seconds at which each job comes; all come at 0 when None.
        writes: by job; they are there as soon as it is.

    Returns:
        A JSON document. Each job has those that `ended` to make room for it; one that has no room on the empty cluster
        has `refused` with the reason instead of a placement. `present` are the jobs that are there at the end.

    Raises:
        PlacementError: a file does not fit, or an input that cannot be.
    """
    objective = objective or Objective()
    coming = list(zip(requests, times or [0.0] * len(requests), strict=True))
    results = []
    for name, strategy in strategies.items():
        placer = Placer(ClusterState(cluster), strategy, seed)
        for colocation in colocations:
            placer.state.describe(colocation)
        results.append({"strategy": name, **_under(placer, files, coming, writes or {}, objective, exact_within_s)})
    return {
        "schema_version": SCHEMA_VERSION,
        "seed": seed,
        "objective": dataclasses.asdict(objective),
        "racks": _racks(cluster),
        "strategies": results,
    }


def _under(
    placer: Placer,
    files: Sequence[File],
    coming: Sequence[tuple[ContainerRequest, float]],
    writes: Mapping[str, Writes],
    objective: Objective,
    exact_within_s: float | None,
) -> dict[str, Any]:
    """Files, jobs, and those that are there at the end, under one strategy."""
    stored, jobs = [_stored(placer, file) for file in files], []
    for request, at_s in coming:
        jobs.append(_submitted(placer, request, at_s, objective, exact_within_s))
        running, written = placer.state.view().running.get(request.job_id), writes.get(request.job_id)
        if running is not None and written is not None:
            stored += [_stored(placer, file) for file in written(running.placement)]
    return {"files": stored, "jobs": jobs, "present": list(placer.state.view().running)}


def placements(specification: Specification) -> dict[str, Any]:
    """The dry runs of all strategies on a specification's first network, as one document of `dry_run`.

    Raises:
        PlacementError: a file does not fit.
    """
    first = specification.topology.factors[0]
    runs = [resolve(run) for run in runs_of(specification) if run.repeat == 0 and run.blocking_factor == first]
    dry_runs = [
        dry_run(
            run.cluster,
            [file for planned in run.jobs for file in planned.files],
            [planned.request for planned in run.jobs],
            {run.strategy.label: strategy_modules.load(run.specification, run.strategy)},
            run.seed,
            [planned.colocation for planned in run.jobs if planned.colocation is not None],
            times=[planned.at_s for planned in run.jobs],
            writes=_writes(run),
        )
        for run in runs  # in the order of the specification, as the first repeat on the first network has them
    ]
    return {**dry_runs[0], "strategies": [result for run in dry_runs for result in run["strategies"]]}


def _writes(run: ResolvedRun) -> dict[str, Writes]:
    """By job, the files that it writes for later ones."""
    wanted = {read.file for planned in run.jobs for read in planned.job.reads if read.result_of is not None}

    def written(job: Job, placement: Placement) -> list[File]:
        results = (job.result(stage.name) for stage in job.stages if stage.write_bytes)
        read = (result for result in results if result.folder in wanted)
        return [
            file for result in read for file in modelled_cluster.result_files(run.specification, job, result, placement)
        ]

    return {planned.job.job_id: functools.partial(written, planned.job) for planned in run.jobs}


def _racks(cluster: Cluster) -> dict[str, Any]:
    return {
        str(rack): [{"node": name, "slots": cluster.node(name).slots} for name in names]
        for rack, names in cluster.racks.items()
    }


def _stored(placer: Placer, file: File) -> dict[str, Any]:
    blocks = placer.store(file)
    held = Counter(node for nodes in blocks.values() for node in nodes)
    replicas = {node: held[node] for node in placer.state.view().cluster.names if held[node]}
    return {"file": file.name, "blocks": [list(blocks[block]) for block in file.blocks], "replicas_by_node": replicas}


def _submitted(
    placer: Placer, request: ContainerRequest, at_s: float, objective: Objective, exact_within_s: float | None
) -> dict[str, Any]:
    placer.state.advance(at_s)
    job = {"job": request.job_id, "at_s": at_s, "ended": _make_room(placer, request)}
    before = placer.state.view()
    try:
        placement = placer.submit(request)
    except PlacementError as error:
        return {**job, "refused": str(error)}
    explanation = explain(before, request, placement, objective, exact_within_s)
    job |= {
        "application_master": placement[0] if request.application_master else None,
        "workers": list(request.worker_nodes(placement)),
        "terms": dataclasses.asdict(explanation.terms),
        "uncovered_blocks": [f"{block.file}#{block.index}" for block, _ in explanation.uncovered],
    }
    best = explanation.optimum
    if best is not None:
        optimum = {"cost": best.cost, "bound": best.bound, "proven": best.proven}
        job["optimum"] = {**optimum, "above": explanation.above_optimum}
    return job


def _make_room(placer: Placer, request: ContainerRequest) -> list[str]:
    """End jobs, the first to come first, until a further one has room; none where it has none on the empty cluster."""
    state = placer.state
    if dataclasses.replace(state.view(), running={}).room(request).sum() < request.containers:
        return []
    ended = []
    while state.view().room(request).sum() < request.containers:
        ended.append(next(iter(state.view().running)))
        placer.finish(ended[-1])
    return ended
