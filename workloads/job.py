"""What a job is: a graph of stages with volumes and CPU work, in units of the modelled cluster.

A stage consumes its inputs (files, exchanges with earlier stages) and may write a result. Every stage has one task in
each task slot of the job, as Flink's slot sharing does. Iterations are unrolled: an iteration is ordinary stages.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from workloads.errors import WorkloadError

MOST_BLOCKS = 100_000
"""Of a file whose block size is its own; each takes the testbed half a millisecond."""
MOST_TASKS = 100_000
_LARGEST_VOLUME = 10**18

ExchangeKind = Literal["repartition", "broadcast", "forward"]


class JobError(WorkloadError, ValueError):
    """A job that cannot run; the message names the field, the value and the remedy."""


@dataclass(frozen=True)
class Result:
    """What a stage of a job writes to the block store, for other jobs to read; `bytes` are modelled."""

    job_id: str
    stage: str
    bytes: int

    @property
    def folder(self) -> str:
        """Where the tasks of the stage put their files."""
        return f"{self.job_id}/output/{self.stage}"

    def parts(self, tasks: int) -> tuple[tuple[str, int], ...]:
        """Name and modelled bytes of the file of each of so many tasks."""
        ends = [self.bytes * done // tasks for done in range(tasks + 1)]
        return tuple((f"{self.folder}/part-{task:05d}", ends[task + 1] - ends[task]) for task in range(tasks))


@dataclass(frozen=True)
class Read:
    """A file that a stage scans; its splits are handed out at run time, local ones first.

    Attributes:
        file: Name of the file, or of the folder that has several; its blocks are the input splits.
        bytes: Modelled size.
        cpu_s: Modelled CPU seconds to process all of it, over all tasks.
        block_bytes: Modelled size of its blocks, an attribute of a file as in HDFS; the cluster's when None.
        result_of: The job that writes it; None when it is stored before the jobs begin.
    """

    file: str
    bytes: int
    cpu_s: float = 0.0
    block_bytes: int | None = None
    result_of: str | None = None

    def __post_init__(self) -> None:
        _check_volume(f"read of {self.file}: bytes", self.bytes)
        _check_volume(f"read of {self.file}: cpu_s", self.cpu_s)
        if self.block_bytes is not None and self.block_bytes * MOST_BLOCKS < max(1, self.bytes):
            raise JobError(
                f"read of {self.file}: block_bytes {self.block_bytes}; "
                f"give at least {max(1, -(-self.bytes // MOST_BLOCKS))}, a file has at most {MOST_BLOCKS} blocks"
            )


@dataclass(frozen=True)
class Exchange:
    """Data that a stage gets from an earlier one.

    Attributes:
        source: Name of the stage that produces it.
        bytes: Modelled size of the produced data. `repartition` moves each byte once, `broadcast` once to every
            consuming task, `forward` from task i to task i in the same slot, never over the network.
        cpu_s: Modelled CPU seconds to consume it, over all consuming tasks.
        pipelined: True: flows while the source works. False: a barrier, starts when all tasks of the source are done.
        skew: Exponent s >= 0; consuming task i (from 0) gets a share proportional to (i + 1)^-s of a repartition.
        shares: Instead of a skew, what the consuming tasks get in proportion to each other. Share k goes to task k, or,
            with fewer tasks, to task k modulo their number; tasks without a share get nothing. A forward exchange
            without shares follows what arrives at the tasks of its source, or is even where that reads files.
    """

    source: str
    bytes: int
    cpu_s: float = 0.0
    kind: ExchangeKind = "repartition"
    pipelined: bool = True
    skew: float = 0.0
    shares: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in ("repartition", "broadcast", "forward"):
            raise JobError(f"exchange kind {self.kind!r}: use repartition, broadcast or forward")
        for field in ("bytes", "cpu_s", "skew"):
            _check_volume(f"exchange from {self.source}: {field}", getattr(self, field))
        if self.skew and self.kind != "repartition":
            raise JobError(f"exchange from {self.source}: skew {self.skew} on a {self.kind}; only repartition has one")
        for share in self.shares:
            _check_volume(f"exchange from {self.source}: shares", share)
        if self.shares and not any(self.shares):
            raise JobError(f"exchange from {self.source}: shares are all 0; give at least one above 0")
        if self.shares and (self.skew or self.kind == "broadcast"):
            raise JobError(f"exchange from {self.source}: shares with a skew or on a broadcast; remove one of them")

    def shares_of(self, tasks: int) -> tuple[float, ...]:
        """What each of so many consuming tasks gets, relative to the task that gets most."""
        got = [0.0] * tasks
        for k, share in enumerate(self.shares or [(i + 1) ** -self.skew for i in range(tasks)]):
            got[k % tasks] += share
        return tuple(share / max(got) for share in got)

    def moved_bytes(self, tasks: int) -> int:
        """Modelled bytes that arrive at the consumers."""
        return self.bytes * tasks if self.kind == "broadcast" else self.bytes


Input = Read | Exchange


@dataclass(frozen=True)
class Stage:
    """Tasks that do the same to different parts of the data.

    A task first consumes all its exchanges, then reads splits. What it produces for later stages leaves while it reads
    splits, or, without files, while it consumes exchanges.

    Attributes:
        name: Unique in the job.
        inputs: Files and exchanges.
        write_bytes: Modelled result written to the block store when the task's work is done, over all tasks.
        write_replication: Replicas of the result; 1 is the writer's own disk, more go through a write pipeline.
    """

    name: str
    inputs: tuple[Input, ...]
    write_bytes: int = 0
    write_replication: int = 1

    def __post_init__(self) -> None:
        if not self.inputs:
            raise JobError(f"stage {self.name}: inputs empty; give at least one file or exchange")
        if self.write_replication < 1:
            raise JobError(f"stage {self.name}: write_replication {self.write_replication}; give at least 1")
        _check_volume(f"stage {self.name}: write_bytes", self.write_bytes)

    @property
    def reads(self) -> tuple[Read, ...]:
        """The files it scans."""
        return tuple(item for item in self.inputs if isinstance(item, Read))

    @property
    def exchanges(self) -> tuple[Exchange, ...]:
        """The data it gets from earlier stages."""
        return tuple(item for item in self.inputs if isinstance(item, Exchange))

    @property
    def cpu_s(self) -> float:
        """Modelled CPU seconds over all tasks."""
        return sum(item.cpu_s for item in self.inputs)


@dataclass(frozen=True)
class Job:
    """A graph of stages, in an order in which every source stands before its consumers.

    Container 0 is the application master; the others offer `slots_per_container` task slots each.

    Raises:
        JobError: no task container, more than `MOST_TASKS` task slots, a container without memory or cores, a name used
            twice, an exchange with a stage that does not stand before, two exchanges between the same stages, or a
            file read twice.
    """

    job_id: str
    profile: str
    stages: tuple[Stage, ...]
    containers: int = 12
    slots_per_container: int = 1
    memory_mb: int = 3072
    vcores: int = 1

    def __post_init__(self) -> None:
        if self.containers < 2:
            raise JobError(f"job {self.job_id}: containers {self.containers}; give at least 2, the first is the master")
        for field in ("slots_per_container", "memory_mb", "vcores"):
            if getattr(self, field) < 1:
                raise JobError(f"job {self.job_id}: {field} {getattr(self, field)}; give at least 1")
        if self.tasks > MOST_TASKS:
            raise JobError(
                f"job {self.job_id}: {self.containers} containers with {self.slots_per_container} task slots each; "
                f"give at most {MOST_TASKS:,} slots in all"
            )
        if not self.stages:
            raise JobError(f"job {self.job_id}: stages empty; give at least one")
        before: set[str] = set()
        files: set[str] = set()
        for stage in self.stages:
            sources = [exchange.source for exchange in stage.exchanges]
            for source in sources:
                if source not in before:
                    raise JobError(f"stage {stage.name}: source {source!r} does not stand before it; reorder or rename")
            if len(set(sources)) < len(sources):
                raise JobError(f"stage {stage.name}: two exchanges with one source; add up their volumes")
            if stage.name in before:
                raise JobError(f"stage name {stage.name!r}: used twice; give each its own")
            before.add(stage.name)
            for read in stage.reads:
                if read.file in files:
                    raise JobError(f"stage {stage.name}: file {read.file!r} is read twice; read it in one stage")
                files.add(read.file)

    @property
    def tasks(self) -> int:
        """Tasks of every stage, one a task slot."""
        return (self.containers - 1) * self.slots_per_container

    def container_of(self, task: int) -> int:
        """The container (from 1) whose slot runs a task (from 0)."""
        return 1 + task // self.slots_per_container

    @functools.cached_property
    def stage_by_name(self) -> Mapping[str, Stage]:
        """Stages by name."""
        return {stage.name: stage for stage in self.stages}

    @property
    def reads(self) -> tuple[Read, ...]:
        """The files that its stages scan, each once."""
        return tuple(read for stage in self.stages for read in stage.reads)

    @property
    def files(self) -> Mapping[str, int]:
        """Modelled bytes of each input file, by name."""
        return {read.file: read.bytes for read in self.reads}

    @property
    def waits_for(self) -> tuple[str, ...]:
        """The jobs whose results it reads."""
        return tuple(dict.fromkeys(read.result_of for read in self.reads if read.result_of is not None))

    @property
    def input_bytes(self) -> int:
        """Modelled bytes read from the block store."""
        return sum(self.files.values())

    def result(self, stage: str | None = None) -> Result:
        """What a stage writes, or the only one that does.

        Raises:
            JobError: it writes nothing, or there is no such stage.
        """
        writing = {one.name: one.write_bytes for one in self.stages if one.write_bytes}
        names = ", ".join(writing) or "none"
        if stage is None and len(writing) != 1:
            raise JobError(f"job {self.job_id}: stages with a result: {names}; name one, as {self.job_id}/STAGE")
        if stage is not None and stage not in writing:
            raise JobError(f"job {self.job_id}: stage {stage!r} writes nothing; those with a result: {names}")
        chosen = next(iter(writing)) if stage is None else stage
        return Result(self.job_id, chosen, writing[chosen])

    @property
    def exchanged_bytes(self) -> int:
        """Modelled bytes that arrive at consumers over all exchanges, whether local or over the network."""
        return sum(exchange.moved_bytes(self.tasks) for stage in self.stages for exchange in stage.exchanges)

    @property
    def cpu_s(self) -> float:
        """Modelled CPU seconds over all stages."""
        return sum(stage.cpu_s for stage in self.stages)


def _check_volume(field: str, value: float) -> None:
    if not 0 <= value <= _LARGEST_VOLUME:
        raise JobError(f"{field} {value:g}; give a number from 0 to {_LARGEST_VOLUME:g}")
