"""One attempt of a job, as its application master sees it; `workloads.protocol` has what it and the agents say."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from workloads.coordination.cluster import Cluster
from workloads.coordination.events import Event, EventKind, JobResult, Sink, Transfers, was_read, written
from workloads.coordination.orders import Orders
from workloads.coordination.progress import FlowProgress, JobFailure, StageProgress, prove_conservation
from workloads.coordination.results import NameNode, Results
from workloads.job import Job
from workloads.protocol import (
    Done,
    End,
    Failed,
    GiveSplit,
    LaneReports,
    NextSplit,
    OfJob,
    ReadReport,
    Sent,
    SplitOrder,
)
from workloads.splits import Split, choose_replica
from workloads.volumes import ExchangePlan, StagePlan

_DEATH_IS_KNOWN_AFTER_S = 0.3


class Execution:
    """Coordinates the tasks of one job on the agents.

    Args:
        job: The job.
        placement: Host of each container; the first is the application master's.
        plans: From `plan_job`.
        name_node: Says where its results go.
        cluster: The agents.
        rng: For split and replica choices.
        sink: Takes the events.
        submitted_s: Wall seconds since the run's start.
        attempt: Tells the messages of this attempt from those of others; `key` names the attempt in messages.
    """

    def __init__(
        self,
        job: Job,
        placement: Sequence[str],
        plans: Mapping[str, StagePlan],
        name_node: NameNode,
        cluster: Cluster,
        rng: np.random.Generator,
        sink: Sink,
        submitted_s: float,
        attempt: int,
    ) -> None:
        self.job = job
        self.key = f"{job.job_id}#{attempt}"
        self._cluster = cluster
        self._rng = rng
        self._sink = sink
        self._hosts = [placement[job.container_of(task)] for task in range(job.tasks)]
        self._orders = Orders(job, self.key, self._hosts)
        self._stages: dict[str, StageProgress] = {}
        for name, plan in plans.items():
            self._stages[name] = StageProgress.of(plan, self._hosts, rng)
        self._flows = {e.key: FlowProgress(e) for plan in plans.values() for e in plan.exchanges}
        self._results = Results(job, name_node, cluster)
        self.result = JobResult(job.job_id, job.profile, tuple(placement), attempt, submitted_s, cluster.clock())
        self.result.stages = [state.result for state in self._stages.values()]
        self._finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def hosts(self) -> set[str]:
        """Hosts that run its containers."""
        return set(self.result.placement)

    async def run(self, deadline_s: float) -> JobResult:
        """Runs the job to its end, good or bad.

        Args:
            deadline_s: Wall seconds after which it fails.
        """
        self._emit("job_started")
        for host in self.hosts:
            self._cluster.send(host, self._orders.begin(self.result.placement, host))
        try:
            self._start_ready()
            await asyncio.wait_for(self._finished, deadline_s)
            await self._results.settled()
        except asyncio.TimeoutError:
            unfinished = [name for name, state in self._stages.items() if not state.finished]
            self.result.failed = f"not finished after {deadline_s:g} s; unfinished stages: {', '.join(unfinished)}"
        except JobFailure as failure:
            self.result.failed = str(failure)
        finally:
            for host in self.hosts:
                self._cluster.send(host, End(self.key))
        self.result.finished_s = self._cluster.clock()
        self.result.dead_hosts = tuple(sorted(self._cluster.dead))
        self._emit("job_failed" if self.result.failed else "job_finished", detail=self.result.failed)
        return self.result

    def fail(self, reason: str) -> None:
        """Ends the attempt."""
        if not self._finished.done():
            self._finished.set_exception(JobFailure(reason))

    def host_died(self, host: str, reason: str) -> None:
        """Fails the attempt if the host ran a container of it; replicas on it are no longer read."""
        if host in self.hosts:
            self.fail(f"agent of {host} died: {reason}")

    def handle(self, message: OfJob) -> None:
        """Takes a message of an agent about this job."""
        if self._finished.done():
            return
        try:
            match message:
                case NextSplit():
                    self._give_next(message)
                case Sent():
                    self._note_sent(message.exchange, message, message.lanes)
                case Done():
                    self._end_task(message)
                case Failed():
                    self._fail_soon(message)
        except JobFailure as failure:
            self.fail(str(failure))

    # -- starting ------------------------------------------------------------------------------------------------

    def _start_ready(self) -> None:
        """Starts every stage that has something to do, or soon will: the consumers of a pipeline before its source.

        A stage starts with the first of its sources that starts (pipelined) or finishes (barrier); starting one early
        costs nothing, as its tasks wait for their inputs.
        """
        ready: list[StageProgress] = []
        for state in self._stages.values():
            exchanges = state.plan.exchanges
            sources = [(self._stages[exchange.source], exchange.pipelined) for exchange in exchanges]
            has_input = any(source.started if pipelined else source.finished for source, pipelined in sources)
            if not state.started and (has_input or not exchanges):
                state.started = True
                ready.append(state)
        for state in reversed(ready):
            self._start_stage(state)

    def _start_stage(self, state: StageProgress) -> None:
        name = state.plan.name
        state.result.started_s = self._cluster.clock()
        self._emit("stage_started", stage=name)
        state.running = set(range(self.job.tasks))
        for task, host in enumerate(self._hosts):
            writes = self._results.orders(state.plan, task, host)
            self._cluster.send(host, self._orders.task(state.plan, task, writes))
            self._emit("task_started", stage=name, task=task, host=host)

    def _release(self, exchange: ExchangePlan) -> None:
        """Sends a barrier exchange, whose source has finished."""
        source = self._stages[exchange.source]
        for task, host in enumerate(self._hosts):
            if source.plan.splits:
                size = source.held[exchange.key][task]
            else:
                size = source.plan.emitted_by_task(exchange, task)
            self._cluster.send(host, self._orders.transfer(exchange, task, size))

    # -- messages ------------------------------------------------------------------------------------------------

    def _give_next(self, message: NextSplit) -> None:
        state, task, report = self._stages[message.stage], message.task, message.finished
        split: Split | None
        if report is not None and report.failed is not None:
            split = self._after_failed_read(state, task, report)
        else:
            if report is not None:
                self._read_finished(state, task, report)
            split = state.assigner.next_for(self._hosts[task])
        self._give(state, task, split)

    def _give(self, state: StageProgress, task: int, split: Split | None) -> None:
        order = None
        if split is not None:
            dead = self._cluster.dead
            live = [host for host in split.replicas if host not in dead] if dead else split.replicas
            source = choose_replica(self._hosts[task], live, self._cluster.racks, self._rng)
            if source is None:
                raise JobFailure(f"block {split.index} of {split.file}: no replica left")
            state.in_work[task] = split
            emit = tuple(
                state.plan.emitted_by_split(output, state.before[split.number], split.bytes)
                for output in state.plan.outputs
                if output.pipelined
            )
            cpu_s = state.plan.split_cpu_s[split.number]
            order = SplitOrder(split.file, split.index, split.bytes, source, cpu_s, emit)
        self._cluster.send(self._hosts[task], GiveSplit(self.key, state.plan.name, task, order))

    def _after_failed_read(self, state: StageProgress, task: int, report: ReadReport) -> Split:
        """The same split without the replica that failed."""
        split = state.in_work.pop(task)
        self._emit(
            "read_failed",
            time_s=self._time(report.read),
            stage=state.plan.name,
            task=task,
            host=self._hosts[task],
            peer=report.host,
            ok=False,
            detail=report.failed,
        )
        left = tuple(host for host in split.replicas if host != report.host)
        if not left:
            raise JobFailure(f"block {split.index} of {split.file}: no replica left; last: {report.failed}")
        return Split(split.number, split.file, split.index, split.bytes, left)

    def _read_finished(self, state: StageProgress, task: int, report: ReadReport) -> None:
        split, host, source = state.in_work.pop(task), self._hosts[task], report.host
        for output in state.plan.outputs:
            if not output.pipelined:
                emitted = state.plan.emitted_by_split(output, state.before[split.number], split.bytes)
                state.held[output.key][task] += emitted
        self._add(self.result.read_bytes, source, host, split.bytes)
        state.result.sent_bytes += split.bytes
        state.result.received_bytes += split.bytes
        assert report.computed is not None  # of a read that did not fail
        block, of = (split.file, split.index, split.bytes), self._of(state, task)
        self._sink(was_read(*block, host, report, self._cluster.started_at, **of))
        read_s = self._time(report.read)
        self._sink(Event(self._time(report.computed), "compute", host=host, start_s=read_s, **of))

    def _fail_soon(self, message: Failed) -> None:
        """Fails the attempt, unless the reason turns out to be an agent's death, which is the better one to give."""
        reason = f"stage {message.stage}, task {message.task}: {message.reason}"
        asyncio.get_running_loop().call_later(_DEATH_IS_KNOWN_AFTER_S, self.fail, reason)

    def _end_task(self, message: Done) -> None:
        state, task = self._stages[message.stage], message.task
        for key, size in message.received.items():
            self._flows[key].received += size
            state.result.received_bytes += size
        for key, lanes in message.sent.items():
            self._note_sent(key, message, lanes)
        of, since_s = self._of(state, task), self._cluster.started_at
        for write, report in self._results.written(state.plan.name, task, message.written):
            for event in written(write, self._hosts[task], report, since_s, **of):
                self._add(self.result.written_bytes, str(event.host), str(event.peer), write.bytes)
                self._sink(event)
        state.running.discard(task)
        self._emit("task_finished", stage=state.plan.name, task=task, host=self._hosts[task])
        self._finish_complete()

    def _note_sent(self, key: str, message: Sent | Done, lanes: LaneReports) -> None:
        """Takes one source task's report on all of its lanes of an exchange."""
        flow, size = self._flows[key], sum(lanes.bytes)
        flow.sources_reported += 1
        flow.sent += size
        self._stages[flow.plan.consumer].result.sent_bytes += size
        transfers = Transfers(
            job=self.job.job_id,
            stage=message.stage,
            task=message.task,
            container=self.job.container_of(message.task),
            host=self._hosts[message.task],
            exchange=key,
            times_s=[*map(self._time, lanes.finished)],
            starts_s=[*map(self._time, lanes.started)],
            peer_tasks=lanes.destinations,
            peers=[self._hosts[task] for task in lanes.destinations],
            bytes=lanes.bytes,
            ports=lanes.ports,
        )
        self.result.transfers.append(transfers)
        self._sink(transfers)
        self._finish_complete()

    def _finish_complete(self) -> None:
        """Finishes every stage whose tasks are done, starts what may follow, and proves what has been reported.

        What follows need not wait until the senders know that everything has arrived: that takes a round trip.
        """
        for state in self._stages.values():
            if state.started and not state.finished and not state.running:
                state.finished = True
                state.result.finished_s = self._cluster.clock()
                self._emit("stage_finished", stage=state.plan.name, bytes=state.result.received_bytes)
                self._start_ready()
                for exchange in state.plan.outputs:
                    if not exchange.pipelined:
                        self._release(exchange)
            flows = [self._flows[exchange.key] for exchange in state.plan.exchanges]
            if state.finished and not state.proven and all(f.sources_reported == self.job.tasks for f in flows):
                prove_conservation(state, flows)
                state.proven = True
        if all(state.proven for state in self._stages.values()) and not self._finished.done():
            self._finished.set_result(None)

    # -- bookkeeping ---------------------------------------------------------------------------------------------

    def _of(self, state: StageProgress, task: int) -> dict[str, Any]:
        """Fields of events that say which task they are of."""
        container = self.job.container_of(task)
        return {"job": self.job.job_id, "stage": state.plan.name, "task": task, "container": container}

    def _time(self, monotonic_s: float) -> float:
        return monotonic_s - self._cluster.started_at

    def _emit(self, kind: EventKind, time_s: float | None = None, task: int | None = None, **fields: Any) -> None:
        when = self._cluster.clock() if time_s is None else time_s
        container = None if task is None else self.job.container_of(task)
        self._sink(Event(when, kind, job=self.job.job_id, task=task, container=container, **fields))

    @staticmethod
    def _add(matrix: dict[tuple[str, str], int], source: str, destination: str, size: int) -> None:
        matrix[source, destination] = matrix.get((source, destination), 0) + size
