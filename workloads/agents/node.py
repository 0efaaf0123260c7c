"""What an agent does on its host: it serves and reads blocks, runs tasks, models the node's CPU and disk.

One thread, one event loop. The coordinator says what to do over the control connection; when that ends, so does the
agent.
"""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from workloads.agents.blocks import BlockStore, Peer
from workloads.agents.connection import Connection, TransferError, listen
from workloads.agents.content import Content
from workloads.agents.dialing import Dialer
from workloads.agents.exchange import Connections, Lane, Outlet, SharedConnections, part_bytes, reports
from workloads.agents.inbox import Inboxes, InboxKey, receive_lane
from workloads.agents.shared import receive_shared
from workloads.agents.tasks import StageTask
from workloads.agents.usage import Usage
from workloads.agents.wire import receive_header
from workloads.channel import Channel
from workloads.node_model import SharedResource
from workloads.protocol import (
    Alter,
    Begin,
    Configure,
    Drop,
    End,
    Failed,
    Fetch,
    FromAgent,
    GiveSplit,
    Hash,
    Load,
    Peers,
    ReadReport,
    Ready,
    Sent,
    StartTask,
    Store,
    Stored,
    TaskOutput,
    ToAgent,
    Transfer,
    UsageSample,
)


class Agent:
    """State and behaviour of one host.

    Args:
        host: Name of the host.
        ip: Address that it serves on and connects from.
        configuration: The coordinator's first message.
        channel: The connection to the coordinator.
    """

    def __init__(self, host: str, ip: str, configuration: Configure, channel: Channel[ToAgent]) -> None:
        self.host = host
        self._channel = channel
        self._deadline_s = configuration.deadline_s
        self._sample_s = configuration.sample_s
        self.window_bytes = configuration.window_bytes
        self._content = Content(configuration.seed)
        self.cpu = SharedResource(configuration.cores, limit=1.0)
        self.disk = SharedResource(configuration.disk_bytes_per_s)
        self.inboxes = Inboxes(self._deadline_s)
        dialer = Dialer(ip, self._deadline_s, configuration.seed)
        self._connections = Connections(dialer)
        self._shared = SharedConnections(dialer) if configuration.shared else None
        self._slots: dict[str, int] = {}
        self._peers: dict[str, Peer] = {}
        self._node = Usage()
        self.blocks = BlockStore(self._content, self.disk, self._peers, dialer, self._node)
        self._tasks: dict[tuple[str, str, int], StageTask] = {}
        self._running: dict[str, set[asyncio.Task[None]]] = {}
        self._usage: dict[tuple[str, int], Usage] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    # -- control -------------------------------------------------------------------------------------------------

    def report(self, message: FromAgent) -> None:
        """Tells the coordinator."""
        self._channel.send(message)

    def handle(self, message: ToAgent) -> None:
        """Does what the coordinator says."""
        match message:
            case Peers():
                self._peers.update({host: Peer(*address) for host, address in message.peers.items()})
            case Store():
                for block in message.blocks:
                    self.blocks.put(block.file, block.block, block.bytes)
                self.report(Stored(message.number))
            case Load():
                self._start(self._answer_with(message.number, self._load(message)))
            case Fetch():
                self._start(self._answer_with(message.number, self._fetch(message)))
            case Drop():
                for file, index in message.blocks:
                    self.blocks.drop(file, index)
                self.report(Stored(message.number))
            case Alter():
                for file, index in message.blocks:
                    self.blocks.alter(file, index)
                self.report(Stored(message.number))
            case Hash():
                self._start(self._answer_with(message.number, self._hash(message)))
            case Begin():
                self._slots[message.job] = message.slots
                for container in message.containers:
                    self._usage[message.job, container] = Usage(memory_bytes=message.memory_bytes)
            case StartTask():
                task = StageTask(self, message, self._usage[message.job, message.container])
                self._tasks[message.job, message.stage, message.task] = task
                self._start_for(message.job, self._run_task(task))
            case GiveSplit():
                if (waiting := self._tasks.get((message.job, message.stage, message.task))) is not None:
                    waiting.give_split(message)
            case Transfer():
                self._start_for(message.job, self._transfer(message))
            case End():
                self._end(message.job)

    def _end(self, job: str) -> None:
        """A job has ended, well or not: nothing of it goes on."""
        self._report_usage()
        for running in self._running.pop(job, set()):
            running.cancel()
        self._connections.close(job)
        if self._shared is not None:
            self._shared.close(job)
        self._slots.pop(job, None)
        self._usage = {key: usage for key, usage in self._usage.items() if key[0] != job}

    # -- work ----------------------------------------------------------------------------------------------------

    def open_outlet(self, job: str, task: int, output: TaskOutput, usage: Usage) -> Outlet:
        """Starts the lanes of an output: one to each consuming task, over the network where that is elsewhere."""
        moved = asyncio.Event()
        consumers, hosts = output.lanes.consumers, dict(zip(output.lanes.consumers, output.lanes.hosts, strict=True))
        lanes = [
            Lane(self._content, (job, output.exchange, consumer), task, part_bytes(expected, self.window_bytes), moved)
            for consumer, expected in zip(consumers, output.lanes.bytes, strict=True)
        ]

        def start(lane: Lane) -> asyncio.Task[None]:
            host = hosts[lane.parcel.destination]
            if host == self.host:
                return self._loop.create_task(lane.run_local(self.inboxes))
            peer = self._peers[host]
            address, usages = (peer.ip, peer.port), (usage, self._node)
            if self._shared is None:
                return self._loop.create_task(lane.run_remote(self._connections, address, usages))
            containers = task // self._slots[job], lane.parcel.destination // self._slots[job]
            return self._loop.create_task(lane.run_shared(self._shared, containers, address, usages))

        return Outlet(lanes, output.kind, output.lanes.weights, moved, start, self.window_bytes)

    async def _run_task(self, task: StageTask) -> None:
        key = (task.order.job, task.order.stage, task.order.task)
        try:
            await task.run()
        except TransferError as error:
            self.report(Failed(*key, str(error)))
        finally:
            self._tasks.pop(key, None)

    async def _transfer(self, order: Transfer) -> None:
        """Sends all of a barrier exchange."""
        usage = self._usage[order.job, order.container]
        outlet = self.open_outlet(order.job, order.task, order.output, usage)
        try:
            await outlet.emit(order.output.bytes)
            parcels = await outlet.finish()
        except TransferError as error:
            self.report(Failed(order.job, order.stage, order.task, str(error)))
            return
        finally:
            outlet.cancel()
        self.report(Sent(order.job, order.stage, order.task, order.output.exchange, reports(parcels)))

    async def _answer_with(self, number: int, work: Coroutine[Any, Any, Stored]) -> None:
        """Reports what was asked for blocks, or why it failed."""
        try:
            self.report(await work)
        except TransferError as error:
            self.report(Stored(number, str(error)))

    async def _load(self, order: Load) -> Stored:
        """Writes blocks through their pipelines, starting here."""
        return Stored(order.number, written=tuple([await self.blocks.write(block) for block in order.blocks]))

    async def _fetch(self, order: Fetch) -> Stored:
        """Reads blocks from here or from others."""
        clock, read = self._loop.time, []
        for file, index, size, host in order.blocks:
            started, ports = clock(), None
            if host == self.host:
                digest = self.blocks.digest(file, index, size)
                await self.blocks.read_local(file, index, size)
            else:
                ports, digest = await self.blocks.read_remote(file, index, size, host)
            read.append(ReadReport(host, started, clock(), ports=ports, digest=digest))
        return Stored(order.number, read=tuple(read))

    async def _hash(self, order: Hash) -> Stored:
        """Hashes blocks that are here."""
        clock, read = self._loop.time, []
        for block in order.blocks:
            started, digest = clock(), await self.blocks.hash_local(block)
            read.append(ReadReport(self.host, started, clock(), digest=digest))
        return Stored(order.number, read=tuple(read))

    # -- serving -------------------------------------------------------------------------------------------------

    def accept(self, listener: socket.socket) -> None:
        """Takes all connections that wait."""
        while True:
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                return
            self._start(self._serve(Connection(sock, self._deadline_s, address[0])))

    async def _serve(self, connection: Connection) -> None:
        """What others want, one thing after the other; a failure is reported by the side that wanted it."""
        try:
            while await connection.more():
                await self._answer(connection, await receive_header(connection))
        except TransferError as error:
            print(f"{self.host}: {error}", file=sys.stderr)
        finally:
            connection.close()

    async def _answer(self, connection: Connection, header: dict[str, Any]) -> None:
        if header["op"] == "lane":
            key: InboxKey = (header["job"], header["exchange"], header["to"])
            await receive_lane(connection, await self.inboxes.find(key), header["from"], self._node)
        elif header["op"] == "lanes":
            await receive_shared(connection, self.inboxes, self._node)
        elif header["op"] == "read":
            await self.blocks.serve_read(connection, header["file"], header["index"])
        elif header["op"] == "write":
            block = header["file"], header["index"], header["size"]
            await self.blocks.serve_write(connection, *block, header["targets"])
        else:
            raise TransferError(f"operation {header['op']!r}: unknown")

    # -- life ----------------------------------------------------------------------------------------------------

    def begin_sampling(self) -> None:
        """Starts the usage reports."""
        self._start(self._sample())

    async def _sample(self) -> None:
        """Reports what node and containers have used, again and again."""
        while True:
            await asyncio.sleep(self._sample_s)
            self._report_usage()

    def _report_usage(self) -> None:
        node, used = self._node, self._usage.items()
        node.cpu_s, node.disk_bytes = self.cpu.served(), self.disk.served()
        node.memory_bytes = sum(usage.memory_bytes for _, usage in used)
        rows = [node.row(None, None), *(usage.row(job, container) for (job, container), usage in used)]
        late_s = max(self.cpu.take_lateness(), self.disk.take_lateness())
        self.report(UsageSample(self._loop.time(), tuple(rows), late_s, resident_bytes()))

    def _start_for(self, job: str, work: Coroutine[Any, Any, None]) -> None:
        running = self._running.setdefault(job, set())
        task = self._start(work)
        running.add(task)
        task.add_done_callback(running.discard)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """An error that nobody expected ends the process, which the coordinator notices at once."""
        self._background.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._loop.call_exception_handler({"message": "unexpected error", "exception": task.exception()})
            os.kill(os.getpid(), signal.SIGTERM)


def resident_bytes() -> int:
    """Memory of this process that is in RAM."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


async def serve(host: str, ip: str, port: int, control: socket.socket) -> None:
    """Runs an agent until the control connection ends."""
    loop = asyncio.get_running_loop()
    listener = listen(ip, port)
    agent: Agent | None = None
    over: asyncio.Future[str] = loop.create_future()

    def receive(message: ToAgent) -> None:
        nonlocal agent
        if isinstance(message, Configure):
            agent = Agent(host, ip, message, channel)
            loop.add_reader(listener.fileno(), agent.accept, listener)
            agent.begin_sampling()
        elif agent is not None:
            agent.handle(message)

    def lost(reason: str) -> None:
        over.set_result(reason)

    channel = Channel[ToAgent](receive, lost)
    await loop.create_connection(lambda: channel, sock=control)
    channel.send(Ready(listener.getsockname()[1]))
    await over
