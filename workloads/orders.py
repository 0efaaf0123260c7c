"""What the coordinator tells the agents about a job: the long ones of its messages, as values."""

from __future__ import annotations

from collections.abc import Sequence

from workloads.control import Message
from workloads.job import Job
from workloads.volumes import ExchangePlan, StagePlan


def begin(job: Job, key: str, placement: Sequence[str], host: str) -> Message:
    """Start the job's containers on a host; they hold their memory until the job ends."""
    containers = [number for number, at in enumerate(placement) if at == host]
    return {"op": "begin", "job": key, "containers": containers, "memory_bytes": job.memory_mb * 2**20}


def task(job: Job, key: str, plan: StagePlan, number: int, hosts: Sequence[str], writes: list[Message]) -> Message:
    """Start a task of a stage; `hosts` are those of the job's tasks, `writes` the blocks of the task's result."""
    return {
        "op": "task",
        "job": key,
        "stage": plan.name,
        "task": number,
        "container": job.container_of(number),
        "reads": bool(plan.splits),
        "inputs": [
            {
                "exchange": exchange.key,
                "sources": 1 if exchange.kind == "forward" else job.tasks,
                "bytes": exchange.expected_bytes(number),
                "cpu_s": exchange.expected_cpu_s(number),
            }
            for exchange in plan.exchanges
        ],
        "outputs": [
            _output(exchange, number, 0 if plan.splits else plan.emitted_by_task(exchange, number), hosts)
            for exchange in plan.outputs
            if exchange.pipelined
        ],
        "writes": writes,
    }


def transfer(job: Job, key: str, exchange: ExchangePlan, number: int, size: int, hosts: Sequence[str]) -> Message:
    """Send what a task has produced for a barrier exchange, `size` wire bytes."""
    return {
        "op": "transfer",
        "job": key,
        "stage": exchange.consumer,
        "task": number,
        "container": job.container_of(number),
        "output": _output(exchange, number, size, hosts),
    }


def _output(exchange: ExchangePlan, number: int, size: int, hosts: Sequence[str]) -> Message:
    forward = exchange.kind == "forward"
    consumers, producers = ([number], 1) if forward else (range(len(hosts)), len(hosts))
    return {
        "exchange": exchange.key,
        "kind": exchange.kind,
        "bytes": size,
        "weights": [exchange.weights[consumer] for consumer in consumers],
        "lanes": [
            [consumer, hosts[consumer], exchange.expected_bytes(consumer) // producers] for consumer in consumers
        ],
    }
