"""How many switches lie between two nodes: by tiers, by a matrix, or weighted by link utilisation."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from placement.arrays import FloatArray, IntArray
from placement.errors import PlacementError

UTILISATION_STEPS = 1000


@dataclass(frozen=True, eq=False)
class Hops:
    """Distances between nodes, kept for groups of nodes that are equally far from everything else (racks, mostly).

    Distances are integers, so that sums kept up to date move by move stay exact.

    Attributes:
        group: group of each node, shape (nodes,).
        between: distance of two *different* nodes by their groups, symmetric, shape (groups, groups). The
            diagonal is the distance within a group.
        unit: what one hop counts; more than 1 when distances are fractions of hops.

    Raises:
        PlacementError: shapes do not fit, a distance is negative, or the matrix is not symmetric.
    """

    group: IntArray
    between: IntArray
    unit: int = 1

    def __post_init__(self) -> None:
        groups = len(self.between)
        if self.between.shape != (groups, groups):
            raise PlacementError(f"hops: between has shape {self.between.shape}; give a square matrix")
        if len(self.group) and not (self.group.min() >= 0 and self.group.max() < groups):
            raise PlacementError(f"hops: group {int(self.group.max())} does not exist; there are {groups}")
        if (self.between < 0).any():
            raise PlacementError(f"hops: {int(self.between.min())} is negative; hops count switches")
        if (self.between != self.between.T).any():
            raise PlacementError("hops: the matrix is not symmetric; give the same distance both ways")
        self.group.flags.writeable = False
        self.between.flags.writeable = False

    @classmethod
    def from_matrix(cls, matrix: npt.NDArray[np.integer]) -> Hops:
        """Distances given node by node; nodes with the same distances to all others become one group.

        Args:
            matrix: switch hops, zero diagonal, shape (nodes, nodes).

        Raises:
            PlacementError: the matrix is not square, not symmetric, has a negative or fractional entry, or a
                node is not at distance 0 from itself.
        """
        given = np.asarray(matrix)
        if given.ndim != 2 or given.shape[0] != given.shape[1]:
            raise PlacementError(f"hop matrix: shape {given.shape}; give one row and one column a node")
        if np.diagonal(given).any():
            raise PlacementError("hop matrix: a node is 0 hops from itself; set the diagonal to 0")
        rows = given.astype(np.int64)
        if (rows != given).any():
            raise PlacementError("hop matrix: hops count switches; give whole numbers")
        if len(rows) > 1:
            nearest = np.where(np.eye(len(rows), dtype=bool), np.iinfo(np.int64).max, rows).min(axis=1)
            np.fill_diagonal(rows, nearest)
        _, first, group = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        return cls(group.reshape(-1).astype(np.int64), rows[np.ix_(first, first)])

    @classmethod
    def from_tiers(cls, tiers: Sequence[Sequence[int]], hops: Sequence[int]) -> Hops:
        """Distances of a tree: two nodes are `hops[t]` apart where `t` is the first tier that they share.

        Args:
            tiers: for each tier, lowest first, the number of the group that every node is in; a three-tier
                fat tree gives racks, then pods.
            hops: switches between two nodes of one group, for each tier, and last between nodes that share
                none: (1, 3) for racks, (1, 3, 5) for racks and pods.

        Raises:
            PlacementError: there is not one more distance than there are tiers, or a group of one tier is
                split over two groups of the next.
        """
        if len(hops) != len(tiers) + 1:
            raise PlacementError(f"hops {tuple(hops)}: {len(tiers)} tiers need {len(tiers) + 1} distances")
        lowest, first, group = np.unique(np.asarray(tiers[0]), return_index=True, return_inverse=True)
        between = np.full((len(lowest), len(lowest)), hops[-1], dtype=np.int64)
        for number in reversed(range(len(tiers))):
            member = np.asarray(tiers[number])[first]
            if (member[group] != np.asarray(tiers[number])).any():
                raise PlacementError(f"tier {number}: splits a group of tier 0; a higher tier joins whole groups")
            between[member[:, None] == member[None, :]] = hops[number]
        return cls(group.reshape(-1).astype(np.int64), between)

    def between_nodes(self, a: int, b: int) -> int:
        """Distance of two nodes by their indices; 0 from a node to itself."""
        return 0 if a == b else int(self.between[self.group[a], self.group[b]])

    @functools.cached_property
    def diameter(self) -> int:
        """The largest distance between two nodes, 0 for a single node."""
        apart = self.between.copy()
        alone = np.bincount(self.group, minlength=len(apart)) < 2
        apart[np.diag(alone)] = 0
        return int(apart.max(initial=0))

    def matrix(self) -> IntArray:
        """Distances node by node, shape (nodes, nodes)."""
        full: IntArray = self.between[np.ix_(self.group, self.group)]
        np.fill_diagonal(full, 0)
        return full

    def weighted(self, utilisation: FloatArray, part: Sequence[int]) -> Hops:
        """Distances that grow with what the links carry: `hops * (1 + utilisation)`, in thousandths of a hop.

        An idle path of 3 hops counts 3,000, a full one 6,000.

        Args:
            utilisation: share of the path's capacity in use, 0 to 1, shape (parts, parts).
            part: row of `utilisation` of every node (its rack's, or its own), shape (nodes,).
        """
        parts = np.asarray(part, dtype=np.int64)
        keys, group = np.unique(np.stack([self.group, parts]), axis=1, return_inverse=True)
        load = np.rint(UTILISATION_STEPS * np.asarray(utilisation)).astype(np.int64)
        load = np.maximum(load, load.T)[np.ix_(keys[1], keys[1])]
        idle = self.between[np.ix_(keys[0], keys[0])]
        return Hops(
            group.reshape(-1).astype(np.int64), idle * (UTILISATION_STEPS + load), UTILISATION_STEPS * self.unit
        )
