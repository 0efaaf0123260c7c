"""From modelled volumes to exact numbers: how many bytes each task has to send and receive on the wire."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workloads.job import Exchange, Job, JobError, Result, Stage
from workloads.scale import Scale
from workloads.splits import BlockKey, Key, Split

_WEIGHT_UNIT = 1 << 20
_WINDOW_BYTES = 64 * 2**20
_LEAST_WINDOW_BYTES = 32 * 1024


def window_bytes(scale: Scale) -> int:
    """How far, on the wire, a producer may be ahead of a lane, and what arrives ahead of the task that takes it: 64 MiB
    of the model, so that a slow lane holds its producer up alike at every volume divisor, as far as frames allow.
    """
    return max(_LEAST_WINDOW_BYTES, scale.wire_bytes(_WINDOW_BYTES))


@dataclass(frozen=True)
class ExchangePlan:
    """One exchange in wire bytes.

    Attributes:
        key: Unique in the job: `source>consumer`.
        produced_bytes: What the source's tasks produce together.
        moved_bytes: What arrives at the consumers together; more than produced for a broadcast.
        weights: Integer share of each consuming task.
        cpu_s: CPU seconds to consume it on the wall, over all tasks.
    """

    key: str
    source: str
    consumer: str
    kind: str
    pipelined: bool
    produced_bytes: int
    moved_bytes: int
    weights: tuple[int, ...]
    cpu_s: float

    def expected_bytes(self, task: int) -> int:
        """What a consuming task will receive, up to rounding."""
        if self.kind == "broadcast":
            return self.produced_bytes
        return self.produced_bytes * self.weights[task] // self._whole

    def expected_cpu_s(self, task: int) -> float:
        """CPU seconds on the wall that a consuming task needs for it."""
        return self.cpu_s * self.weights[task] / self._whole

    @functools.cached_property
    def _whole(self) -> int:
        return sum(self.weights)


@dataclass(frozen=True)
class StagePlan:
    """One stage in wire bytes; `parts` are the files of its result, one a task, with their modelled bytes."""

    stage: Stage
    exchanges: tuple[ExchangePlan, ...]
    outputs: tuple[ExchangePlan, ...]
    splits: tuple[Split, ...]
    split_cpu_s: tuple[float, ...]
    parts: tuple[tuple[str, int], ...]

    @property
    def name(self) -> str:
        """Name of the stage."""
        return self.stage.name

    @functools.cached_property
    def read_bytes(self) -> int:
        """Input of all splits."""
        return sum(split.bytes for split in self.splits)

    @functools.cached_property
    def _arriving_before(self) -> tuple[int, ...]:
        """Of each task, what arrives at those before it, in proportion; and at all of them."""
        return tuple(itertools.accumulate(_arriving(self.exchanges, len(self.parts)), initial=0))

    def emitted_by_split(self, output: ExchangePlan, before: int, size: int) -> int:
        """Bytes that a split yields for an output; over all splits they add up to exactly what is produced.

        Args:
            output: An exchange that this stage feeds.
            before: Bytes of all splits with lower numbers.
            size: Bytes of the split.
        """
        total = max(1, self.read_bytes)
        return output.produced_bytes * (before + size) // total - output.produced_bytes * before // total

    def emitted_by_task(self, output: ExchangePlan, task: int) -> int:
        """Bytes that a task without splits yields for an output, in proportion to what it receives."""
        before, after, total = (self._arriving_before[place] for place in (task, task + 1, -1))
        return output.produced_bytes * after // total - output.produced_bytes * before // total


def plan_job(
    job: Job, scale: Scale, blocks: Mapping[Key, Sequence[str]], sizes: Mapping[BlockKey, int]
) -> dict[str, StagePlan]:
    """All stages of a job by name, in the job's order.

    Args:
        job: The job.
        scale: The divisors.
        blocks: Replicas of (at least) all blocks of the job's files.
        sizes: Modelled bytes of the blocks.

    Raises:
        JobError: a file of the job has no blocks, or they do not add up to its size.
    """
    by_file: dict[str, list[Key]] = {}
    for block in blocks:
        for name in (block.file, block.file.rpartition("/")[0]):
            by_file.setdefault(name, []).append(block)
    exchanges: list[ExchangePlan] = []
    for stage in job.stages:
        for item in stage.exchanges:
            exchanges.append(_plan_exchange(job, stage, item, scale, exchanges))
    plans: dict[str, StagePlan] = {}
    for stage in job.stages:
        splits: list[Split] = []
        cpu: list[float] = []
        for read in stage.reads:
            own = sorted(by_file.get(read.file, ()), key=lambda block: (block.file, block.index))
            stored = sum(sizes[block] for block in own)
            if stored != read.bytes:
                raise JobError(
                    f"file {read.file}: {stored} bytes stored, job {job.job_id} reads {read.bytes}; store it"
                )
            for block in own:
                wire = scale.block_wire_bytes(sizes[block])
                splits.append(Split(len(splits), block.file, block.index, wire, tuple(blocks[block])))
                cpu.append(scale.wall_s(read.cpu_s * sizes[block] / max(1, read.bytes)))
        plans[stage.name] = StagePlan(
            stage=stage,
            exchanges=tuple(plan for plan in exchanges if plan.consumer == stage.name),
            outputs=tuple(plan for plan in exchanges if plan.source == stage.name),
            splits=tuple(splits),
            split_cpu_s=tuple(cpu),
            parts=Result(job.job_id, stage.name, stage.write_bytes).parts(job.tasks),
        )
    return plans


def _plan_exchange(
    job: Job, stage: Stage, exchange: Exchange, scale: Scale, before: Sequence[ExchangePlan]
) -> ExchangePlan:
    produced = scale.wire_bytes(exchange.bytes)
    weights = tuple(round(_WEIGHT_UNIT * share) for share in exchange.shares_of(job.tasks))
    if exchange.kind == "forward" and not exchange.shares and not job.stage_by_name[exchange.source].reads:
        weights = _arriving([plan for plan in before if plan.consumer == exchange.source], job.tasks)
    return ExchangePlan(
        key=f"{exchange.source}>{stage.name}",
        source=exchange.source,
        consumer=stage.name,
        kind=exchange.kind,
        pipelined=exchange.pipelined,
        produced_bytes=produced,
        moved_bytes=produced * job.tasks if exchange.kind == "broadcast" else produced,
        weights=weights,
        cpu_s=scale.wall_s(exchange.cpu_s),
    )


def _arriving(exchanges: Sequence[ExchangePlan], tasks: int) -> tuple[int, ...]:
    """What arrives at each task, in proportion; the same where nothing does."""
    weights = tuple(sum(exchange.expected_bytes(task) for exchange in exchanges) for task in range(tasks))
    return weights if any(weights) else (1,) * tasks
