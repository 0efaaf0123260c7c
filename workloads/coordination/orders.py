"""What the coordinator tells the agents about a job, made of its plan."""

from __future__ import annotations

from collections.abc import Sequence

from workloads.job import Job
from workloads.protocol import Begin, BlockWrite, Lanes, StartTask, TaskInput, TaskOutput, Transfer
from workloads.volumes import ExchangePlan, StagePlan


class Orders:
    """The orders of one attempt of a job.

    Args:
        job: The job.
        key: Of the attempt.
        hosts: Of the job's tasks.
    """

    def __init__(self, job: Job, key: str, hosts: Sequence[str]) -> None:
        self._job = job
        self._key = key
        self._hosts = hosts
        self._lanes: dict[str, Lanes] = {}  # of exchanges, from every producing task

    def begin(self, placement: Sequence[str], host: str) -> Begin:
        """Start the job's containers on a host, of all of which the hosts are given."""
        containers = tuple(number for number, at in enumerate(placement) if at == host)
        return Begin(self._key, containers, self._job.slots_per_container, self._job.memory_mb * 2**20)

    def task(self, plan: StagePlan, number: int, writes: tuple[BlockWrite, ...]) -> StartTask:
        """Start a task of a stage; `writes` are the blocks of its result."""
        inputs = tuple(
            TaskInput(
                exchange=exchange.key,
                sources=1 if exchange.kind == "forward" else self._job.tasks,
                bytes=exchange.expected_bytes(number),
                cpu_s=exchange.expected_cpu_s(number),
            )
            for exchange in plan.exchanges
        )
        outputs = tuple(
            self._output(exchange, number, 0 if plan.splits else plan.emitted_by_task(exchange, number))
            for exchange in plan.outputs
            if exchange.pipelined
        )
        container = self._job.container_of(number)
        return StartTask(self._key, plan.name, number, container, bool(plan.splits), inputs, outputs, writes)

    def transfer(self, exchange: ExchangePlan, number: int, size: int) -> Transfer:
        """Send what a task has produced for a barrier exchange, `size` wire bytes."""
        output = self._output(exchange, number, size)
        return Transfer(self._key, exchange.consumer, number, self._job.container_of(number), output)

    def _output(self, exchange: ExchangePlan, number: int, size: int) -> TaskOutput:
        if exchange.kind == "forward":
            return TaskOutput(exchange.key, exchange.kind, size, self._lanes_to(exchange, [number], 1))
        if exchange.key not in self._lanes:
            tasks = len(self._hosts)
            self._lanes[exchange.key] = self._lanes_to(exchange, range(tasks), tasks)
        return TaskOutput(exchange.key, exchange.kind, size, self._lanes[exchange.key])

    def _lanes_to(self, exchange: ExchangePlan, consumers: Sequence[int], producers: int) -> Lanes:
        return Lanes(
            consumers=tuple(consumers),
            hosts=tuple(self._hosts[consumer] for consumer in consumers),
            bytes=tuple(exchange.expected_bytes(consumer) // producers for consumer in consumers),
            weights=tuple(exchange.weights[consumer] for consumer in consumers),
        )
