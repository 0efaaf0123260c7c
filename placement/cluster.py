"""The machines: nodes with slots, memory and cores, their racks, and how far apart they are."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from placement.arrays import IntArray
from placement.distances import Hops
from placement.errors import PlacementError

SLOT_MEMORY_MB = 3072


@dataclass(frozen=True, slots=True)
class Node:
    """A worker: stores blocks and runs containers.

    Attributes:
        name: unique in the cluster.
        rack: number of its rack.
        slots: most containers it runs at a time.
        memory_mb: memory for containers, in MB.
        vcores: virtual cores for containers.
        disk_bytes: space for block replicas; None is unlimited.

    Raises:
        PlacementError: a negative amount.
    """

    name: str
    rack: int
    slots: int = 8
    memory_mb: int = 8 * SLOT_MEMORY_MB
    vcores: int = 8
    disk_bytes: int | None = None

    def __post_init__(self) -> None:
        for field in ("slots", "memory_mb", "vcores", "disk_bytes"):
            amount = getattr(self, field)
            if amount is not None and amount < 0:
                raise PlacementError(f"node {self.name}: {field} {amount} is negative; give 0 or more")


@dataclass(frozen=True, eq=False)
class Cluster:
    """Nodes and the distances between them; nodes are counted in the order given.

    Attributes:
        nodes: the workers.
        hops: switch hops between them; a matrix of shape (nodes, nodes) is turned into `Hops`.

    Raises:
        PlacementError: no nodes, a name used twice, or distances for another number of nodes.
    """

    nodes: tuple[Node, ...]
    hops: Hops

    def __init__(self, nodes: Sequence[Node], hops: Hops | npt.NDArray[np.integer]) -> None:
        object.__setattr__(self, "nodes", tuple(nodes))
        object.__setattr__(self, "hops", hops if isinstance(hops, Hops) else Hops.from_matrix(hops))
        if not self.nodes:
            raise PlacementError("nodes: none; give at least one")
        if len(self.index) != len(self.nodes):
            twice = next(node.name for place, node in enumerate(self.nodes) if self.index[node.name] != place)
            raise PlacementError(f"node name {twice!r}: used twice; give each its own")
        if len(self.hops.group) != len(self.nodes):
            raise PlacementError(f"hops: {len(self.hops.group)} nodes, but the cluster has {len(self.nodes)}")

    @classmethod
    def from_racks(
        cls,
        racks: Mapping[int, Sequence[str]],
        slots: int = 8,
        hop_matrix: npt.NDArray[np.integer] | None = None,
    ) -> Cluster:
        """Equal nodes with room for `slots` containers of 3 GB and one core each.

        Args:
            racks: node names by rack number.
            slots: containers a node.
            hop_matrix: switch hops in the order of the names; None is 1 in a rack and 3 between racks.
        """
        nodes = [
            Node(name, rack, slots, slots * SLOT_MEMORY_MB, slots) for rack, names in racks.items() for name in names
        ]
        return cls(
            nodes, Hops.from_tiers([[node.rack for node in nodes]], (1, 3)) if hop_matrix is None else hop_matrix
        )

    @functools.cached_property
    def index(self) -> Mapping[str, int]:
        """Position of every node by its name."""
        return {node.name: place for place, node in enumerate(self.nodes)}

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Node names, in order."""
        return tuple(node.name for node in self.nodes)

    @functools.cached_property
    def racks(self) -> Mapping[int, tuple[str, ...]]:
        """Node names by rack number, racks in ascending order."""
        members: dict[int, list[str]] = {rack: [] for rack in sorted({node.rack for node in self.nodes})}
        for node in self.nodes:
            members[node.rack].append(node.name)
        return {rack: tuple(names) for rack, names in members.items()}

    @functools.cached_property
    def slots(self) -> IntArray:
        """Slots of every node, shape (nodes,)."""
        slots = np.array([node.slots for node in self.nodes], dtype=np.int64)
        slots.flags.writeable = False
        return slots

    def node(self, name: str) -> Node:
        """The node of this name.

        Raises:
            PlacementError: there is none.
        """
        return self.nodes[self.position(name)]

    def position(self, name: str) -> int:
        """Position of the node of this name.

        Raises:
            PlacementError: there is none.
        """
        try:
            return self.index[name]
        except KeyError:
            raise PlacementError(f"node {name!r}: not in the cluster of {self._some_names()}") from None

    def positions(self, names: Iterable[str]) -> IntArray:
        """Positions of several nodes.

        Raises:
            PlacementError: one of them does not exist.
        """
        return np.array([self.position(name) for name in names], dtype=np.int64)

    def _some_names(self) -> str:
        shown = ", ".join(self.names[:8])
        return shown if len(self.nodes) <= 8 else f"{shown}, ... ({len(self.nodes)} nodes)"
