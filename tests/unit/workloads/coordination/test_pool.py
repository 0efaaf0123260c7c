"""Whole jobs on agents that run on loopback addresses."""

import asyncio
import contextlib
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from tests.unit.workloads import loopback
from tests.unit.workloads.loopback import (
    PLACEMENT,
    THREE,
    assert_conserved,
    blocks_of,
    exchanged,
    moved,
    moved_by,
    network_bytes,
    pool,
    run,
    shuffle_job,
    until,
)
from workloads.job import Exchange, Job, Read, Stage
from workloads.node_model import NodeModel
from workloads.scale import Scale


@pytest.mark.parametrize("pipelined", [True, False])
@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("shared", [True, False])
def test_a_job_moves_exactly_what_is_planned(pipelined, slots, shared):
    block_map, sizes = blocks_of("j/in", [900_001] * 11, [("h1",), ("h2",), ("h3",)])
    stages = (
        Stage("scan", (Read("j/in", sum(sizes.values()), 0.1),)),
        Stage("join", (Exchange("scan", 5_000_003, pipelined=pipelined, skew=0.7),)),
        Stage("small", (Exchange("join", 300_001, kind="broadcast", pipelined=pipelined),)),
        Stage("last", (Exchange("small", 70_001, kind="forward"), Exchange("join", 10, pipelined=pipelined))),
    )
    job = Job("j", "test", stages, containers=4, slots_per_container=slots)
    events: list[Any] = []

    async def main():
        async with pool(shared=shared) as agents:
            await agents.store(block_map, sizes)
            return await run(agents, job, block_map, events)

    result = asyncio.run(main())
    assert_conserved(result)
    assert exchanged(result).total() == 5_000_003 + 300_001 * job.tasks + 70_001 + 10
    assert sum(result.read_bytes.values()) == sum(sizes.values())
    assert moved(events) == moved_by(result)
    transfers = [event for event in events if event.kind == "transfer"]
    assert all((event.source_port is None) == event.local for event in transfers)
    ways = defaultdict(set)
    for event in transfers:
        if not event.local:
            ways[event.container, job.container_of(event.peer_task)].add(event.source_port)
    assert all(len(ports) == 1 for ports in ways.values()) == shared
    assert {"task_started", "read", "compute", "transfer"} <= {event.kind for event in events if event.task is not None}
    assert all(event.container == job.container_of(event.task) for event in events if event.task is not None)
    per_pair = Counter((event.detail, event.task, event.peer_task) for event in transfers)
    assert set(per_pair.values()) == {1}
    assert len(per_pair) == 3 * job.tasks**2 + job.tasks
    began = {stage.name: stage.started_s for stage in result.stages}
    ended = {stage.name: stage.finished_s for stage in result.stages}
    for source, consumer in (("scan", "join"), ("join", "small")):
        flows = [event for event in transfers if event.detail == f"{source}>{consumer}"]
        if pipelined:
            assert began[consumer] <= ended[source]
        else:
            assert min(event.start_s for event in flows) >= ended[source]
    kinds = Counter(event.kind for event in events)
    assert kinds["read"] == kinds["compute"] == 11
    assert kinds["stage_finished"] == 4
    assert [event.kind for event in events if event.kind.startswith("job")] == [
        "job_submitted",
        "job_started",
        "job_finished",
    ]


@pytest.mark.parametrize("shared", [True, False])
def test_later_exchanges_use_the_connections_of_earlier_ones(shared):
    block_map, sizes = blocks_of("j/in", [1000], [("h1",)])
    stages = [Stage("s0", (Read("j/in", 1000),))]
    stages += [Stage(f"s{i}", (Exchange(f"s{i - 1}", 500_000, pipelined=False),)) for i in range(1, 6)]
    events: list[Any] = []

    async def main():
        async with pool(shared=shared) as agents:
            await agents.store(block_map, sizes)
            before = {host: loopback.descriptors(pid) for host, pid in agents.pids.items()}
            result = await run(agents, Job("j", "test", tuple(stages), containers=4), block_map, events)
            await until(lambda: {h: loopback.descriptors(pid) for h, pid in agents.pids.items()} == before)
            return result

    assert_conserved(asyncio.run(main()))
    remote = [event for event in events if event.kind == "transfer" and not event.local]
    assert len(remote) == 5 * 6
    assert len({(event.task, event.peer_task, event.source_port) for event in remote}) == 6


def test_tasks_without_a_share_get_nothing_and_the_others_theirs():
    block_map, sizes = blocks_of("j/in", [100_000] * 6, [("h1",), ("h2",), ("h3",)])
    stages = (
        Stage("scan", (Read("j/in", 600_000, 0.05),)),
        Stage("shuffle", (Exchange("scan", 4_000_000, shares=(3, 0, 1)),)),
        Stage("reduce", (Exchange("shuffle", 400_000, 0.05, "forward", pipelined=False, shares=(3, 0, 1)),)),
        Stage("after", (Exchange("reduce", 0, 0.01, "forward", pipelined=False),)),
    )

    async def main():
        async with pool() as agents:
            await agents.store(block_map, sizes)
            return await run(agents, Job("j", "test", stages, containers=4), block_map)

    result = asyncio.run(main())
    assert_conserved(result)
    into: Counter[str] = Counter()
    for (_, host), size in exchanged(result).items():
        into[host] += size
    assert [into[host] for host in THREE] == pytest.approx([3_300_000, 0, 1_100_000], abs=20)


def test_reads_are_local_where_they_can_be_and_near_otherwise():
    block_map, sizes = blocks_of("j/in", [200_000] * 12, [("h1", "h3"), ("h3", "h4")])
    # a tenth of a second for each block: whoever comes late, as processes do on a busy machine, finds some left
    job = Job("j", "test", (Stage("scan", (Read("j/in", sum(sizes.values()), cpu_s=1.2),)),), containers=3)

    async def main():
        async with pool(4) as agents:
            await agents.store(block_map, sizes)
            return await run(agents, job, block_map, placement=("h1", "h1", "h4"))

    result = asyncio.run(main())
    assert_conserved(result)
    # h1 is in rack 0, h3 and h4 in rack 1; h4 holds half of the blocks and shares its rack with h3.
    assert set(result.read_bytes) <= {("h1", "h1"), ("h4", "h4"), ("h3", "h4"), ("h3", "h1"), ("h4", "h1")}
    assert result.read_bytes["h4", "h4"] > 0
    assert result.read_bytes["h1", "h1"] > 0


def test_several_jobs_run_at_once_without_touching_each_other():
    async def main():
        async with pool(4) as agents:
            jobs = []
            for i in range(4):
                job_id = f"job-{i}"
                block_map, sizes = blocks_of(f"{job_id}/in", [100_000] * 20, [("h1",), ("h2",), ("h3",), ("h4",)])
                await agents.store(block_map, sizes)
                jobs.append((shuffle_job(2_000_000, 1_000_000 + i, job_id, containers=5), block_map))
            placement = ("h1", "h1", "h2", "h3", "h4")
            return await asyncio.gather(*(run(agents, job, blocks, placement=placement) for job, blocks in jobs))

    for result in asyncio.run(main()):
        assert_conserved(result)


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("volume_divisor", [1024, 4096])
def test_large_partitions_pass_small_windows(shared, volume_divisor):
    size = 250_000 * volume_divisor
    block_map, sizes = blocks_of("j/in", [size] * 20, [("h1",), ("h2",), ("h3",)])
    job = shuffle_job(20 * size, 20 * size)

    async def main():
        async with pool(scale=Scale(1, volume_divisor), shared=shared) as agents:
            await agents.store(block_map, sizes)
            return await run(agents, job, block_map)

    result = asyncio.run(main())
    assert_conserved(result)
    assert exchanged(result).total() == 5_000_000


def test_reading_and_computing_take_their_modelled_time():
    # One task: 8 blocks of 10 MB at 100 MB/s and 0.05 s of CPU each = 8 * (0.1 + 0.05) s modelled, at half the rate.
    block_map, sizes = blocks_of("j/in", [10_000_000] * 8, [("h2",)])
    job = Job("j", "test", (Stage("scan", (Read("j/in", 80_000_000, 0.4),)),), containers=2)
    node = NodeModel(cores=1, disk_mb_per_s=100)
    scale = Scale(rate_divisor=2, volume_divisor=4)

    async def main():
        async with pool(2, node, scale) as agents:
            await agents.store(block_map, sizes)
            return await run(agents, job, block_map, placement=("h1", "h2"))

    result = asyncio.run(main())
    assert_conserved(result)
    # Never faster; how much slower depends on what else the machine does (tests/emulation holds it to 3 %).
    assert 1.19 < scale.modelled_s(result.finished_s - result.started_s) < 12.0
    assert result.local_read_bytes == 20_000_000


def test_blocks_loaded_through_a_pipeline_can_be_read_anywhere():
    block_map, sizes = blocks_of("j/in", [700_000] * 6, [THREE, ("h2", "h3", "h1")])
    job = Job("j", "test", (Stage("scan", (Read("j/in", sum(sizes.values())),)),), containers=4)
    events: list[Any] = []

    async def main():
        async with pool(events=events, sample_s=0.05) as agents:
            await agents.store(block_map, sizes, over_network=True)
            await until(lambda: sum(e.sent_bytes for e in events if e.job is None) >= 2 * 4_200_000)
            return await run(agents, job, block_map)

    result = asyncio.run(main())
    assert_conserved(result)
    assert sum(result.read_bytes.values()) == result.local_read_bytes


def test_samples_add_up_to_what_the_job_used():
    block_map, sizes = blocks_of("j/in", [1_000_000] * 6, [("h1",), ("h2",)])
    job = shuffle_job(6_000_000, 4_000_000, cpu_s=0.3)
    events: list[Any] = []

    async def main():
        async with pool(events=events, sample_s=0.05) as agents:
            await agents.store(block_map, sizes)
            result = await run(agents, job, block_map)
            await until(lambda: sum(e.cpu_s for e in events if e.kind == "sample" and e.job == "j") > 0.29)
            return result

    result = asyncio.run(main())
    network = network_bytes(result)
    containers = [event for event in events if event.kind == "sample" and event.job == "j"]
    assert {(event.container, event.host) for event in containers} == set(enumerate(PLACEMENT))
    assert sum(event.cpu_s for event in containers) == pytest.approx(0.3, rel=0.01)
    assert sum(event.received_bytes for event in containers) == network
    nodes = [event for event in events if event.kind == "sample" and event.job is None]
    assert sum(event.disk_bytes for event in nodes) == pytest.approx(6_000_000, rel=0.01)
    assert all(event.late_s >= 0 for event in nodes)


def test_samples_tell_the_memory_that_containers_hold_and_that_of_the_agents():
    block_map, sizes = blocks_of("j/in", [1_000_000] * 6, [("h1",), ("h2",)])
    job = shuffle_job(6_000_000, 4_000_000, cpu_s=0.9)
    container = job.memory_mb * 2**20
    events: list[Any] = []

    def held(host):
        return [event.memory_bytes for event in events if event.job is None and event.host == host]

    async def main():
        async with pool(events=events, sample_s=0.05) as agents:
            await until(lambda: held("h1") and held("h2"))
            assert set(held("h1")) == set(held("h2")) == {0}
            await agents.store(block_map, sizes)
            assert_conserved(await run(agents, job, block_map))
            await until(lambda: held("h1")[-1] == held("h2")[-1] == 0)
            return loopback.memory_mb(agents.pids["h1"], "VmRSS")

    resident_mb = asyncio.run(main())
    assert set(held("h1")) == {0, 2 * container}  # the application master and a task container
    assert set(held("h2")) == {0, container}
    of_containers = [event for event in events if event.job == "j"]
    assert {event.memory_bytes for event in of_containers} == {container}
    assert all((event.agent_memory_bytes is None) == (event.job is not None) for event in events)
    last = [event for event in events if event.job is None and event.host == "h1"][-1]
    assert last.agent_memory_bytes / 2**20 == pytest.approx(resident_mb, rel=0.1)


def test_agents_stay_small_and_end_with_the_pool():
    block_map, sizes = blocks_of("j/in", [4_000_000] * 12, [THREE])

    async def main():
        async with pool() as agents:
            await agents.store(block_map, sizes)
            assert_conserved(await run(agents, shuffle_job(48_000_000, 40_000_000), block_map))
            memory = [loopback.memory_mb(pid) for pid in agents.pids.values()]
            pids = list(agents.pids.values())
        return memory, pids

    memory, pids = asyncio.run(main())
    assert max(memory) < 30
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_agents_are_never_root():
    async def main():
        async with pool(1) as agents:
            return Path(f"/proc/{agents.pids['h1']}/status").read_text()

    status = asyncio.run(main())
    user, group = ("65534", "65534") if os.geteuid() == 0 else (str(os.geteuid()), str(os.getegid()))
    assert status.split("Uid:")[1].split()[:4] == [user] * 4
    assert status.split("Gid:")[1].split()[:4] == [group] * 4
    assert int(status.split("CapEff:")[1].split()[0], 16) == 0


def test_agents_are_started_from_anywhere_and_run_nothing_of_that_folder(tmp_path, monkeypatch):
    (tmp_path / "workloads").mkdir()
    (tmp_path / "workloads" / "__init__.py").write_text("raise SystemExit('somebody else's')")
    monkeypatch.chdir(tmp_path)

    async def main():
        async with pool(1) as agents:
            return Path(f"/proc/{agents.pids['h1']}/cwd").readlink()

    assert asyncio.run(main()) == Path(__file__).parents[4]


def test_agents_know_nothing_of_the_environment_that_they_are_started_in(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")

    async def main():
        async with pool(1) as agents:
            return Path(f"/proc/{agents.pids['h1']}/environ").read_bytes()

    assert asyncio.run(main()) == b"LC_ALL=C.UTF-8\0"


def test_agents_die_with_a_pool_that_is_killed():
    program = """
import asyncio, json, sys
from tests.unit.workloads.loopback import pool

async def main():
    async with pool(2) as agents:
        print(json.dumps(list(agents.pids.values())), flush=True)
        await asyncio.sleep(60)

asyncio.run(main())
"""
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, cwd=Path(__file__).parents[4])
    pids = json.loads(process.stdout.readline())
    process.kill()
    process.wait()
    asyncio.run(until(lambda: not any(_runs(pid) for pid in pids), 30.0))


def _runs(pid):
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False
