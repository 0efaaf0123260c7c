"""Files, their blocks, and the nodes that hold the replicas."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, Mapping, ValuesView
from dataclasses import dataclass
from typing import NamedTuple

from placement.errors import PlacementError

HDFS_BLOCK_BYTES = 128 * 2**20


class BlockId(NamedTuple):
    """One block of a file, which is named by its id; blocks count from 0."""

    file: str
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here


@dataclass(frozen=True, slots=True)
class File:
    """A file to be stored in blocks.

    Attributes:
        name: path or plain name, unique in the cluster.
        size_bytes: its length.
        replication: replicas of each block.
        block_bytes: length of every block but the last.
        writer: the node that writes it, None for a client outside the cluster.
        id: what its blocks are named by, which stays when it is renamed; the name at first.

    Raises:
        PlacementError: an amount out of range.
    """

    name: str
    size_bytes: int
    replication: int = 3
    block_bytes: int = HDFS_BLOCK_BYTES
    writer: str | None = None
    id: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", self.id or self.name)
        if not self.name:
            raise PlacementError("file name '': give it a name")
        for field, least in (("size_bytes", 0), ("replication", 1), ("block_bytes", 1)):
            if getattr(self, field) < least:
                raise PlacementError(f"file {self.name}: {field} {getattr(self, field)}; give at least {least}")

    @property
    def block_count(self) -> int:
        """Number of blocks, the last one possibly short; 0 for an empty file."""
        return -(-self.size_bytes // self.block_bytes)

    @property
    def blocks(self) -> tuple[BlockId, ...]:
        """Ids of its blocks, in order."""
        return tuple(BlockId(self.id, index) for index in range(self.block_count))

    def block_size(self, index: int) -> int:
        """Length in bytes of one block."""
        return min(self.block_bytes, self.size_bytes - index * self.block_bytes)


class BlockMap(Mapping[BlockId, tuple[str, ...]]):
    """The nodes that hold each block's replicas, first replica first; immutable.

    Raises:
        PlacementError: two replicas of a block on one node.
    """

    __slots__ = ("_replicas",)

    def __init__(self, replicas: Mapping[BlockId, tuple[str, ...]] | None = None) -> None:
        self._replicas: dict[BlockId, tuple[str, ...]] = dict(replicas or {})
        for block, nodes in self._replicas.items():
            if len(set(nodes)) != len(nodes):
                raise PlacementError(f"block {block.file}#{block.index}: two replicas on one node of {nodes}")

    def __getitem__(self, block: BlockId) -> tuple[str, ...]:
        return self._replicas[block]

    def __iter__(self) -> Iterator[BlockId]:
        return iter(self._replicas)

    def __len__(self) -> int:
        return len(self._replicas)

    def values(self) -> ValuesView[tuple[str, ...]]:
        """The nodes of all blocks; a dictionary's view, which does not look up every key as `Mapping`'s does."""
        return self._replicas.values()

    def items(self) -> ItemsView[BlockId, tuple[str, ...]]:
        """Blocks with their nodes; likewise."""
        return self._replicas.items()

    def __repr__(self) -> str:
        return f"BlockMap({self._replicas!r})"

    @classmethod
    def merged(cls, maps: Iterable[BlockMap]) -> BlockMap:
        """Several maps, which have no block in common, as one."""
        together = cls()
        for each in maps:
            together._replicas.update(each._replicas)
        return together

    def without(self, nodes: frozenset[str]) -> BlockMap:
        """The replicas that are left when these nodes are dead."""
        if not nodes:
            return self
        return BlockMap({block: tuple(n for n in held if n not in nodes) for block, held in self.items()})
