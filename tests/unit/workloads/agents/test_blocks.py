"""Blocks go from disk to network in steps, at every size that a divisor leaves of them."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.agents.blocks import BlockStore, chunk_bytes
from workloads.agents.connection import TransferError
from workloads.agents.content import Content
from workloads.agents.dialing import Dialer
from workloads.agents.usage import Usage

CONTENT = Content(1)


class Disk:
    """Serves every request as soon as the loop turns, and remembers all of them."""

    def __init__(self):
        self.begun = []

    def begin(self, amount, since=None):
        self.begun.append((amount, since))
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, float(len(self.begun)))
        return future

    async def use(self, amount, since=None):
        return await self.begin(amount, since)


class Network:
    """A connection that takes everything at once, or only after some turns of the loop."""

    def __init__(self, turns):
        self.turns, self.sent = turns, []

    async def send(self, *views):
        for _ in range(self.turns):
            await asyncio.sleep(0)
        self.sent.append(sum(len(view) for view in views))


def store(disk, size):
    blocks = BlockStore(CONTENT, disk, {}, Dialer("127.0.0.2", 5, 1), Usage())
    blocks.put("f", 0, size)
    return blocks


def served(size, turns):
    disk, network = Disk(), Network(turns)
    asyncio.run(store(disk, size).serve_read(network, "f", 0))
    assert sum(network.sent) == 9 + size + 8  # size and whether it was altered, content, digest
    return disk


@given(st.integers(min_value=1, max_value=10**9))
def test_a_block_is_read_in_up_to_sixteen_steps(size):
    chunk = chunk_bytes(size)
    assert -(-size // chunk) <= 16
    assert chunk == 32_768 or chunk * 15 < size


@pytest.mark.parametrize(("size", "steps"), [(131_072, 4), (262_144, 8), (134_217_728 // 64, 16), (100_001, 4)])
def test_the_disk_reads_ahead_while_the_network_sends(size, steps):
    disk = served(size, 0)
    amounts = [amount for amount, _ in disk.begun]
    assert sum(amounts) == size
    assert len(amounts) == steps


def test_lateness_is_made_up_for_but_not_the_time_that_the_network_took():
    assert all(since is not None for _, since in served(262_144, 0).begun[1:])
    assert all(since is None for _, since in served(262_144, 3).begun[2:])


def test_a_local_read_refuses_another_size():
    async def main():
        blocks = store(Disk(), 1000)
        await blocks.read_local("f", 0, 1000)
        for index, size, said in ((0, 999, "1000 bytes on this node, 999 expected"), (1, 1000, "not on this node")):
            with pytest.raises(TransferError, match=said):
                await blocks.read_local("f", index, size)

    asyncio.run(main())
