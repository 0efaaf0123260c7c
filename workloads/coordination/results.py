"""What the tasks of a job write: files, whose blocks go where a name node says, and which later jobs can read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, MutableMapping, Sequence
from typing import NamedTuple, Protocol

from workloads.coordination.progress import JobFailure
from workloads.job import Job
from workloads.protocol import BlockWrite, WriteReport
from workloads.scale import Scale
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


class NoNameNode:
    """Where no job may have a result."""

    def create(self, file: ResultFile, dead: Collection[str]) -> Sequence[ResultBlock]:
        """Refuse it."""
        raise JobFailure(f"file {file.name}: nobody to say where results go; run the job with a name node")

    def complete(self, file: str, start_s: float, time_s: float, digests: Sequence[int | None]) -> None:
        """There is none."""


NOBODY = NoNameNode()


class Results:
    """The results of one attempt of a job.

    Args:
        job: The job.
        name_node: Says where they go.
        scale: The divisors.
        sizes: Takes the modelled bytes of every block.
    """

    def __init__(self, job: Job, name_node: NameNode, scale: Scale, sizes: MutableMapping[BlockKey, int]) -> None:
        self._job = job
        self._name_node = name_node
        self._scale = scale
        self._sizes = sizes
        self._writing: dict[tuple[str, int], tuple[BlockWrite, ...]] = {}
        self._files: dict[tuple[str, int], str] = {}

    def orders(self, plan: StagePlan, task: int, host: str, dead: Collection[str]) -> tuple[BlockWrite, ...]:
        """The blocks that a task is to write when its work is done.

        Raises:
            JobFailure: they cannot be stored.
        """
        name, size = plan.parts[task]
        file = ResultFile(name, self._job.job_id, host, size, plan.stage.write_replication)
        blocks = self._name_node.create(file, dead) if size else ()
        self._sizes.update({block.key: block.bytes for block in blocks})
        writes = tuple(self._order(block, host) for block in blocks)
        self._writing[plan.name, task] = writes
        self._files[plan.name, task] = name
        return writes

    def _order(self, block: ResultBlock, host: str) -> BlockWrite:
        others = tuple(replica for replica in block.replicas if replica != host)
        size = self._scale.block_wire_bytes(block.bytes)
        return BlockWrite(block.key.file, block.key.index, size, others, len(others) < len(block.replicas))

    def written(
        self, stage: str, task: int, reports: Sequence[WriteReport], since_s: float
    ) -> Iterator[tuple[BlockWrite, WriteReport]]:
        """A task has written its blocks; each with its report.

        Args:
            stage: The task's.
            task: Its number.
            reports: One for each block.
            since_s: The run's start, on the clock of the reports.
        """
        writes = self._writing.pop((stage, task))
        if writes:
            digests = [report.digest for report in reports]
            self._name_node.complete(
                self._files[stage, task], reports[0].started - since_s, reports[-1].finished - since_s, digests
            )
        yield from zip(writes, reports, strict=True)
