"""Agents on an emulated network: real links next to modelled disks and cores, and what the interfaces counted."""

import asyncio
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.emulation.running_controller import links_down
from tests.unit.workloads.loopback import blocks_of, exchanged, shuffle_job
from topologies.emulated.network import emulated
from topologies.fat_tree import single_switch
from workloads.coordination.pool import AgentPool
from workloads.job import Exchange, Job, Read, Stage
from workloads.node_model import NodeModel
from workloads.scale import Scale

MB = 10**6
FREE = NodeModel(cores=64, disk_mb_per_s=100_000)
SEGMENT = 1514 / 1448  # bytes on the link for a byte of payload
TOLERANCE = 0.03


@pytest.fixture(scope="module")
def network():
    """Three hosts on one switch that forwards like any switch."""
    with emulated(single_switch(3, host_mbps=100.0)) as running:
        subprocess.check_call(["ovs-ofctl", "-OOpenFlow13", "add-flow", "t1", "actions=NORMAL"])
        yield running


def pool(running, node=FREE, scale=None, **options):
    def spawn(host, argv, descriptors):
        return running.popen(host, argv, pass_fds=descriptors)

    addresses = {host.name: host.ip for host in running.topology.hosts}
    return AgentPool(
        addresses,
        spawn,
        node if isinstance(node, dict) else dict.fromkeys(addresses, node),
        scale or Scale(),
        5,
        **options,
    )


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


def expect_seconds(trial, results, expected_s, scale=None):
    """Holds the modelled times of some jobs against what they should take."""
    for result in results:
        took_s = (scale or Scale()).modelled_s(result.finished_s - result.started_s)
        trial.expect_near(f"{result.job_id}_s", took_s, expected_s, TOLERANCE)


@pytest.mark.measured
def test_disks_and_cores_take_the_modelled_time(network, measured):
    scale, size = Scale(rate_divisor=8, volume_divisor=32), 128 * MB
    node = NodeModel(cores=8, disk_mb_per_s=150)
    for trial in measured():
        alone = [(reading(size, 12, slots=2), ("h3", "h1"), [("h1",)], size, 12)]
        expect_seconds(trial, run(network, alone, node, scale), 12 * 128 / 150, scale)
    for trial in measured():
        shared = [(reading(size, 6, job_id=name), ("h3", "h1"), [("h1",)], size, 6) for name in ("a", "b")]
        expect_seconds(trial, run(network, shared, node, scale), 2 * 6 * 128 / 150, scale)
    for trial in measured():  # 16 tasks share 8 cores for 8 s of work each
        busy = reading(1 * MB, 16, cpu_s=16 * 8.0, containers=3, slots=8)
        computed = run(network, [(busy, ("h3", "h1", "h1"), [("h1",)], 1 * MB, 16)], node, scale)
        expect_seconds(trial, computed, 16 * 8 / 8, scale)


@pytest.mark.measured
def test_nodes_that_differ_take_their_own_time(network, measured):
    size = 6 * MB
    nodes = {"h1": NodeModel(disk_mb_per_s=2.0), "h2": NodeModel(disk_mb_per_s=4.0), "h3": FREE}
    for trial in measured():
        jobs = [(reading(size, 1, job_id=host), ("h3", host), [(host,)], size, 1) for host in ("h1", "h2")]
        slow, fast = run(network, jobs, nodes)
        expect_seconds(trial, [slow], 6 / 2.0)
        expect_seconds(trial, [fast], 6 / 4.0)


@pytest.mark.measured
def test_a_remote_read_is_held_back_by_the_disk_or_the_link_whichever_is_slower(network, measured):
    size = 6 * MB
    for trial in measured():
        by_disk = run(network, [(reading(size, 1), ("h3", "h1"), [("h2",)], size, 1)], NodeModel(disk_mb_per_s=2.0))
        expect_seconds(trial, by_disk, 6 / 2.0)
    for trial in measured():
        by_link = run(network, [(reading(size, 6), ("h3", "h1"), [("h2",)], size, 6)])
        expect_seconds(trial, by_link, 36 * 8 * SEGMENT / 100)


@pytest.mark.measured
def test_disk_and_link_overlap_for_blocks_that_a_large_volume_divisor_made_small(network, measured):
    size, count = 262_144, 24
    for trial in measured():
        job = (reading(size, count), ("h3", "h1"), [("h2",)], size, count)
        (result,) = run(network, [job], NodeModel(disk_mb_per_s=12.0))
        share = (result.finished_s - result.started_s) / (size * count / 12e6)
        trial.expect("share_of_disk_time", share, 1, 1.7)  # one after the other they would take twice as long


@pytest.mark.measured
def test_a_local_and_a_remote_reader_of_one_disk_get_half_of_it_each(network, measured):
    size = 6 * MB
    for trial in measured():
        local = (reading(size, 1, job_id="local"), ("h3", "h2"), [("h2",)], size, 1)
        other = (reading(size, 1, job_id="remote"), ("h3", "h1"), [("h2",)], size, 1)
        expect_seconds(trial, run(network, [local, other], NodeModel(disk_mb_per_s=5.0)), 12 / 5.0)


def test_interfaces_carried_what_the_job_says_and_nothing_for_pairs_on_one_host(network):
    stages = (
        Stage("scan", (Read("j/in", 12 * MB),)),
        Stage("join", (Exchange("scan", 9 * MB),)),
        Stage("spread", (Exchange("join", 1 * MB, kind="broadcast", pipelined=False),)),
    )
    job = Job("j", "test", stages, containers=5, slots_per_container=2)
    placement = ("h3", "h1", "h1", "h2", "h3")
    before = {host.name: _counters(network, host.name) for host in network.topology.hosts}
    (result,) = run(network, [(job, placement, [("h1",), ("h2",), ("h3", "h1")], 1 * MB, 12)])
    carried = {
        host: [now - then for now, then in zip(_counters(network, host), before[host], strict=True)] for host in before
    }
    for host, (sent, received) in carried.items():
        for counted, position in ((sent, 0), (received, 1)):
            between = [(pair, size) for *pair, size in result.moved() if pair[0] != pair[1]]
            payload = sum(size for pair, size in between if pair[position] == host)
            other_way = sum(size for pair, size in between if pair[1 - position] == host)
            # Headers, retransmissions, acknowledgements of the other direction, connections.
            assert payload < counted < payload * 1.25 + other_way * 0.06 + 300_000

    alone = _counters(network, "h1")
    (result,) = run(network, [(shuffle_job(6 * MB, 9 * MB), ("h1",) * 4, [("h1",)], 1 * MB, 6)])
    assert exchanged(result) == {("h1", "h1"): 9 * MB}
    assert sum(_counters(network, "h1")) - sum(alone) < 10_000


def test_a_cut_link_fails_the_job_with_a_reason_long_before_its_deadline(network):
    size = 100 * MB  # which takes 8 s

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
            with links_down("t1-eth2"):
                return await work

    result = asyncio.run(main(network))
    assert "silent for 1.5 s" in result.failed


def test_agents_live_unprivileged_on_their_host_and_end_with_the_pool(network):
    async def main(running):
        async with pool(running) as agents:
            for host, pid in agents.pids.items():
                status = Path(f"/proc/{pid}/status").read_text()
                fields = dict(line.split(":", 1) for line in status.splitlines())
                for name in ("Uid", "Gid"):
                    assert fields[name].split() == ["65534"] * 4
                assert fields["Groups"].split() == []
                assert {fields[name].strip() for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {
                    "0" * 16
                }
                assert fields["NoNewPrivs"].strip() == "1"
                assert Path(f"/proc/{pid}/environ").read_bytes() == b"LC_ALL=C.UTF-8\0"
                assert str(Path(f"/proc/{pid}/fd/0").readlink()) == "/dev/null"
                network_of = {Path(f"/proc/{of}/ns/net").stat().st_ino for of in (pid, running.host_pid(host))}
                assert len(network_of) == 1
            os.kill(agents.pids["h2"], signal.SIGKILL)
            block_map, sizes = blocks_of("j/in", [MB], [("h1",)])
            await agents.store(block_map, sizes)
            result = await agents.run_job(reading(MB, 1), ("h1", "h2"), block_map, lambda _: None, deadline_s=10)
            return result, list(agents.pids.values())

    result, pids = asyncio.run(main(network))
    assert "h2" in result.failed
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def _counters(running, host):
    """Bytes sent and received by a host's interface."""
    folder = f"/sys/class/net/{host}-eth1/statistics"
    return [int(running.run(host, ["cat", f"{folder}/{name}"])) for name in ("tx_bytes", "rx_bytes")]
