"""Jobs on agents that run on loopback addresses, when something fails."""

import asyncio
import os
import signal
import socket
import struct
import subprocess
from collections import Counter
from typing import Any

import pytest

from tests.unit.workloads import loopback
from tests.unit.workloads.loopback import (
    FAST,
    THREE,
    assert_conserved,
    blocks_of,
    moved,
    moved_by,
    pool,
    run,
    shuffle_job,
    until,
)
from workloads.agents.content import Content, block_name
from workloads.coordination.cluster import AgentError
from workloads.coordination.pool import AgentPool
from workloads.job import Job, Read, Stage
from workloads.node_model import NodeModel
from workloads.protocol import Peers
from workloads.scale import Scale


def test_an_agent_that_is_killed_fails_its_jobs_and_the_next_attempt_avoids_it():
    block_map, sizes = blocks_of("j/in", [1_000_000] * 30, [("h1", "h2"), ("h2", "h3"), ("h3", "h1")])
    job = shuffle_job(30_000_000, 3_000_000, cpu_s=20.0)
    events: list[Any] = []

    async def main():
        async with pool() as agents:
            await agents.store(block_map, sizes)
            running = asyncio.ensure_future(run(agents, job, block_map, events))
            await until(lambda: any(event.kind == "read" for event in events))
            os.kill(agents.pids["h2"], signal.SIGKILL)
            first = await running
            again = shuffle_job(30_000_000, 3_000_000)
            second = await run(agents, again, block_map, events, placement=("h1", "h1", "h3", "h3"))
            return first, second

    first, second = asyncio.run(main())
    assert sum(moved_by(first).values()) > 0
    assert moved(events) == moved_by(first, second)
    assert "h2" in first.failed
    assert first.dead_hosts == ("h2",)
    assert "no report" not in first.failed  # that would be noticed only after a deadline
    ends = [(event.kind, event.detail) for event in events if event.kind in ("job_failed", "job_finished")]
    assert ends == [("job_failed", first.failed), ("job_finished", None)]
    assert_conserved(second)
    assert second.attempt == 2
    assert all("h2" not in pair for pair in second.read_bytes)


def test_the_death_of_the_application_master_alone_fails_the_attempt():
    block_map, sizes = blocks_of("j/in", [1000] * 3, [("h1",)])

    async def main():
        async with pool(4) as agents:
            await agents.store(block_map, sizes)
            job = shuffle_job(3000, 1000, cpu_s=60.0)
            running = asyncio.ensure_future(run(agents, job, block_map, placement=("h4", "h1", "h2", "h3")))
            await asyncio.sleep(0)
            os.kill(agents.pids["h4"], signal.SIGKILL)
            return await running

    result = asyncio.run(main())
    assert "h4" in result.failed
    assert result.dead_hosts == ("h4",)


def test_a_read_from_a_dead_node_goes_to_another_replica():
    block_map, sizes = blocks_of("j/in", [50_000] * 60, [("h3", "h4")])
    job = Job("j", "test", (Stage("scan", (Read("j/in", sum(sizes.values()), 1.2),)),), containers=3)
    events: list[Any] = []

    async def main():
        async with pool(4) as agents:
            await agents.store(block_map, sizes)
            running = asyncio.ensure_future(run(agents, job, block_map, events, placement=("h1", "h1", "h2")))
            await until(lambda: sum(event.kind == "read" for event in events) > 5)
            os.kill(agents.pids["h3"], signal.SIGKILL)
            return await running

    result = asyncio.run(main())
    assert_conserved(result)
    sources = [event.peer for event in events if event.kind == "read"]
    assert set(sources[-20:]) == {"h4"}
    assert Counter(event.detail for event in events if event.kind == "read").most_common(1)[0][1] == 1


def test_storing_fails_on_the_host_that_dies_and_on_no_other():
    block_map, sizes = blocks_of("f", [50_000_000] * 40, [("h1", "h2"), ("h3", "h2")])
    slow = NodeModel(disk_mb_per_s=1000)

    async def main():
        async with pool(4, slow, sample_s=60.0) as agents:
            os.kill(agents.pids["h2"], signal.SIGSTOP)  # so that loading cannot end; not noticed before the next sample
            loading = asyncio.ensure_future(agents.store(block_map, sizes, over_network=True))
            os.kill(agents.pids["h4"], signal.SIGKILL)
            await until(lambda: agents.dead_hosts == {"h4"})
            await asyncio.sleep(0.05)
            assert not loading.done()
            os.kill(agents.pids["h2"], signal.SIGKILL)
            with pytest.raises(AgentError, match="storing blocks from h"):
                await loading

    asyncio.run(main())


def test_a_block_that_is_unknown_or_has_no_replica_left_fails_the_job():
    block_map, sizes = blocks_of("j/in", [50_000] * 4, [("h3",)])
    job = Job("j", "test", (Stage("scan", (Read("j/in", 200_000),)),), containers=2)

    async def main():
        async with pool() as agents:
            await agents.store(block_map, sizes)
            elsewhere = dict.fromkeys(block_map, ("h2",))
            unknown = await run(agents, job, elsewhere, placement=("h1", "h1"))
            os.kill(agents.pids["h3"], signal.SIGKILL)
            await until(lambda: agents.dead_hosts == {"h3"})
            lost = await run(agents, job, block_map, placement=("h1", "h1"))
            return unknown, lost

    unknown, lost = asyncio.run(main())
    assert "unknown there" in unknown.failed
    assert "no replica left" in lost.failed


def test_an_agent_that_is_stopped_is_noticed_within_2_s_and_named():
    block_map, sizes = blocks_of("j/in", [1000] * 10, [THREE])
    job = shuffle_job(10_000, 1000, cpu_s=60.0)

    async def main():
        async with pool() as agents:
            await agents.store(block_map, sizes)
            pid = agents.pids["h3"]
            running = asyncio.ensure_future(run(agents, job, block_map))
            await asyncio.sleep(0)
            os.kill(pid, signal.SIGSTOP)
            result = await asyncio.wait_for(running, 2.0)
            with pytest.raises(AgentError, match="'h3': no live agent"):
                await agents.store(*blocks_of("f", [1], [("h3",)]))
            return result, pid

    result, pid = asyncio.run(main())
    assert result.failed == f"agent of h3 died: process {pid} has been stopped by a signal"
    assert result.dead_hosts == ("h3",)


def test_an_agent_that_is_stopped_while_it_stores_or_starts_is_named(monkeypatch):
    async def store():
        async with pool(sample_s=0.1) as agents:
            os.kill(agents.pids["h1"], signal.SIGSTOP)
            await agents.store(*blocks_of("f", [1000], [("h1",)]))

    with pytest.raises(AgentError, match=r"^agent of h1: process \d+ has been stopped by a signal while blocks were"):
        asyncio.run(store())

    def spawn_stopped(_host, argv, fds):
        stopped = ["sh", "-c", 'kill -STOP $$; exec "$@"', "sh", *argv]
        return subprocess.Popen(stopped, pass_fds=fds, stderr=subprocess.DEVNULL)

    async def start():
        monkeypatch.setattr(loopback, "spawn", spawn_stopped)
        async with pool(1, sample_s=0.1):
            pass

    with pytest.raises(AgentError, match=r"^agent of h1: process \d+ has been stopped by a signal before it was ready"):
        asyncio.run(start())


def test_an_agent_that_stops_reporting_is_taken_for_dead(monkeypatch):
    monkeypatch.setattr("workloads.coordination.pool._is_stopped", lambda _: False)
    block_map, sizes = blocks_of("j/in", [1000] * 10, [THREE])
    job = shuffle_job(10_000, 1000, cpu_s=60.0)

    async def main():
        async with pool(deadline_s=2.0, sample_s=0.1) as agents:
            await agents.store(block_map, sizes)
            running = asyncio.ensure_future(run(agents, job, block_map))
            await asyncio.sleep(0)
            os.kill(agents.pids["h3"], signal.SIGSTOP)
            return await running

    result = asyncio.run(main())
    assert "h3" in result.failed
    assert "no report for 2 s" in result.failed


def test_a_job_that_does_not_end_in_time_fails_and_leaves_nothing_behind():
    block_map, sizes = blocks_of("j/in", [500_000] * 6, [("h1",), ("h2",)])
    slow, quick = (shuffle_job(3_000_000, 30_000_000, cpu_s=cpu_s) for cpu_s in (1000.0, 0.0))

    async def main():
        async with pool() as agents:
            await agents.store(block_map, sizes)
            before = {host: loopback.descriptors(pid) for host, pid in agents.pids.items()}
            late = await run(agents, slow, block_map, deadline_s=0.5)
            await until(lambda: {h: loopback.descriptors(pid) for h, pid in agents.pids.items()} == before)
            return late, await run(agents, quick, block_map)

    late, after = asyncio.run(main())
    assert "not finished after 0.5 s; unfinished stages: scan" in late.failed
    assert_conserved(after)


def test_a_corrupted_block_is_not_accepted():
    """A block server of our own sends wrong bytes with a right checksum of them."""

    async def main():
        listener = socket.create_server(("127.0.0.9", 0))
        port = listener.getsockname()[1]
        name = block_name("j/in", 0)
        right = b"".join(Content(7).views(Content(7).start_of(name), 5000))

        async def serve(reader, writer):
            data = bytearray(right)
            data[4321] ^= 1
            await reader.readexactly(struct.unpack("!H", await reader.readexactly(2))[0])
            digest = Content(7).expected(name, 5000)
            writer.write(struct.pack("!q?", 5000, False) + data + struct.pack("!Q", digest))
            await writer.drain()

        server = await asyncio.start_server(serve, sock=listener)
        block_map, sizes = blocks_of("j/in", [5000], [("h2",)])
        job = Job("j", "test", (Stage("scan", (Read("j/in", 5000),)),), containers=2)
        async with pool(2) as agents:
            await agents.store(block_map, sizes)
            agents._send("h1", Peers({"h2": ("127.0.0.9", port)}))
            result = await run(agents, job, block_map, placement=("h1", "h1"))
        server.close()
        return result

    assert "checksum differs" in asyncio.run(main()).failed


def test_an_agent_that_cannot_start_is_named():
    def spawn(_host, _argv, fds):
        return subprocess.Popen(["false"], pass_fds=fds)

    async def main():
        async with AgentPool({"h1": "127.0.0.2"}, spawn, {"h1": FAST}, Scale(), 1):
            pass

    with pytest.raises(AgentError, match="agent of h1"):
        asyncio.run(main())


def test_placements_that_do_not_fit_are_refused():
    block_map, sizes = blocks_of("j/in", [1000], [("h1",)])
    job = shuffle_job(1000, 10)

    async def main():
        async with pool() as agents:
            await agents.store(block_map, sizes)
            with pytest.raises(AgentError, match="placement of 2"):
                await run(agents, job, block_map, placement=("h1", "h2"))
            with pytest.raises(AgentError, match="'h9'"):
                await run(agents, job, block_map, placement=("h1", "h1", "h1", "h9"))
            with pytest.raises(AgentError, match="'h9'"):
                await agents.store(dict.fromkeys(block_map, ("h9",)), sizes)

    asyncio.run(main())
