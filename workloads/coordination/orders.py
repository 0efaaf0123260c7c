"""What the coordinator tells the agents about a job, made of its plan."""

from __future__ import annotations

from collections.abc import Sequence

from workloads.job import Job
from workloads.protocol import Begin, BlockWrite, LaneOrder, StartTask, TaskInput, TaskOutput, Transfer
from workloads.volumes import ExchangePlan, StagePlan


def begin(job: Job, key: str, placement: Sequence[str], host: str) -> Begin:
    """Start the job's containers on a host."""
    containers = tuple(number for number, at in enumerate(placement) if at == host)
    return Begin(key, containers, job.memory_mb * 2**20)


def task(
    job: Job, key: str, plan: StagePlan, number: int, hosts: Sequence[str], writes: tuple[BlockWrite, ...]
) -> StartTask:
    """Start a task of a stage; `hosts` are those of the job's tasks, `writes` the blocks of the task's result."""
    inputs = tuple(
        TaskInput(
            exchange=exchange.key,
            sources=1 if exchange.kind == "forward" else job.tasks,
            bytes=exchange.expected_bytes(number),
            cpu_s=exchange.expected_cpu_s(number),
        )
        for exchange in plan.exchanges
    )
    outputs = tuple(
        _output(exchange, number, 0 if plan.splits else plan.emitted_by_task(exchange, number), hosts)
        for exchange in plan.outputs
        if exchange.pipelined
    )
    return StartTask(key, plan.name, number, job.container_of(number), bool(plan.splits), inputs, outputs, writes)


def transfer(job: Job, key: str, exchange: ExchangePlan, number: int, size: int, hosts: Sequence[str]) -> Transfer:
    """Send what a task has produced for a barrier exchange, `size` wire bytes."""
    output = _output(exchange, number, size, hosts)
    return Transfer(key, exchange.consumer, number, job.container_of(number), output)


def _output(exchange: ExchangePlan, number: int, size: int, hosts: Sequence[str]) -> TaskOutput:
    forward = exchange.kind == "forward"
    consumers, producers = ([number], 1) if forward else (range(len(hosts)), len(hosts))
    return TaskOutput(
        exchange=exchange.key,
        kind=exchange.kind,
        bytes=size,
        weights=tuple(exchange.weights[consumer] for consumer in consumers),
        lanes=tuple(
            LaneOrder(consumer, hosts[consumer], exchange.expected_bytes(consumer) // producers)
            for consumer in consumers
        ),
    )
