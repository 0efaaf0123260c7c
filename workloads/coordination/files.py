"""Blocks that are stored, written, read and dropped on behalf of no job: before the clock starts, and by clients."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias, TypeVar

import numpy as np

from workloads.coordination.cluster import AgentError, Cluster
from workloads.coordination.events import Event, Sink, written
from workloads.protocol import BlockRead, BlockWrite, Drop, Fetch, Load, Store, Stored, WriteReport
from workloads.scale import Scale
from workloads.splits import BlockKey, Key, choose_replica

_BATCH = 2000

Doing: TypeAlias = Literal["stored", "read", "dropped"]
Item = TypeVar("Item")

_WORDS: dict[Doing, str] = {
    "stored": "storing blocks from",
    "read": "reading blocks on",
    "dropped": "dropping blocks of",
}


class Files:
    """Asks agents for it.

    Args:
        cluster: The agents.
        hosts: That have one.
        scale: The divisors.
        rng: For replica choices.
    """

    def __init__(self, cluster: Cluster, hosts: frozenset[str], scale: Scale, rng: np.random.Generator) -> None:
        self._cluster = cluster
        self._hosts = hosts
        self._scale = scale
        self._rng = rng
        self._asked: dict[int, tuple[str, Doing, asyncio.Future[Stored]]] = {}
        self._numbers = itertools.count()

    async def put(self, block_map: Mapping[Key, Sequence[str]], sizes: Mapping[Key, int]) -> None:
        """Place replicas without moving a byte.

        Raises:
            AgentError: a host is unknown or dead, or dies.
        """
        orders: dict[str, list[BlockWrite]] = {}
        for block, replicas in block_map.items():
            for host in replicas:
                orders.setdefault(host, []).append(self._order(block, sizes[block], ()))
        asked = [
            self._ask(host, "stored", Store(next(self._numbers), tuple(batch)))
            for host, blocks in orders.items()
            for batch in _batches(blocks)
        ]
        await asyncio.gather(*asked)

    async def load(self, block_map: Mapping[Key, Sequence[str]], sizes: Mapping[Key, int]) -> None:
        """Write blocks through pipelines that start at the first replica.

        Raises:
            AgentError: a host is unknown or dead, or dies; or a pipeline failed.
        """
        orders: dict[str, list[BlockWrite]] = {}
        for block, replicas in block_map.items():
            orders.setdefault(replicas[0], []).append(self._order(block, sizes[block], replicas[1:]))
        asked = [
            self._ask(host, "stored", Load(next(self._numbers), tuple(batch)))
            for host, blocks in orders.items()
            for batch in _batches(blocks)
        ]
        await asyncio.gather(*asked)

    async def write(
        self, writer: str, block_map: Mapping[Key, Sequence[str]], sizes: Mapping[Key, int], sink: Sink
    ) -> tuple[WriteReport, ...]:
        """Have a client on a host write a file, block after block, and say how each went.

        Raises:
            AgentError: a host is unknown or dead, or dies; or a pipeline failed.
        """
        orders = []
        for block, replicas in block_map.items():
            others = tuple(host for host in replicas if host != writer)
            orders.append(self._order(block, sizes[block], others, here=writer in replicas))
        reports: list[WriteReport] = []
        for batch in _batches(orders):
            done = await self._ask(writer, "stored", Load(next(self._numbers), tuple(batch)))
            reports += done.written
        for order, report in zip(orders, reports, strict=True):
            for event in written(order, writer, report, self._cluster.started_at):
                sink(event)
        return tuple(reports)

    async def read(self, reader: str, block_map: Mapping[Key, Sequence[str]], sink: Sink) -> None:
        """Have a client on a host read a file, block after block, from the nearest replicas.

        Raises:
            AgentError: a host is unknown or dead, or dies; or a block has no live replica or a wrong checksum.
        """
        orders = []
        for block, replicas in block_map.items():
            live = [host for host in replicas if host not in self._cluster.dead]
            source = choose_replica(reader, live, self._cluster.racks, self._rng)
            if source is None:
                raise AgentError(f"block {block.index} of {block.file}: no replica left")
            size = self._scale.block_wire_bytes(self._cluster.sizes[block])
            orders.append(BlockRead(block.file, block.index, size, source))
        for batch in _batches(orders):
            done = await self._ask(reader, "read", Fetch(next(self._numbers), tuple(batch)))
            for order, report in zip(batch, done.read, strict=True):
                here, there = report.ports or (None, None)
                since_s, detail = self._cluster.started_at, f"{order.file} {order.block}"
                sink(
                    Event(
                        report.read - since_s,
                        "read",
                        start_s=report.started - since_s,
                        host=reader,
                        peer=order.host,
                        bytes=order.bytes,
                        local=order.host == reader,
                        ok=True,
                        detail=detail,
                        source_port=there,
                        destination_port=here,
                    )
                )

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
        orders = ((host, batch) for host, blocks in held.items() for batch in _batches(blocks))
        await asyncio.gather(
            *(self._ask(host, "dropped", Drop(next(self._numbers), tuple(batch))) for host, batch in orders)
        )

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
            verb = {"stored": "storing blocks from", "read": "reading blocks on", "dropped": "dropping blocks of"}[
                doing
            ]
            future.set_exception(AgentError(f"{verb} {host}: {message.failed}"))
        else:
            future.set_result(message)

    def _ask(self, host: str, doing: Doing, message: Store | Load | Fetch | Drop) -> asyncio.Future[Stored]:
        if host not in self._hosts or host in self._cluster.dead:
            raise AgentError(f"block replica on {host!r}: no live agent there; place it on another host")
        future: asyncio.Future[Stored] = asyncio.get_running_loop().create_future()
        self._asked[message.number] = host, doing, future
        self._cluster.send(host, message)
        return future

    def _order(self, block: BlockKey, size: int, targets: Sequence[str], here: bool = True) -> BlockWrite:
        self._cluster.sizes[block] = size
        return BlockWrite(block.file, block.index, self._scale.block_wire_bytes(size), tuple(targets), here)


def _batches(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    return (items[first : first + _BATCH] for first in range(0, len(items), _BATCH))
