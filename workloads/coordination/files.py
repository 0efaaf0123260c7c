"""Blocks that are stored, written, read, hashed and dropped for no job: before the clock starts, for clients, and to
prove them.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np

from workloads.coordination.cluster import AgentError, Cluster
from workloads.coordination.events import Event, Sink, was_read, written
from workloads.protocol import (
    Alter,
    BlockHash,
    BlockRead,
    BlockWrite,
    Drop,
    Fetch,
    Hash,
    Load,
    OfBlocks,
    ReadReport,
    Store,
    Stored,
    WriteReport,
)
from workloads.splits import BlockKey, Key, choose_replica

BYTES_A_CHECKSUM_BYTE = 128
"""HDFS keeps a checksum of 4 bytes for each 512 bytes."""

_BATCH = 2000

Doing: TypeAlias = Literal["stored", "read", "dropped", "hashed", "altered"]
Kind: TypeAlias = Callable[[int, tuple[Any, ...]], OfBlocks]
Item = TypeVar("Item")

_WORDS: dict[Doing, str] = {
    "stored": "storing blocks from",
    "read": "reading blocks on",
    "dropped": "dropping blocks of",
    "hashed": "hashing blocks on",
    "altered": "altering blocks on",
}


class Files:
    """Asks agents for it.

    Args:
        cluster: The agents.
        hosts: That have one.
        rng: For replica choices.
    """

    def __init__(self, cluster: Cluster, hosts: frozenset[str], rng: np.random.Generator) -> None:
        self._cluster = cluster
        self._hosts = hosts
        self._rng = rng
        self._asked: dict[int, tuple[str, Doing, asyncio.Future[Stored]]] = {}
        self._numbers = itertools.count()

    @property
    def dead_hosts(self) -> frozenset[str]:
        """Hosts whose agents have died."""
        return frozenset(self._cluster.dead)

    async def put(self, block_map: Mapping[Key, Sequence[str]], sizes: Mapping[Key, int]) -> None:
        """Place replicas without moving a byte.

        Raises:
            AgentError: a host is unknown or dead, or dies.
        """
        orders: dict[str, list[BlockWrite]] = {}
        for block, replicas in block_map.items():
            for host in replicas:
                orders.setdefault(host, []).append(self._cluster.order(block, sizes[block], host, [host]))
        await self._ask_all("stored", Store, orders)

    async def load(self, block_map: Mapping[Key, Sequence[str]], sizes: Mapping[Key, int]) -> None:
        """Write blocks through pipelines that start at the first replica.

        Raises:
            AgentError: a host is unknown or dead, or dies; or a pipeline failed.
        """
        orders: dict[str, list[BlockWrite]] = {}
        for block, replicas in block_map.items():
            orders.setdefault(replicas[0], []).append(self._cluster.order(block, sizes[block], replicas[0], replicas))
        await self._ask_all("stored", Load, orders)

    async def write(
        self, writer: str, block_map: Mapping[Key, Sequence[str]], sizes: Mapping[Key, int], sink: Sink
    ) -> tuple[WriteReport, ...]:
        """Have a client on a host write a file, block after block, and say how each went.

        Raises:
            AgentError: a host is unknown or dead, or dies; or a pipeline failed.
        """
        orders = [self._cluster.order(block, sizes[block], writer, hosts) for block, hosts in block_map.items()]
        reports: list[WriteReport] = []
        for batch in _batches(orders):
            reports += (await self._ask(writer, "stored", Load, batch)).written
        for order, report in zip(orders, reports, strict=True):
            for event in written(order, writer, report, self._cluster.started_at):
                sink(event)
        return tuple(reports)

    async def read(self, reader: str, block_map: Mapping[Key, Sequence[str]], sink: Sink) -> tuple[ReadReport, ...]:
        """Have a client on a host read a file, block after block, from the nearest replicas, and say how each went.

        Raises:
            AgentError: a host is unknown or dead, or dies; or a block has no live replica or a wrong checksum.
        """
        orders = []
        for block, replicas in block_map.items():
            live = [host for host in replicas if host not in self._cluster.dead]
            source = choose_replica(reader, live, self._cluster.racks, self._rng)
            if source is None:
                raise AgentError(f"block {block.index} of {block.file}: no replica left")
            size = self._cluster.scale.block_wire_bytes(self._cluster.sizes[block])
            orders.append(BlockRead(block.file, block.index, size, source))
        reports: list[ReadReport] = []
        for batch in _batches(orders):
            reports += (await self._ask(reader, "read", Fetch, batch)).read
        for order, report in zip(orders, reports, strict=True):
            block_read = order.file, order.block, order.bytes
            sink(was_read(*block_read, reader, report, self._cluster.started_at))
        return tuple(reports)

    async def hash(self, replicas: Mapping[Key, Sequence[str]], sink: Sink | None) -> dict[tuple[Key, str], int]:
        """Have hosts hash replicas of theirs by the checksums that are kept with them, all hosts at once.

        Args:
            replicas: Hosts of those of each block.
            sink: Takes the events of what is read from the disks; without one nothing is, and no time goes by.

        Raises:
            AgentError: a host is unknown or dead, or dies; or it does not have what it should.
        """
        orders: dict[str, list[BlockHash]] = {}
        for block, hosts in replicas.items():
            order = self._to_hash(block, sink is not None)
            for host in hosts:
                orders.setdefault(host, []).append(order)
        named = {(block.file, block.index): block for block in replicas}
        digests = {}
        for host, batch, answer in await self._ask_all("hashed", Hash, orders):
            for order, report in zip(batch, answer.read, strict=True):
                digests[named[order.file, order.block], host] = report.checksum
                if sink is not None:
                    sink(self._was_hashed(order, host, report))
        return digests

    def _to_hash(self, block: BlockKey, timed: bool) -> BlockHash:
        size = self._cluster.scale.block_wire_bytes(self._cluster.sizes[block])
        return BlockHash(block.file, block.index, size, -(-size // BYTES_A_CHECKSUM_BYTE) if timed else 0)

    def _was_hashed(self, order: BlockHash, host: str, report: ReadReport) -> Event:
        began, ended = (at - self._cluster.started_at for at in (report.started, report.read))
        named = f"{order.file} {order.block}"
        return Event(ended, "hash", start_s=began, host=host, bytes=order.disk_bytes, ok=True, detail=named)

    async def alter(self, host: str, block: BlockKey) -> None:
        """Have a host's replica of a block become another one, together with its checksum.

        Raises:
            AgentError: the host is unknown or dead, or dies.
        """
        await self._ask(host, "altered", Alter, [(block.file, block.index)])

    async def drop(self, block_map: Mapping[Key, Sequence[str]]) -> None:
        """Have all live hosts forget blocks.

        Raises:
            AgentError: a host is unknown, or dies.
        """
        held: dict[str, list[tuple[str, int]]] = {}
        for block, replicas in block_map.items():
            for host in replicas:
                if host not in self._cluster.dead:
                    held.setdefault(host, []).append((block.file, block.index))
        await self._ask_all("dropped", Drop, held)

    def lose(self, host: str, reason: str) -> None:
        """A host's agent has died."""
        for asked, doing, future in self._asked.values():
            if asked == host and not future.done():
                future.set_exception(AgentError(f"agent of {host}: {reason} while blocks were {doing}"))

    def take(self, host: str, message: Stored) -> None:
        """What an agent says."""
        _, doing, future = self._asked.pop(message.number)
        if future.done():
            return
        if message.failed is not None:
            future.set_exception(AgentError(f"{_WORDS[doing]} {host}: {message.failed}"))
        else:
            future.set_result(message)

    async def _ask_all(
        self, doing: Doing, kind: Kind, items: Mapping[str, Sequence[Item]]
    ) -> list[tuple[str, Sequence[Item], Stored]]:
        """Ask hosts, each for what it has to do, and wait for all of it; what each was asked, and its answer."""
        batches = [(host, batch) for host, mine in items.items() for batch in _batches(mine)]
        answers = await asyncio.gather(*(self._ask(host, doing, kind, batch) for host, batch in batches))
        return [(host, batch, answer) for (host, batch), answer in zip(batches, answers, strict=True)]

    def _ask(self, host: str, doing: Doing, kind: Kind, batch: Sequence[Any]) -> asyncio.Future[Stored]:
        if host not in self._hosts or host in self._cluster.dead:
            raise AgentError(f"block replica on {host!r}: no live agent there; place it on another host")
        future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        number = next(self._numbers)
        self._asked[number] = host, doing, future
        self._cluster.send(host, kind(number, tuple(batch)))
        return future


def _batches(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    return (items[first : first + _BATCH] for first in range(0, len(items), _BATCH))
