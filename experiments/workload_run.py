"""One workload on one running network: load the data, submit the jobs when their time comes, gather what happens."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from experiments import modelled_cluster
from experiments.controller_process import Controller
from experiments.fidelity import Probes, Sample, Sampler
from experiments.plan import Run
from experiments.workload import submissions
from placement import (
    ClusterState,
    Placement,
    PlacementError,
    Placer,
    cost_terms,
    load_strategy,
)
from topologies.emulation import EmulatedNetwork
from topologies.topology import Topology
from workloads.agents import AgentPool
from workloads.events import Event, JobResult
from workloads.job import Job
from workloads.node_model import NodeModel
from workloads.scale import Scale
from workloads.schedule import Submission
from workloads.splits import BlockKey

DEADLINE_WALL_S = 600.0


Say = Callable[[str], None]


class WorkloadError(RuntimeError):
    """The workload could not be run to its end; the message says which job failed and why."""


@dataclass
class Outcome:
    """What happened, in wall seconds since `started_epoch_s` and wire bytes."""

    started_epoch_s: float
    results: list[JobResult] = field(default_factory=list)
    cost_terms: dict[str, dict[str, float]] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    link_readings: list[dict[str, object]] = field(default_factory=list)
    samples: tuple[Sample, ...] = ()

    @property
    def origin_s(self) -> float:
        """When the first job was submitted."""
        return min((result.submitted_s for result in self.results), default=0.0)


class ResourceManager:
    """Stores the data and places the jobs of one run by its strategy; jobs that do not fit wait in their order."""

    def __init__(self, run: Run, topology: Topology) -> None:
        self._run = run
        self._strategy = load_strategy(run.strategy.name, **run.strategy.options)
        self.state = ClusterState(modelled_cluster.cluster(run.specification, topology))
        self._placer = Placer(self.state, self._strategy, np.random.default_rng(run.seed))
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    def load(self, jobs: Sequence[Job]) -> None:
        """Place the input files of all jobs, after their colocations have been described to the strategy.

        Raises:
            PlacementError: they do not fit.
        """
        specification = self._run.specification
        for job in jobs:
            if described := modelled_cluster.colocation(specification, job):
                self.state.describe(described)
        for job in jobs:
            for file in modelled_cluster.files(specification, job):
                self._placer.store(file)

    async def start(self, job: Job, now_s: float) -> tuple[Placement, dict[str, float]]:
        """Wait until the job's containers fit, place and start them; returns the placement and its cost terms."""
        request = modelled_cluster.request(self._run.strategy, job)
        async with self._turn:
            while True:
                self.state.advance(max(now_s, self.state.view().now_s))
                if self.state.view().room(request).sum() >= request.containers:
                    break
                if not self.state.view().running:
                    raise PlacementError(f"job {job.job_id}: {request.containers} containers fit on no free cluster")
                self._freed.clear()
                await self._freed.wait()
            view = self.state.view()
            placement = self._placer.submit(request)
            terms = cost_terms(view, request, placement)
        return placement, {name: float(value) for name, value in asdict(terms).items()}

    def finish(self, job: Job) -> None:
        """The job's containers are free again."""
        self._placer.finish(job.job_id)
        self._freed.set()


async def run_workload(
    run: Run, network: EmulatedNetwork, controller: Controller, scale: Scale, say: Say = lambda _: None
) -> Outcome:
    """Run all jobs of a run to their end.

    Raises:
        WorkloadError: a job failed.
        PlacementError: data or containers do not fit.
        ControllerError: the controller ended.
    """
    specification = run.specification
    topology = network.topology
    planned = submissions(specification)
    jobs = [submission.job() for submission in planned]
    manager = ResourceManager(run, topology)
    manager.load(jobs)
    outcome = Outcome(time.time())
    started = time.monotonic()
    pool = AgentPool(
        {host.name: host.ip for host in topology.hosts},
        lambda host, argv, fds: network.popen(host, argv, pass_fds=tuple(fds), stdout=None, stderr=None),
        NodeModel(int(specification.node.cores), specification.node.disk_mb_per_s),
        scale,
        run.seed,
        racks={host.name: host.rack for host in topology.hosts},
        started_at=started,
        sink=outcome.events.append,
    )
    async with pool:
        say("loading data")
        await _store(pool, manager, over_network=specification.data.load == "network")
        probes = Probes(
            network.switch.vswitchd_pid,
            tuple(pool.pids.values()),
            tuple(network.host_pid(host.name) for host in topology.hosts),
        )
        sampler = Sampler(probes, started)
        sampler.start()
        watcher = asyncio.create_task(_watch_links(controller, specification.controller.poll_interval_s, outcome))
        origin_s = pool.clock()
        running = [
            asyncio.create_task(_run_job(job, submission, manager, pool, outcome, origin_s, scale, say))
            for submission, job in zip(planned, jobs, strict=True)
        ]
        try:
            await _first_failure_or_all([*running, watcher], running)
        finally:
            for task in (*running, watcher):
                task.cancel()
            await asyncio.gather(*running, watcher, return_exceptions=True)
            outcome.samples = sampler.stop()
    return outcome


async def _run_job(
    job: Job,
    submission: Submission,
    manager: ResourceManager,
    pool: AgentPool,
    outcome: Outcome,
    origin_s: float,
    scale: Scale,
    say: Say,
) -> None:
    submitted_s = origin_s + scale.wall_s(submission.at_s)
    await asyncio.sleep(max(0.0, submitted_s - pool.clock()))
    placement, terms = await manager.start(job, submission.at_s)
    outcome.cost_terms[job.job_id] = terms
    say(f"{job.job_id} started")
    replicas = manager.state.view().blocks_of(job.files)
    blocks: dict[BlockKey, Sequence[str]] = dict(replicas.items())
    result = await pool.run_job(
        job, placement, blocks, outcome.events.append, submitted_s=submitted_s, deadline_s=DEADLINE_WALL_S
    )
    manager.finish(job)
    outcome.results.append(result)
    if result.failed is not None:
        raise WorkloadError(f"job {job.job_id} failed: {result.failed}")
    say(f"{job.job_id} finished")


async def _store(pool: AgentPool, manager: ResourceManager, over_network: bool) -> None:
    view = manager.state.view()
    sizes: dict[BlockKey, int] = {block: view.files[block.file].block_size(block.index) for block in view.blocks}
    blocks: dict[BlockKey, Sequence[str]] = dict(view.blocks.items())
    await pool.store(blocks, sizes, over_network=over_network)


async def _watch_links(controller: Controller, interval_s: float, outcome: Outcome) -> None:
    while True:
        outcome.link_readings.append(await asyncio.to_thread(controller.get, "/v1/links"))
        await asyncio.sleep(interval_s)


async def _first_failure_or_all(watched: Sequence[asyncio.Task[None]], wanted: Sequence[asyncio.Task[None]]) -> None:
    """Wait until all `wanted` tasks are done; the first exception of a `watched` one is raised at once."""
    pending = set(watched)
    while any(task in pending for task in wanted):
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
