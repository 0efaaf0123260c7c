"""What jobs write goes where a name node says, and later ones can read it."""

import asyncio
from typing import Any

import pytest

from tests.unit.workloads.loopback import (
    NameNode,
    assert_conserved,
    blocks_of,
    moved,
    moved_by,
    network_bytes,
    pool,
    run,
)
from workloads.agents.content import Content, block_name
from workloads.job import Job, JobError, Read, Stage
from workloads.scale import Scale


def test_results_are_written_with_their_replicas_over_the_network():
    block_map, sizes = blocks_of("j/in", [1000], [("h1",)])
    stage = Stage("scan", (Read("j/in", 1000),), write_bytes=3_000_000, write_replication=3)
    events: list[Any] = []

    async def main():
        async with pool(4) as agents:
            await agents.store(block_map, sizes)
            return await run(agents, Job("j", "test", (stage,), containers=4), block_map, events, name_node=names)

    names = NameNode(4)
    result = asyncio.run(main())
    assert_conserved(result)
    assert moved(events) == moved_by(result)
    content = Content(7)
    assert names.digests == {file: (content.checksum(block_name(file, 0), 1_000_000),) for file in names.files}
    assert list(names.files) == [f"j/output/scan/part-0000{task}" for task in range(3)]
    stayed = {pair: size for pair, size in result.written_bytes.items() if pair[0] == pair[1]}
    assert stayed == {("h1", "h1"): 1_000_000, ("h2", "h2"): 1_000_000, ("h3", "h3"): 1_000_000}
    assert sum(result.written_bytes.values()) == 3 * 3_000_000
    remote_read = sum(result.read_bytes.values()) - result.local_read_bytes
    assert network_bytes(result) == 2 * 3_000_000 + remote_read
    for task in range(3):
        own, first, second = (event for event in events if event.kind == "write" and event.task == task)
        assert own.host == own.peer == first.host
        assert (first.peer, first.container) == (second.host, task + 1)
        assert first.source_port
        assert (own.source_port, second.source_port) == (None, None)
        assert own.start_s <= own.time_s <= result.finished_s


def test_a_later_job_reads_the_result_of_an_earlier_one_where_it_was_put():
    """Of 2.5 blocks a task, none of them on the host that wrote it."""
    block_map, sizes = blocks_of("j/in", [1000], [("h1",)])
    names = NameNode(4, block_bytes=40_000, on_writer=False)
    first = Job("j", "test", (Stage("scan", (Read("j/in", 1000),), 300_001, 2),), containers=4)
    second = Job("k", "test", (Stage("scan", (Read("j/output/scan", 300_001, result_of="j"),)),), containers=4)
    events: list[Any] = []

    async def main():
        async with pool(4, scale=Scale(1, 3)) as agents:
            await agents.store(block_map, sizes)
            written = await run(agents, first, block_map, name_node=names)
            with pytest.raises(JobError, match="0 bytes stored, job k reads 300001; store it"):
                await run(agents, second, block_map)
            return written, await run(agents, second, names.blocks, events)

    for result in (written := asyncio.run(main())):
        assert_conserved(result)
    assert all(sender != receiver for sender, receiver in written[0].written_bytes)
    assert sum(names.sizes.values()) == 300_001
    reads = {event.detail: event.peer for event in events if event.kind == "read"}
    assert set(reads) == {f"{block.file} {block.index}" for block in names.blocks}
    assert all(reads[f"{block.file} {block.index}"] in replicas for block, replicas in names.blocks.items())
    assert sum(written[1].read_bytes.values()) == sum(
        Scale(1, 3).block_wire_bytes(size) for size in names.sizes.values()
    )


def test_a_job_with_a_result_and_nobody_to_place_it_fails():
    block_map, sizes = blocks_of("j/in", [1000], [("h1",)])

    async def main():
        async with pool(1) as agents:
            await agents.store(block_map, sizes)
            job = Job("j", "test", (Stage("scan", (Read("j/in", 1000),), 10),), containers=2)
            return await run(agents, job, block_map, placement=("h1", "h1"))

    assert asyncio.run(main()).failed == (
        "file j/output/scan/part-00000: nobody to say where results go; run the job with a name node"
    )
