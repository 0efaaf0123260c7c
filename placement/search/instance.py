"""One placement problem as arrays: what the costs, the annealer and the exact solver compute on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from placement.arrays import IntArray
from placement.blocks import BlockId
from placement.errors import PlacementError
from placement.request import ContainerRequest, Weights
from placement.view import ClusterView

COSTS = ("sum", "chebyshev", "product")


@dataclass(frozen=True, slots=True)
class Objective:
    """Which cost to minimise.

    Attributes:
        cost: "sum", "chebyshev", or "product" (the thesis's formula as printed).
        balance_threshold: largest share of a node's slots that is balanced (`bt` of equation 6.3).
        interference: whether containers of other jobs count towards that share.
        utilisation: whether hops are weighted by the utilisation of their paths.

    Raises:
        PlacementError: an unknown cost, or a threshold outside 0 to 1.
    """

    cost: str = "sum"
    balance_threshold: float = 0.75
    interference: bool = False
    utilisation: bool = False

    def __post_init__(self) -> None:
        if self.cost not in COSTS:
            raise PlacementError(f"cost {self.cost!r}: choose one of {', '.join(COSTS)}")
        if not 0 <= self.balance_threshold <= 1:
            raise PlacementError(f"balance_threshold {self.balance_threshold}: give a share from 0 to 1")


class Scale(NamedTuple):
    """What turns tallies into shares and shares into the cost.

    Attributes:
        kind: number of the cost in `COSTS`.
        closeness: its weight.
        locality: its weight.
        most_hops: sum of hops if all pairs of workers were a diameter apart, at least 1 (denominator of 6.2).
        blocks: number of blocks, at least 1.
        replicas: number of replicas, at least 1.
    """

    kind: int
    closeness: float
    locality: float
    most_hops: int
    blocks: int
    replicas: int


@dataclass(frozen=True, eq=False)
class Instance:
    """Where the workers of one request may go and what that costs; all arrays are read only by convention.

    Attributes:
        names: node names.
        workers: containers to place, without the application master.
        weights: of the cost's two sides.
        cost: which cost.
        room: containers that each node can take, shape (nodes,).
        limit: most containers of the job on a node that is in balance, shape (nodes,).
        group: group of each node, shape (nodes,).
        between: distance of different nodes by group, shape (groups, groups).
        diameter: largest distance.
        block_ids: the job's blocks.
        held: block numbers by node: those of node n are `held[first[n]:first[n + 1]]`.
        first: shape (nodes + 1,).
    """

    names: tuple[str, ...]
    workers: int
    weights: Weights
    cost: str
    room: IntArray
    limit: IntArray
    group: IntArray
    between: IntArray
    diameter: int
    block_ids: tuple[BlockId, ...]
    held: IntArray
    first: IntArray

    @classmethod
    def of(
        cls,
        view: ClusterView,
        request: ContainerRequest,
        objective: Objective | None = None,
        decided: Iterable[str] = (),
    ) -> Instance:
        """The problem of placing a request's workers.

        Args:
            view: the cluster; what the job itself runs there already is left out.
            request: the job.
            objective: the cost.
            also: nodes of the job's containers that are decided already (the application master).

        Raises:
            PlacementError: an input file is not stored.
        """
        objective = objective or Objective()
        hops = view.loaded_hops if objective.utilisation else view.cluster.hops
        limit = np.floor(objective.balance_threshold * view.cluster.slots + 1e-9).astype(np.int64)
        if objective.interference:
            limit = np.maximum(limit - view.taken(except_for=request.job_id), 0)
        blocks = view.blocks_of(request.inputs)
        index = view.cluster.index
        node = np.array([index[name] for replicas in blocks.values() for name in replicas], dtype=np.int64)
        replicas = np.fromiter((len(replicas) for replicas in blocks.values()), dtype=np.int64, count=len(blocks))
        block = np.repeat(np.arange(len(blocks)), replicas)
        first = np.concatenate([[0], np.cumsum(np.bincount(node, minlength=len(index)))])
        return cls(
            names=view.cluster.names,
            workers=request.workers,
            weights=request.weights,
            cost=objective.cost,
            room=view.room(request, decided),
            limit=limit,
            group=hops.group,
            between=hops.between,
            diameter=hops.diameter,
            block_ids=tuple(blocks),
            held=block[np.argsort(node, kind="stable")],
            first=first.astype(np.int64),
        )

    @property
    def blocks(self) -> int:
        """Number of the job's blocks."""
        return len(self.block_ids)

    @property
    def replicas(self) -> int:
        """Number of their replicas on live nodes."""
        return len(self.held)

    @property
    def scale(self) -> Scale:
        """Denominators and weights of the cost."""
        return Scale(
            COSTS.index(self.cost),
            float(self.weights.closeness),
            float(self.weights.locality),
            max(1, self.workers * (self.workers - 1) // 2 * self.diameter),
            max(1, self.blocks),
            max(1, self.replicas),
        )

    def blocks_on(self, node: int) -> IntArray:
        """Numbers of the blocks with a replica on a node."""
        return self.held[self.first[node] : self.first[node + 1]]

    def counts(self, where: IntArray) -> IntArray:
        """Workers on every node, from the node of every worker."""
        return np.bincount(where, minlength=len(self.names)).astype(np.int64)

    def check_room(self) -> None:
        """Refuse to place more than fits.

        Raises:
            PlacementError: the workers do not fit.
        """
        if self.room.sum() < self.workers:
            raise PlacementError(
                f"containers: {self.workers} to place, room for {self.room.sum()}; wait for jobs to end or ask for less"
            )
