"""Where HDFS puts replicas when nobody tells it otherwise: the rack-aware default policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, TypeAlias

import numpy as np

from placement.blocks import BlockMap, File
from placement.draws import pick_where
from placement.errors import PlacementError
from placement.view import ClusterView

Wording: TypeAlias = Literal["hdfs", "thesis"]


class DiskLedger:
    """Live nodes, their racks and the space left on them while the blocks of one file are placed.

    Raises:
        PlacementError: the writer is unknown, or the file's replication is above the number of live nodes.
    """

    def __init__(self, view: ClusterView, file: File) -> None:
        self.rack: Mapping[str, int] = {
            node.name: node.rack for node in view.cluster.nodes if node.name not in view.dead
        }
        self._free = dict(view.free_disk)
        self._limited = any(free != float("inf") for free in self._free.values())
        self._names = tuple(self.rack)
        self._racks: dict[int, list[str]] = {}
        for name, rack in self.rack.items():
            self._racks.setdefault(rack, []).append(name)
        if file.writer is not None:
            view.cluster.position(file.writer)
        if file.replication > len(self._names):
            raise PlacementError(
                f"file {file.name}: replication {file.replication} is above the {len(self._names)} live nodes; lower it"
            )

    @property
    def racks(self) -> int:
        """Number of racks with a live node."""
        return len(self._racks)

    def has_space(self, name: str, size: int) -> bool:
        """Whether a node is alive and has space for one more block of so many bytes."""
        return name in self.rack and (not self._limited or self._free[name] >= size)

    def take(self, name: str, size: int) -> None:
        """Use the space."""
        if self._limited:
            self._free[name] -= size

    def somewhere(
        self,
        rng: np.random.Generator,
        size: int,
        taken: Sequence[str],
        rack: int | None = None,
        other_than: int | None = None,
        per_rack: int | None = None,
    ) -> str | None:
        """A random live node with space that holds no replica of the block yet; None when there is none.

        Args:
            rng: source of randomness.
            size: bytes of the block.
            taken: nodes that already hold it.
            rack: only in this rack.
            other_than: only outside this rack.
            per_rack: only in racks that hold fewer replicas of the block than this.
        """
        in_rack = Counter(self.rack[name] for name in taken) if per_rack is not None else {}

        def suits(name: str) -> bool:
            return (
                name not in taken
                and (other_than is None or self.rack[name] != other_than)
                and (per_rack is None or in_rack.get(self.rack[name], 0) < per_rack)
                and self.has_space(name, size)
            )

        return pick_where(rng, self._names if rack is None else self._racks.get(rack, []), suits)


def default_blocks(view: ClusterView, file: File, rng: np.random.Generator, wording: Wording = "hdfs") -> BlockMap:
    """Place the blocks of a file as HDFS does by default.

    `hdfs` (what HDFS 2.7 does): the first replica on the writer, or on a random node when the writer is outside the
    cluster or full; the second in another rack; the third in the rack of the second; further ones anywhere, with at
    most `(replication - 1) // racks + 2` replicas of a block in a rack. `thesis` (as its section 2.1.3 words it):
    the first locally, the second in the same rack, the third in another rack. Either goes anywhere when the rack it
    wants has no node left.

    Raises:
        PlacementError: the writer is unknown, the replication is above the number of live nodes, or disks are full.
    """
    ledger = DiskLedger(view, file)
    per_rack = _most_per_rack(file.replication, ledger.racks)
    placed = {}
    for block in file.blocks:
        nodes: list[str] = []
        size = file.block_size(block.index)
        for _ in range(file.replication):
            name = _next_node(ledger, rng, size, nodes, file.writer, wording, per_rack)
            if name is None:
                raise PlacementError(
                    f"block {file.name}#{block.index}: no disk with space for replica {len(nodes) + 1}; add nodes"
                )
            ledger.take(name, size)
            nodes.append(name)
        placed[block] = tuple(nodes)
    return BlockMap(placed)


def _next_node(
    ledger: DiskLedger,
    rng: np.random.Generator,
    size: int,
    nodes: list[str],
    writer: str | None,
    wording: Wording,
    per_rack: int,
) -> str | None:
    if not nodes:
        if writer is not None and ledger.has_space(writer, size):
            return writer
        return ledger.somewhere(rng, size, nodes)
    first, last, name = ledger.rack[nodes[0]], ledger.rack[nodes[-1]], None
    if wording == "thesis" and len(nodes) == 1:
        name = ledger.somewhere(rng, size, nodes, rack=first)
    elif len(nodes) <= 2 and first == last:
        name = ledger.somewhere(rng, size, nodes, other_than=first)
    elif len(nodes) == 2:
        name = ledger.somewhere(rng, size, nodes, rack=last)
    return name or ledger.somewhere(rng, size, nodes, per_rack=per_rack) or ledger.somewhere(rng, size, nodes)


def _most_per_rack(replication: int, racks: int) -> int:
    """HDFS's cap on the replicas of one block in one rack."""
    if racks == 1 or replication <= 1:
        return replication
    most = (replication - 1) // racks + 2
    return most - 1 if most == replication else most
