"""What the tasks of a job write: files, whose blocks go where a name node says, and which later jobs can read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple, Protocol

from workloads.coordination.cluster import Cluster
from workloads.coordination.progress import JobFailure
from workloads.job import Job
from workloads.protocol import BlockWrite, WriteReport
from workloads.splits import BlockKey
from workloads.volumes import StagePlan


class ResultFile(NamedTuple):
    """A file that a task is about to write.

    Attributes:
        name: Unique in the cluster.
        job: That writes it.
        writer: Host of the task.
        bytes: Modelled size, at least 1.
        replication: Replicas of each block that are wanted.
    """

    name: str
    job: str
    writer: str
    bytes: int
    replication: int


class ResultBlock(NamedTuple):
    """A block of a result: its name, its modelled bytes, and the hosts of its replicas."""

    key: BlockKey
    bytes: int
    replicas: Sequence[str]


class NameNode(Protocol):
    """Decides where the blocks of results go, and keeps who has them."""

    def create(self, file: ResultFile, dead: Collection[str]) -> Sequence[ResultBlock]:
        """The blocks of a new file, none of them on a dead host.

        Raises:
            JobFailure: it cannot be stored.
        """

    def complete(self, file: str, start_s: float, time_s: float, digests: Sequence[int | None]) -> None:
        """A file has been written, from and until wall seconds since the run's start, with these checksums of its
        blocks.
        """

    async def settled(self, job: str) -> None:
        """All tasks of a job are done; wait for what else has to be done with its results before it ends.

        Raises:
            JobFailure: that cannot be done.
        """


class NoNameNode:
    """Where no job may have a result."""

    def create(self, file: ResultFile, dead: Collection[str]) -> Sequence[ResultBlock]:
        """Refuse it."""
        raise JobFailure(f"file {file.name}: nobody to say where results go; run the job with a name node")

    def complete(self, file: str, start_s: float, time_s: float, digests: Sequence[int | None]) -> None:
        """There is none."""

    async def settled(self, job: str) -> None:
        """There is nothing to do."""


NOBODY = NoNameNode()


class Results:
    """The results of one attempt of a job.

    Args:
        job: The job.
        name_node: Says where they go.
        cluster: The agents.
    """

    def __init__(self, job: Job, name_node: NameNode, cluster: Cluster) -> None:
        self._job = job
        self._name_node = name_node
        self._cluster = cluster
        self._writing: dict[tuple[str, int], tuple[str, tuple[BlockWrite, ...]]] = {}

    def orders(self, plan: StagePlan, task: int, host: str) -> tuple[BlockWrite, ...]:
        """The blocks that a task is to write when its work is done.

        Raises:
            JobFailure: they cannot be stored.
        """
        name, size = plan.parts[task]
        file = ResultFile(name, self._job.job_id, host, size, plan.stage.write_replication)
        blocks = self._name_node.create(file, self._cluster.dead) if size else ()
        writes = tuple(self._cluster.order(block.key, block.bytes, host, block.replicas) for block in blocks)
        self._writing[plan.name, task] = name, writes
        return writes

    def written(
        self, stage: str, task: int, reports: Sequence[WriteReport]
    ) -> Iterator[tuple[BlockWrite, WriteReport]]:
        """A task has written its blocks; each with its report.

        Args:
            stage: The task's.
            task: Its number.
            reports: One for each block.
        """
        name, writes = self._writing.pop((stage, task))
        if writes:
            started_s, ended_s = (at - self._cluster.started_at for at in (reports[0].started, reports[-1].finished))
            self._name_node.complete(name, started_s, ended_s, [report.digest for report in reports])
        yield from zip(writes, reports, strict=True)

    async def settled(self) -> None:
        """Wait for what has to be done with all of them before the job ends.

        Raises:
            JobFailure: that cannot be done.
        """
        await self._name_node.settled(self._job.job_id)
