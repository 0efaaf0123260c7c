"""The agents' side of a stage: one task, from its inputs to its outputs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from workloads.agents.blocks import BlockStore
from workloads.agents.connection import TransferError
from workloads.agents.exchange import Outlet, part_bytes, reports
from workloads.agents.inbox import Inbox, Inboxes
from workloads.agents.usage import Usage
from workloads.node_model import SharedResource
from workloads.protocol import (
    Done,
    FromAgent,
    GiveSplit,
    NextSplit,
    ReadReport,
    SplitOrder,
    StartTask,
    TaskOutput,
    WriteReport,
)

_SLICE_S = 0.25


class Surroundings(Protocol):
    """What a task needs of its agent."""

    blocks: BlockStore
    cpu: SharedResource
    inboxes: Inboxes
    host: str
    window_bytes: int

    def report(self, message: FromAgent) -> None:
        """Tells the coordinator."""

    def open_outlet(self, job: str, task: int, output: TaskOutput, usage: Usage) -> Outlet:
        """Starts the lanes of an output."""


@dataclass
class _Input:
    exchange: str
    expected: int
    cpu_left_s: float
    inbox: Inbox

    def take(self) -> tuple[int, float]:
        """All that has arrived and is not processed, and the CPU seconds to process it."""
        backlog = self.inbox.backlog
        remaining = max(backlog, self.expected - self.inbox.consumed)
        seconds = self.cpu_left_s * backlog / remaining if remaining else 0.0
        self.cpu_left_s -= seconds
        return backlog, seconds


@dataclass
class _Output:
    exchange: str
    total: int
    outlet: Outlet
    emitted: int = 0


@dataclass
class StageTask:
    """One task of one stage."""

    agent: Surroundings
    order: StartTask
    usage: Usage
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _split: asyncio.Future[SplitOrder | None] | None = None
    _outputs: list[_Output] = field(default_factory=list)

    async def run(self) -> None:
        """Does everything and reports so; the first failure ends it.

        Raises:
            TransferError: an input, output or write failed.
        """
        inputs = [
            _Input(
                item.exchange,
                item.bytes,
                item.cpu_s,
                Inbox(item.sources, self._changed, self.usage, self.agent.window_bytes),
            )
            for item in self.order.inputs
        ]
        for item in inputs:
            self.agent.inboxes.open(self._key(item.exchange), item.inbox)
        try:
            for output in self.order.outputs:
                outlet = self.agent.open_outlet(self.order.job, self.order.task, output, self.usage)
                self._outputs.append(_Output(output.exchange, output.bytes, outlet))
            await self._consume(inputs)
            if self.order.reads:
                await self._read_splits()
            parcels = {output.exchange: await output.outlet.finish() for output in self._outputs}
            written = await self._write()
        finally:
            for opened in self._outputs:
                opened.outlet.cancel()
            for item in inputs:
                self.agent.inboxes.close(self._key(item.exchange))
        received = {item.exchange: item.inbox.received for item in inputs}
        sent = {exchange: reports(lanes) for exchange, lanes in parcels.items()}
        self.agent.report(Done(self.order.job, self.order.stage, self.order.task, sent, received, written))

    def give_split(self, message: GiveSplit) -> None:
        """The coordinator's answer to a request for the next split."""
        if self._split is not None and not self._split.done():
            self._split.set_result(message.split)

    def _key(self, exchange: str) -> tuple[str, str, int]:
        return self.order.job, exchange, self.order.task

    async def _compute(self, seconds: float, since: float | None = None) -> float | None:
        """Uses the CPU, in slices so that the usage samples follow; returns when the last slice was due."""
        while seconds > 0:
            piece = min(seconds, _SLICE_S)
            since = await self.agent.cpu.use(piece, since)
            self.usage.cpu_s += piece
            seconds -= piece
        return since

    async def _consume(self, inputs: list[_Input]) -> None:
        """Takes what has arrived, computes for it, and passes on the share of the output that it yields."""
        due: float | None = None
        expected = sum(item.expected for item in inputs)
        least = part_bytes(expected, self.agent.window_bytes)
        while not all(item.inbox.complete and not item.inbox.backlog for item in inputs):
            for item in inputs:
                if item.inbox.failure:
                    raise TransferError(f"exchange {item.exchange}: {item.inbox.failure}")
            complete = all(item.inbox.complete for item in inputs)
            if not complete and sum(item.inbox.backlog for item in inputs) < least:
                due = None
                self._changed.clear()
                await self._changed.wait()
                continue
            taken = [item.take() for item in inputs]
            due = await self._compute(sum(seconds for _, seconds in taken), due)
            for item, (size, _) in zip(inputs, taken, strict=True):
                item.inbox.consume(size)
            if not self.order.reads:
                waited = await self._emit_share(sum(item.inbox.consumed for item in inputs) / max(1, expected))
                due = None if waited else due
        await self._compute(sum(item.cpu_left_s for item in inputs), due)
        if not self.order.reads:
            await self._emit_share(1.0)

    async def _emit_share(self, share: float) -> bool:
        """Emits up to a share of every output; returns whether it had to wait for a lane."""
        waited = False
        for output in self._outputs:
            target = round(output.total * min(1.0, share))
            if target > output.emitted:
                size, output.emitted = target - output.emitted, target
                waited = await output.outlet.emit(size) or waited
        return waited

    async def _read_splits(self) -> None:
        """Asks for one split after the other, reads it and computes for it, until there is none left."""
        report: ReadReport | None = None
        due: float | None = None  # the end of the split before; the answer of the coordinator takes no modelled time
        while True:
            self._split = asyncio.get_running_loop().create_future()
            self.agent.report(NextSplit(self.order.job, self.order.stage, self.order.task, report))
            split = await self._split
            if split is None:
                return
            report, due = await self._process(split, due)

    async def _process(self, split: SplitOrder, since: float | None) -> tuple[ReadReport, float | None]:
        """Reads a split and computes for it; returns when the last of that was due, None when it waited for a lane."""
        clock = asyncio.get_running_loop().time
        started, ports, due = clock(), None, None
        try:
            if split.host == self.agent.host:
                due = await self.agent.blocks.read_local(split.file, split.block, split.bytes, since)
                self.usage.disk_bytes += split.bytes
            else:
                ports, _ = await self.agent.blocks.read_remote(split.file, split.block, split.bytes, split.host)
                self.usage.received_bytes += split.bytes
        except TransferError as error:
            return ReadReport(split.host, started, clock(), failed=str(error)), None
        read = clock()
        due = await self._compute(split.cpu_s, due)
        computed = clock()
        for output, emitted in zip(self._outputs, split.emit, strict=True):
            due = None if await output.outlet.emit(emitted) else due
        return ReadReport(split.host, started, read, computed, ports), due

    async def _write(self) -> tuple[WriteReport, ...]:
        """Writes the result; a report for each block."""
        written: list[WriteReport] = []
        for block in self.order.writes:
            written.append(await self.agent.blocks.write(block))
            self.usage.disk_bytes += block.bytes if block.here else 0
            self.usage.sent_bytes += block.bytes if block.targets else 0
        return tuple(written)
