"""What clients do to blocks, on agents that run on loopback addresses."""

import asyncio
import os
import signal
from typing import Any

import pytest

from tests.unit.workloads.loopback import blocks_of, moved, pool
from workloads.agents.content import Content, block_name
from workloads.coordination.cluster import AgentError

BLOCKS, SIZES = blocks_of("/a#2", [400_000, 400_000, 1_000], [("h2", "h3"), ("h3", "h1"), ("h1", "h2")])


def test_what_a_client_writes_is_read_elsewhere_until_it_is_dropped():
    events: list[Any] = []

    async def main():
        async with pool(4) as agents:
            reports = await agents.files.write("h1", BLOCKS, SIZES, events.append)
            written = len(events)
            await agents.files.read("h4", BLOCKS, events.append)
            await agents.files.drop(BLOCKS)
            with pytest.raises(AgentError, match=r"reading blocks on h4: block 0 of /a#2 from h[23]: unknown there"):
                await agents.files.read("h4", BLOCKS, events.append)
            return reports, events[:written], events[written:]

    reports, writes, reads = asyncio.run(main())
    content = Content(7)
    assert [report.digest for report in reports] == [
        content.checksum(block_name("/a#2", index), SIZES[block]) for index, block in enumerate(BLOCKS)
    ]
    assert moved(writes) == {
        ("h1", "h2"): 401_000,
        ("h2", "h3"): 400_000,
        ("h1", "h1"): 401_000,
        ("h1", "h3"): 400_000,
    }
    assert all(event.job is None and event.start_s <= event.time_s for event in [*writes, *reads])
    assert [(event.detail, event.bytes) for event in reads] == [
        (f"/a#2 {index}", SIZES[block]) for index, block in enumerate(BLOCKS)
    ]
    assert all(
        event.host == "h4" and event.peer in replicas for event, replicas in zip(reads, BLOCKS.values(), strict=True)
    )
    assert all(event.source_port and event.destination_port for event in reads)


def test_a_client_on_a_host_with_a_replica_reads_it_there():
    events: list[Any] = []

    async def main():
        async with pool(3) as agents:
            await agents.store(BLOCKS, SIZES)
            await agents.files.read("h1", BLOCKS, events.append)

    asyncio.run(main())
    assert [event.local for event in events] == [False, True, True]


def test_a_host_that_dies_is_named_and_its_replicas_are_not_read():
    events: list[Any] = []

    async def main():
        async with pool(3) as agents:
            await agents.store(BLOCKS, SIZES)
            os.kill(agents.pids["h3"], signal.SIGKILL)
            while not agents.dead_hosts:
                await asyncio.sleep(0.01)
            with pytest.raises(AgentError, match="block replica on 'h3': no live agent there"):
                await agents.files.write("h3", BLOCKS, SIZES, events.append)
            await agents.files.read("h1", BLOCKS, events.append)
            await agents.files.drop(BLOCKS)
            lost = dict.fromkeys(BLOCKS, ("h3",))
            with pytest.raises(AgentError, match="block 0 of /a#2: no replica left"):
                await agents.files.read("h1", lost, events.append)

    asyncio.run(main())
    assert {event.peer for event in events} == {"h1", "h2"}


def test_a_replica_that_was_altered_is_read_without_an_error_and_has_another_hash():
    """Here 400,000 bytes have 3,125 bytes of checksums, which are read from the disk unless that is not to be."""
    events: list[Any] = []
    (first, *_) = BLOCKS

    async def main():
        async with pool(4) as agents:
            await agents.store(BLOCKS, SIZES)
            before = await agents.files.hash(BLOCKS, events.append)
            await agents.files.alter("h3", first)
            after = await agents.files.hash(BLOCKS, None)
            reports = await agents.files.read("h4", {first: ["h3"]}, events.append)
            with pytest.raises(AgentError, match=r"hashing blocks on h1: block 0 of /a#2: not on this node"):
                await agents.files.hash({first: ["h1"]}, None)
            return before, after, reports

    before, after, (report,) = asyncio.run(main())
    content = Content(7)
    assert before == {
        (block, host): content.checksum(block_name(block.file, block.index), SIZES[block])
        for block, hosts in BLOCKS.items()
        for host in hosts
    }
    assert {replica for replica in before if before[replica] != after[replica]} == {(first, "h3")}
    assert report.digest == after[first, "h3"] == content.checksum(block_name("/a#2", 0, altered=True), 400_000)
    *hashes, read = events
    assert (read.kind, read.ok, read.peer, read.bytes) == ("read", True, "h3", 400_000)
    assert sorted((event.kind, event.host, event.bytes, event.detail) for event in hashes) == sorted(
        ("hash", host, -(-SIZES[block] // 128), f"/a#2 {block.index}")
        for block, hosts in BLOCKS.items()
        for host in hosts
    )
