"""The jobs of one run from submission to their end, on agents that are emulated or simulated."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from experiments.errors import ExperimentError
from experiments.records.outcome import Outcome
from experiments.runs.clients import Clients
from experiments.runs.failures import Breakable, cause
from experiments.runs.file_access import FileAccess
from experiments.runs.progress import OnProgress
from experiments.runs.resource_manager import Aside, ResourceManager
from experiments.runs.retention import Ledger, Retention
from experiments.specification.files import tasks
from experiments.specification.model import ReplicaSpec
from experiments.specification.resolved_run import PlannedJob, ResolvedRun
from placement import BlockMap
from retention.timeline import Chain
from workloads.coordination.coordinator import Coordinator
from workloads.coordination.events import Event, EventKind, JobResult
from workloads.scale import Scale
from workloads.splits import BlockKey


class JobFailedError(ExperimentError):
    """The workload could not be run to its end; the message says which job failed and why."""


class Workload:
    """The jobs of one run, from submission to their end."""

    def __init__(
        self,
        run: ResolvedRun,
        pool: Coordinator,
        scale: Scale,
        outcome: Outcome,
        on_progress: OnProgress,
        decide_aside: Aside = asyncio.to_thread,
        chain: Chain | None = None,
        call_chain: Aside = asyncio.to_thread,
    ) -> None:
        self.manager = ResourceManager(run, self.now_s, decide_aside)
        self.origin_s = 0.0  # when the schedule starts, on the pool's clock
        self._run = run
        self._failures = run.specification.failures
        self._attempts = run.specification.max_attempts
        self._deadline_s = run.specification.job_deadline_wall_s
        self._pool = pool
        self._scale = scale
        self._outcome = outcome
        outcome.file_operations = self.manager.name_node.operations
        self._say = on_progress
        keep = outcome.kept.append
        self._access = FileAccess(self.manager.name_node, pool.files, pool.clock, keep)
        wanted = run.specification.retention
        if wanted is not None and chain is not None:
            ledger = Ledger(chain, call_chain, run.seed, self.now_s, self.wait_until_s)
            self._access = Retention(self._access, wanted, ledger, run.topology.hosts[0].name)
        self._ended = {one.job.job_id: asyncio.get_running_loop().create_future() for one in run.jobs}

    async def load(self, over_network: bool) -> None:
        """Place the input files, and have the agents store them."""
        self.manager.load()
        view = self.manager.state.view()
        sizes: dict[BlockKey, int] = {block: view.files[block.file].block_size(block.index) for block in view.blocks}
        blocks: dict[BlockKey, Sequence[str]] = dict(view.blocks.items())
        await self._pool.store(blocks, sizes, over_network=over_network)
        await self._access.loaded()

    def now_s(self) -> float:
        """Modelled seconds since the schedule started."""
        return self._scale.modelled_s(self._pool.clock() - self.origin_s)

    async def wait_until_s(self, modelled_s: float) -> None:
        """Wait until a modelled time."""
        await asyncio.sleep(max(0.0, self._scale.wall_s(modelled_s - self.now_s())))

    def record_event(self, kind: EventKind, *, host: str | None = None, detail: str | None = None) -> None:
        """Keep an event that happens now and is not of a job."""
        self._outcome.kept.append(Event(self._pool.clock(), kind, host=host, detail=detail))

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """All jobs, and what clients do to files meanwhile."""
        done, host = tasks(self._run.specification.files), self._run.topology.hosts[0].name
        clients = Clients(done, host, self._access, self._pool, self.wait_until_s, self._say)
        return [*map(self.run_job, self._run.jobs), *clients.work()]

    def background(self, breakable: Breakable) -> list[Coroutine[Any, Any, None]]:
        """What happens beside the work: each of the failures of the specification, which wait for their time, and the
        blocks of the ledger.
        """
        take = self.wait_until_s, self.record_event, self._say
        failures = [cause(failure, breakable, self._alter, *take) for failure in self._failures]
        return [*failures, *self._access.background()]

    async def _alter(self, replica: ReplicaSpec) -> None:
        """Make a replica another one, together with its checksum.

        Raises:
            JobFailedError: there is no such replica now.
        """
        blocks = self._access.names.view.stored.get(replica.file, BlockMap())
        block, hosts = next(
            ((block, hosts) for block, hosts in blocks.items() if block.index == replica.block), (None, ())
        )
        host = replica.host or next(iter(hosts), None)
        if block is None or host is None or host not in hosts:
            why = f"no replica of block {replica.block} of {replica.file} then" + (f" on {host}" if host else "")
            raise JobFailedError(f"failures: corrupt: {why}; give another time")
        await self._pool.files.alter(host, block)
        self.record_event("block_altered", host=host, detail=f"{replica.file} {replica.block}")

    async def finish(self) -> None:
        """All work is done; keep what retaining files came to.

        Raises:
            AgentError, LedgerError: see `Retention.finish`.
        """
        self.manager.name_node.know_dead(self._pool.dead_hosts)
        self._outcome.retained = await self._access.finish(self.origin_s)

    async def run_job(self, planned: PlannedJob) -> None:
        """Submit a job when its time has come, and the jobs whose results it reads have ended; attempts that lose a
        host are repeated on the live ones.

        Raises:
            JobFailedError: it failed for good.
        """
        job_id = planned.job.job_id
        await self.wait_until_s(planned.at_s)
        submitted_s = self.origin_s + self._scale.wall_s(planned.at_s)
        for other in planned.job.waits_for:
            submitted_s = max(submitted_s, await self._ended[other])
        for attempt in range(1, self._attempts + 1):
            result = await self._attempt(planned, submitted_s)
            if result.failed is None:
                self._say(f"{job_id} finished")
                break
            self.manager.name_node.discard(job_id, self._pool.clock())
            self._say(f"{job_id} failed, attempt {attempt} of {self._attempts}: {result.failed}")
            if not result.dead_hosts or attempt == self._attempts:
                raise JobFailedError(f"job {job_id} failed in attempt {attempt}: {result.failed}")
        self._outcome.results.append(result)
        assert result.finished_s is not None
        self._ended[job_id].set_result(result.finished_s)

    async def _attempt(self, planned: PlannedJob, submitted_s: float) -> JobResult:
        job, readings = planned.job, self._outcome.link_readings
        decision = await self.manager.start(planned.request, lambda: readings[-1] if readings else None)
        self._outcome.decisions[job.job_id] = decision
        self._outcome.deciding_s += decision.wall_s
        self._say(f"{job.job_id} started")
        try:
            replicas = await self._access.proven(job.files, decision.placement)
            blocks: dict[BlockKey, Sequence[str]] = dict(replicas.items())
            return await self._pool.run_job(
                job,
                decision.placement,
                blocks,
                self._outcome.kept.append,
                name_node=self.manager.name_node,
                submitted_s=submitted_s,
                deadline_s=self._deadline_s,
            )
        finally:
            self.manager.finish(job.job_id, self._pool.dead_hosts)
