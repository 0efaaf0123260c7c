"""The jobs of a run on its agents, whoever carries the messages and whatever clock they go by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from workloads.coordination.attempt import Execution
from workloads.coordination.cluster import AgentError, Cluster
from workloads.coordination.events import Event, JobResult, Sink
from workloads.coordination.files import Files
from workloads.coordination.results import NOBODY, NameNode
from workloads.job import Job
from workloads.protocol import OfJob, Stored, ToAgent
from workloads.scale import Scale
from workloads.splits import BlockKey, Key
from workloads.volumes import plan_job


class Coordinator:
    """Runs jobs on agents.

    Args:
        hosts: That have an agent.
        racks: Rack of each host, to prefer near replicas; without it none is nearer.
        scale: The divisors.
        seed: Of split order and replica choices.
        send: Sends a message to a host's agent.
        clock: Wall seconds since the run's start.
        started_at: Time of the run's start on the clock that agents report by.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        racks: Mapping[str, int] | None,
        scale: Scale,
        seed: int,
        send: Callable[[str, ToAgent], None],
        clock: Callable[[], float],
        started_at: float,
    ) -> None:
        self._dead: set[str] = set()
        self._hosts = frozenset(hosts)
        self._racks = dict(racks) if racks is not None else dict.fromkeys(hosts, 0)
        self._scale = scale
        self._seed = seed
        self._sizes: dict[BlockKey, int] = {}
        self._cluster = Cluster(send, self._racks, self._dead, scale, self._sizes, clock, started_at)
        self._executions: dict[str, Execution] = {}
        self._attempts: Counter[str] = Counter()
        self.files = Files(self._cluster, self._hosts, np.random.default_rng([seed, 4]))

    @property
    def dead_hosts(self) -> frozenset[str]:
        """Hosts whose agents have died."""
        return frozenset(self._dead)

    def clock(self) -> float:
        """Wall seconds since the run's start."""
        return self._cluster.clock()

    async def store(
        self, block_map: Mapping[Key, Sequence[str]], sizes: Mapping[Key, int], *, over_network: bool = False
    ) -> None:
        """Puts blocks on hosts.

        Args:
            block_map: Hosts of the replicas of each block.
            sizes: Modelled bytes of each block.
            over_network: Write them through pipelines that start at the first replica, instead of placing them.

        Raises:
            AgentError: a host is unknown or dead, or a pipeline failed.
        """
        await (self.files.load if over_network else self.files.put)(block_map, sizes)

    async def run_job(
        self,
        job: Job,
        placement: Sequence[str],
        blocks: Mapping[Key, Sequence[str]],
        sink: Sink,
        *,
        name_node: NameNode = NOBODY,
        submitted_s: float | None = None,
        deadline_s: float = 3600.0,
    ) -> JobResult:
        """Runs one attempt of a job; several may run at once.

        Args:
            job: The job.
            placement: Host of each container; the first is the application master's.
            blocks: Replicas of at least the job's input blocks, which have been stored.
            sink: Takes the events.
            name_node: Says where its results go.
            submitted_s: Wall seconds since the run's start at which it was submitted; now by default.
            deadline_s: Wall seconds after which it fails.

        Returns:
            What it did; `failed` says why it failed and `dead_hosts` where not to place the next attempt.

        Raises:
            AgentError: the placement does not fit the job, or uses an unknown host.
            JobError: its input is not stored.
        """
        self._check(job, placement)
        plans = plan_job(job, self._scale, blocks, self._sizes)
        submitted = self._cluster.clock() if submitted_s is None else submitted_s
        self._attempts[job.job_id] += 1
        attempt = self._attempts[job.job_id]
        rng = np.random.default_rng([self._seed, attempt, *job.job_id.encode()])
        execution = Execution(job, placement, plans, name_node, self._cluster, rng, sink, submitted, attempt)
        self._executions[execution.key] = execution
        sink(Event(submitted, "job_submitted", job=job.job_id, detail=job.profile))
        for host in self._dead & execution.hosts:
            execution.host_died(host, "before the job started")
        try:
            return await execution.run(deadline_s)
        finally:
            del self._executions[execution.key]

    def _check(self, job: Job, placement: Sequence[str]) -> None:
        """Refuses a job that cannot be started."""
        if len(placement) != job.containers:
            raise AgentError(f"job {job.job_id}: placement of {len(placement)} containers; it has {job.containers}")
        for host in placement:
            if host not in self._hosts:
                raise AgentError(f"job {job.job_id}: placed on {host!r}, which has no agent")
        if any(execution.job.job_id == job.job_id for execution in self._executions.values()):
            raise AgentError(f"job {job.job_id}: runs already; give each job its own id")

    def lose(self, host: str, reason: str) -> None:
        """A host's agent has died."""
        self._dead.add(host)
        for execution in list(self._executions.values()):
            execution.host_died(host, reason)
        self.files.lose(host, reason)

    def receive(self, host: str, message: Stored | OfJob) -> None:
        """Takes what an agent says; of a job that has ended nobody wants to know."""
        if isinstance(message, Stored):
            self.files.take(host, message)
        elif (execution := self._executions.get(message.job)) is not None:
            execution.handle(message)
