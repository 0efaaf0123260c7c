"""The pool of agents, one process a host, as the run process sees it."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import psutil

from workloads.channel import Channel
from workloads.coordination.cluster import AgentError
from workloads.coordination.coordinator import Coordinator
from workloads.coordination.events import Event
from workloads.node_model import NodeModel
from workloads.protocol import Configure, FromAgent, Peers, Ready, ToAgent, UsageRow, UsageSample
from workloads.scale import Scale
from workloads.volumes import window_bytes

Spawn = Callable[[str, Sequence[str], Sequence[int]], "subprocess.Popen[bytes]"]

DEADLINE_S = 120.0
"""TCP doubles its retransmission timer up to this: on a full network, a shorter silence does not mean a dead peer."""

_ROOT = Path(__file__).parents[2]
_ENVIRONMENT = ("LC_ALL=C.UTF-8",)  # and nothing of root's
_END_WITHIN_S = 5.0
_NOTHING_USED = UsageRow(None, None, 0, 0.0, 0.0, 0, 0)


class _Handle:
    """One agent process and its control connection."""

    def __init__(self, host: str, receive: Callable[[str, FromAgent], None], lost: Callable[[str, str], None]) -> None:
        self.host = host
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.channel = Channel[FromAgent](lambda message: receive(host, message), lambda reason: lost(host, reason))
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.heard_at = time.monotonic()


class AgentPool(Coordinator):
    """Agents on all hosts; an asynchronous context manager that starts them and ends them.

    Args:
        hosts: IP address of each host, by name.
        spawn: Starts `argv` on a host with the given descriptors inherited.
        node_models: Resources of each node.
        scale: The divisors.
        seed: Of contents, split order and replica choices.
        racks: Rack of each host, to prefer near replicas; without it none is nearer.
        started_at: Monotonic time that events count from; now by default.
        port: TCP port of the agents; 0 lets the kernel choose.
        deadline_s: Wall seconds after which a silent connection fails, and an agent that has not reported is dead.
        sample_s: Wall seconds between usage samples.
        shared: All lanes between two containers use one connection, or each its own.
        sink: Takes the samples.

    Raises:
        AgentError: an agent does not start within the deadline.
    """

    def __init__(
        self,
        hosts: Mapping[str, str],
        spawn: Spawn,
        node_models: Mapping[str, NodeModel],
        scale: Scale,
        seed: int,
        *,
        racks: Mapping[str, int] | None = None,
        started_at: float | None = None,
        port: int = 0,
        deadline_s: float = DEADLINE_S,
        sample_s: float = 1.0,
        shared: bool = True,
        sink: Callable[[Event], None] | None = None,
    ) -> None:
        since = self._started_at = time.monotonic() if started_at is None else started_at
        super().__init__(tuple(hosts), racks, scale, seed, self._send, lambda: time.monotonic() - since, since)
        self._addresses = dict(hosts)
        self._spawn = spawn
        self._node_models = dict(node_models)
        self._port = port
        self._deadline_s = deadline_s
        self._sample_s = sample_s
        self._shared = shared
        self._sink = sink
        self._handles: dict[str, _Handle] = {}
        self._last_rows: dict[tuple[str, str | None, int | None], UsageRow] = {}
        self._watch: asyncio.Task[None] | None = None

    # -- life ----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> AgentPool:
        try:
            await asyncio.gather(*(self._launch(host, ip) for host, ip in self._addresses.items()))
            self._watch = asyncio.get_running_loop().create_task(self._watch_agents())
            ready = [handle.ready for handle in self._handles.values()]
            done, pending = await asyncio.wait(ready, timeout=self._deadline_s)
            for future in done:
                future.result()
            if pending:
                late = [host for host, handle in self._handles.items() if not handle.ready.done()]
                raise AgentError(f"agents of {', '.join(late)}: not ready after {self._deadline_s:g} s")
        except BaseException:
            await self._end()
            raise
        peers = Peers({host: (ip, self._handles[host].port) for host, ip in self._addresses.items()})
        for handle in self._handles.values():
            handle.channel.send(peers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end()

    @property
    def pids(self) -> Mapping[str, int]:
        """Process of each agent."""
        return {host: handle.process.pid for host, handle in self._handles.items() if handle.process is not None}

    # -- agents --------------------------------------------------------------------------------------------------

    async def _launch(self, host: str, ip: str) -> None:
        ours, theirs = socket.socketpair()
        handle = self._handles[host] = _Handle(host, self._receive, self._lost)
        argv = ["env", "-i", "-C", str(_ROOT), *_ENVIRONMENT, sys.executable, "-m", "workloads.agents.program"]
        argv += ["--host", host, "--ip", ip]
        argv += ["--port", str(self._port), "--control-fd", str(theirs.fileno())]
        try:
            handle.process = self._spawn(host, argv, (theirs.fileno(),))
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        await asyncio.get_running_loop().create_connection(lambda: handle.channel, sock=ours)
        node = self._node_models[host]
        configuration = Configure(
            self._seed,
            node.cores,
            self._scale.wire_rate(node.disk_mb_per_s * 1e6),
            self._deadline_s,
            self._sample_s,
            self._shared,
            window_bytes(self._scale),
        )
        handle.channel.send(configuration)

    async def _end(self) -> None:
        """Closes the control connections, upon which agents end, and kills those that do not."""
        if self._watch is not None:
            self._watch.cancel()
        for handle in self._handles.values():
            handle.channel.close()
        give_up = time.monotonic() + _END_WITHIN_S
        for handle in self._handles.values():
            if handle.process is None:
                continue
            try:
                left = max(0.0, give_up - time.monotonic())
                await asyncio.get_running_loop().run_in_executor(None, handle.process.wait, left)
            except subprocess.TimeoutExpired:
                handle.process.kill()
                handle.process.wait()

    async def _watch_agents(self) -> None:
        """Takes an agent that has been stopped, or has not reported for the deadline, for dead and kills it."""
        while True:
            await asyncio.sleep(self._sample_s)
            for host, handle in self._handles.items():
                if host not in self._dead and handle.process is not None and (reason := self._hangs(handle)):
                    handle.process.kill()
                    self._lost(host, reason)

    def _hangs(self, handle: _Handle) -> str | None:
        """Why nothing more is to be expected of an agent's process."""
        assert handle.process is not None
        if _is_stopped(handle.process.pid):
            return f"process {handle.process.pid} has been stopped by a signal"
        silent = time.monotonic() - handle.heard_at > self._deadline_s
        return f"no report for {self._deadline_s:g} s" if silent else None

    def _send(self, host: str, message: ToAgent) -> None:
        self._handles[host].channel.send(message)

    def _lost(self, host: str, reason: str) -> None:
        if host in self._dead:
            return
        handle = self._handles[host]
        if not handle.ready.done():
            handle.ready.set_exception(AgentError(f"agent of {host}: {reason} before it was ready"))
        self.lose(host, reason)

    def _receive(self, host: str, message: FromAgent) -> None:
        self._handles[host].heard_at = time.monotonic()
        match message:
            case UsageSample():
                self._sample(host, message)
            case Ready():
                self._handles[host].port = message.port
                self._handles[host].ready.set_result(None)
            case _:
                self.receive(host, message)

    def _sample(self, host: str, message: UsageSample) -> None:
        if self._sink is None:
            return
        for row in message.rows:
            of_node = row.job is None
            before = self._last_rows.get((host, row.job, row.container), _NOTHING_USED)
            self._last_rows[host, row.job, row.container] = row
            self._sink(
                Event(
                    message.time - self._started_at,
                    "sample",
                    job=None if row.job is None else row.job.rpartition("#")[0],
                    container=row.container,
                    host=host,
                    memory_bytes=row.memory_bytes,
                    cpu_s=row.cpu_s - before.cpu_s,
                    disk_bytes=int(row.disk_bytes - before.disk_bytes),
                    sent_bytes=row.sent_bytes - before.sent_bytes,
                    received_bytes=row.received_bytes - before.received_bytes,
                    late_s=message.late_s if of_node else None,
                    agent_memory_bytes=message.agent_memory_bytes if of_node else None,
                )
            )


def _is_stopped(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return False
