"""Agents on an emulated network: real links next to modelled disks and cores, and what the interfaces counted."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.unit.workloads.loopback import blocks_of, shuffle_job
from topologies.emulation import emulated
from topologies.fat_tree import single_switch
from workloads.agents import AgentPool
from workloads.job import Exchange, Job, Read, Stage
from workloads.node_model import NodeModel
from workloads.scale import Scale

MB = 10**6
FREE = NodeModel(cores=64, disk_mb_per_s=100_000)
SEGMENT = 1514 / 1448  # bytes on the link for a byte of payload
TOLERANCE = 0.03


@contextlib.contextmanager
def network(hosts, host_mbps=100.0):
    """Hosts on one switch that forwards like any switch."""
    with emulated(single_switch(hosts, host_mbps=host_mbps)) as running:
        subprocess.check_call(["ovs-ofctl", "-OOpenFlow13", "add-flow", "t1", "actions=NORMAL"])
        yield running


def pool(running, node=FREE, scale=None, **options):
    def spawn(host, argv, descriptors):
        return running.popen(host, argv, pass_fds=descriptors)

    addresses = {host.name: host.ip for host in running.topology.hosts}
    return AgentPool(addresses, spawn, node, scale or Scale(), 5, **options)


def reading(size, count, cpu_s=0.0, job_id="j", containers=2, slots=1):
    return Job(
        job_id,
        "test",
        (Stage("scan", (Read(f"{job_id}/in", size * count, cpu_s),)),),
        containers=containers,
        slots_per_container=slots,
    )


def run(running, jobs, node=FREE, scale=None):
    """Runs (job, placement, replicas, block size, blocks) at once; returns the results."""

    async def main():
        async with pool(running, node, scale) as agents:
            works = []
            for job, placement, replicas, size, count in jobs:
                block_map, sizes = blocks_of(f"{job.job_id}/in", [size] * count, replicas)
                await agents.store(block_map, sizes)
                works.append(agents.run_job(job, placement, block_map, lambda _: None, deadline_s=60))
            return await asyncio.gather(*works)

    results = asyncio.run(main())
    assert [result.failed for result in results] == [None] * len(results)
    return results


def seconds(result, scale):
    return scale.modelled_s(result.finished_s - result.started_s)


def test_disks_and_cores_take_the_modelled_time():
    scale, size = Scale(rate_divisor=8, volume_divisor=64), 128 * MB
    node = NodeModel(cores=8, disk_mb_per_s=150)
    with network(3) as running:
        (alone,) = run(running, [(reading(size, 12), ("h3", "h1"), [("h1",)], size, 12)], node, scale)
        assert seconds(alone, scale) == pytest.approx(12 * 128 / 150, rel=TOLERANCE)

        shared = [(reading(size, 6, job_id=name), ("h3", "h1"), [("h1",)], size, 6) for name in ("a", "b")]
        for result in run(running, shared, node, scale):
            assert seconds(result, scale) == pytest.approx(2 * 6 * 128 / 150, rel=TOLERANCE)

        # 16 tasks share 8 cores for 32 s of work each.
        busy = reading(1 * MB, 16, cpu_s=16 * 32.0, containers=3, slots=8)
        (computed,) = run(running, [(busy, ("h3", "h1", "h1"), [("h1",)], 1 * MB, 16)], node, scale)
        assert seconds(computed, scale) == pytest.approx(32 * 16 / 8, rel=TOLERANCE)


def test_a_remote_read_is_held_back_by_the_disk_or_the_link_whichever_is_slower():
    size = 6 * MB
    with network(3) as running:
        (by_disk,) = run(running, [(reading(size, 1), ("h3", "h1"), [("h2",)], size, 1)], NodeModel(disk_mb_per_s=2.0))
        assert seconds(by_disk, Scale()) == pytest.approx(6 / 2.0, rel=TOLERANCE)

        (by_link,) = run(running, [(reading(size, 6), ("h3", "h1"), [("h2",)], size, 6)])
        assert seconds(by_link, Scale()) == pytest.approx(36 * 8 * SEGMENT / 100, rel=TOLERANCE)

        # So they do for blocks that a large volume divisor made small; one after the other they would take twice this.
        small, count = 262_144, 24
        (overlapped,) = run(
            running,
            [(reading(small, count), ("h3", "h1"), [("h2",)], small, count)],
            NodeModel(disk_mb_per_s=12.0),
        )
        assert 1 < seconds(overlapped, Scale()) / (small * count / 12e6) < 1.7

        # A local and a remote reader of one disk get half of it each.
        local = (reading(size, 1, job_id="local"), ("h3", "h2"), [("h2",)], size, 1)
        other = (reading(size, 1, job_id="remote"), ("h3", "h1"), [("h2",)], size, 1)
        for result in run(running, [local, other], NodeModel(disk_mb_per_s=5.0)):
            assert seconds(result, Scale()) == pytest.approx(12 / 5.0, rel=TOLERANCE)


def test_interfaces_carried_what_the_job_says_and_nothing_for_pairs_on_one_host():
    stages = (
        Stage("scan", (Read("j/in", 12 * MB),)),
        Stage("join", (Exchange("scan", 9 * MB),)),
        Stage("spread", (Exchange("join", 1 * MB, kind="broadcast", pipelined=False),)),
    )
    job = Job("j", "test", stages, containers=5, slots_per_container=2)
    placement = ("h3", "h1", "h1", "h2", "h3")
    with network(3) as running:
        before = {host.name: _counters(running, host.name) for host in running.topology.hosts}
        (result,) = run(running, [(job, placement, [("h1",), ("h2",), ("h3", "h1")], 1 * MB, 12)])
        carried = {
            host: [now - then for now, then in zip(_counters(running, host), before[host], strict=True)]
            for host in before
        }
    for host, (sent, received) in carried.items():
        for counted, position in ((sent, 0), (received, 1)):
            payload = sum(size for pair, size in result.network_bytes.items() if pair[position] == host)
            other_way = sum(size for pair, size in result.network_bytes.items() if pair[1 - position] == host)
            # Headers, retransmissions, acknowledgements of the other direction, connections.
            assert payload < counted < payload * 1.25 + other_way * 0.06 + 300_000

    with network(2) as running:
        before = _counters(running, "h1")
        (result,) = run(running, [(shuffle_job(6 * MB, 9 * MB), ("h1",) * 4, [("h1",)], 1 * MB, 6)])
        assert result.exchanged_bytes == {("h1", "h1"): 9 * MB}
        assert sum(_counters(running, "h1")) - sum(before) < 10_000


def test_a_cut_link_fails_the_job_with_a_reason_and_soon():
    size = 20 * MB

    async def main(running):
        events: list[Any] = []
        async with pool(running, deadline_s=1.5) as agents:
            block_map, sizes = blocks_of("j/in", [size], [("h2",)])
            await agents.store(block_map, sizes)
            job = reading(size, 1)
            work = asyncio.ensure_future(agents.run_job(job, ("h1", "h1"), block_map, events.append, deadline_s=30))
            while not any(event.kind == "task_started" for event in events):
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.5)
            subprocess.check_call(["ip", "link", "set", "t1-eth2", "down"])
            began = time.monotonic()
            return await work, time.monotonic() - began

    with network(2, host_mbps=20.0) as running:
        result, took_s = asyncio.run(main(running))
    assert "silent for 1.5 s" in result.failed
    assert took_s < 5


def test_agents_live_unprivileged_on_their_host_and_end_with_the_pool():
    async def main(running):
        async with pool(running) as agents:
            for host, pid in agents.pids.items():
                status = Path(f"/proc/{pid}/status").read_text()
                assert status.split("Uid:")[1].split()[:4] == ["65534"] * 4
                network_of = {Path(f"/proc/{of}/ns/net").stat().st_ino for of in (pid, running.host_pid(host))}
                assert len(network_of) == 1
            os.kill(agents.pids["h2"], signal.SIGKILL)
            block_map, sizes = blocks_of("j/in", [MB], [("h1",)])
            await agents.store(block_map, sizes)
            result = await agents.run_job(reading(MB, 1), ("h1", "h2"), block_map, lambda _: None, deadline_s=10)
            return result, list(agents.pids.values())

    with network(2) as running:
        result, pids = asyncio.run(main(running))
    assert "h2" in result.failed
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def _counters(running, host):
    """Bytes sent and received by a host's interface."""
    folder = f"/sys/class/net/{host}-eth1/statistics"
    return [int(running.run(host, ["cat", f"{folder}/{name}"])) for name in ("tx_bytes", "rx_bytes")]
