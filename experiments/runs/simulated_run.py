"""One run by the twin: nothing is emulated, and it takes no root."""

from __future__ import annotations

import time
from collections.abc import Callable

from experiments.records.outcome import Outcome
from experiments.runs.progress import OnProgress
from experiments.runs.tasks import first_failure_or_all, running
from experiments.runs.workload import Workload
from experiments.specification.resolved_run import ResolvedRun
from twin import event_loop
from twin.clock import Clock
from twin.pool import SimulatedPool
from workloads.node_model import NodeModel
from workloads.scale import Scale


def simulate(run: ResolvedRun, scale: Scale, on_progress: OnProgress = lambda _: None) -> Outcome:
    """Run all jobs of a run to their end, in virtual time.

    Raises:
        JobFailedError: a job failed for good.
        PlacementError: data or containers do not fit.
    """
    clock = Clock()
    return event_loop.run(clock, _simulate(run, scale, clock, on_progress))


async def _simulate(run: ResolvedRun, scale: Scale, clock: Clock, on_progress: OnProgress) -> Outcome:
    node = run.specification.node
    outcome = Outcome(time.time())
    pool = SimulatedPool(clock, run.topology, NodeModel(int(node.cores), node.disk_mb_per_s), scale, run.seed)
    this = Workload(run, pool, scale, outcome, on_progress, _at_once)
    await this.load(over_network=run.specification.data.load == "network")
    this.origin_s = pool.clock()
    async with running(this.failures(pool)) as failing, running(map(this.run_job, run.jobs)) as jobs:
        await first_failure_or_all([*jobs, *failing], jobs)
    return outcome


async def _at_once(decide: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
    return decide()
