"""What has been reported about the stages and exchanges of a running job, and the proof that nothing was lost."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from workloads.coordination.events import StageResult
from workloads.errors import WorkloadError
from workloads.splits import Split, SplitAssigner
from workloads.volumes import ExchangePlan, StagePlan


class JobFailure(WorkloadError):
    """The attempt failed; the message says why."""


@dataclass
class StageProgress:
    """One stage.

    Attributes:
        before: Bytes of all splits with lower numbers, by split.
        running: Tasks that are not done.
        held: Bytes that each task has produced for each barrier exchange.
        in_work: The split that a task works on.
        finished: All tasks are done.
        proven: All reports are in, and nothing was lost.
    """

    plan: StagePlan
    result: StageResult
    assigner: SplitAssigner
    before: Sequence[int]
    held: dict[str, list[int]]
    started: bool = False
    finished: bool = False
    proven: bool = False
    running: set[int] = field(default_factory=set)
    in_work: dict[int, Split] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: StagePlan, hosts: Sequence[str], rng: np.random.Generator) -> StageProgress:
        """Nothing has happened yet; `hosts` are those of the tasks."""
        return cls(
            plan=plan,
            result=StageResult(plan.name, planned_bytes=plan.read_bytes + sum(e.moved_bytes for e in plan.exchanges)),
            assigner=SplitAssigner(plan.splits, hosts, rng),
            before=[0, *itertools.accumulate(split.bytes for split in plan.splits)],
            held={output.key: [0] * len(hosts) for output in plan.outputs if not output.pipelined},
        )


@dataclass
class FlowProgress:
    """One exchange, in wire bytes."""

    plan: ExchangePlan
    sent: int = 0
    received: int = 0
    sources_reported: int = 0


def prove_conservation(stage: StageProgress, flows: Sequence[FlowProgress]) -> None:
    """Checks that of every input of a stage everything that was planned was sent and has arrived.

    Raises:
        JobFailure: not so.
    """
    for flow in flows:
        if not flow.plan.moved_bytes == flow.sent == flow.received:
            raise JobFailure(
                f"exchange {flow.plan.key}: planned {flow.plan.moved_bytes} bytes, "
                f"sent {flow.sent}, received {flow.received}"
            )
    result = stage.result
    if not result.planned_bytes == result.sent_bytes == result.received_bytes:
        raise JobFailure(
            f"stage {result.name}: planned {result.planned_bytes} bytes, "
            f"sent {result.sent_bytes}, received {result.received_bytes}"
        )
