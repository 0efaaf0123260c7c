"""Strategies to compare with: Hadoop's defaults, chance, turns, and as few nodes as possible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placement.arrays import IntArray
from placement.blocks import BlockMap, File
from placement.errors import PlacementError
from placement.hdfs import Wording, default_blocks
from placement.request import ContainerRequest, Placement
from placement.view import ClusterView
from placement.yarn import default_containers, place_master


@dataclass(frozen=True, slots=True)
class HdfsBlocks:
    """Blocks by HDFS's default policy; what all strategies but CoLoc do with files.

    Attributes:
        blocks: "hdfs", or "thesis" for the thesis's wording of the policy.

    Raises:
        PlacementError: another wording.
    """

    blocks: Wording = "hdfs"

    def __post_init__(self) -> None:
        if self.blocks not in ("hdfs", "thesis"):
            raise PlacementError(f"blocks {self.blocks!r}: choose hdfs or thesis")

    def place_blocks(self, view: ClusterView, file: File, rng: np.random.Generator) -> BlockMap:
        """Nodes for a file's replicas, by HDFS's default policy."""
        return default_blocks(view, file, rng, self.blocks)


@dataclass(frozen=True, slots=True)
class Default(HdfsBlocks):
    """Hadoop out of the box: HDFS's blocks, YARN's containers."""

    name: str = "default"

    def place_containers(self, view: ClusterView, request: ContainerRequest, rng: np.random.Generator) -> Placement:
        """Nodes for a job's containers, by heartbeats."""
        return default_containers(view, request, rng, request.containers)


@dataclass(frozen=True, slots=True)
class Random(HdfsBlocks):
    """Every container on a free slot at random, all slots alike."""

    name: str = "random"

    def place_containers(self, view: ClusterView, request: ContainerRequest, rng: np.random.Generator) -> Placement:
        """Nodes for a job's containers, drawn from all free slots."""
        master = place_master(view, request, rng)
        slots = np.repeat(np.arange(len(view.cluster.nodes)), view.room(request, master))
        return master + _named(view, rng.choice(slots, size=request.workers, replace=False))


@dataclass(frozen=True, slots=True)
class RoundRobin(HdfsBlocks):
    """One container a node in turn, in the order of the nodes, on from where the running containers end."""

    name: str = "round-robin"

    def place_containers(self, view: ClusterView, request: ContainerRequest, rng: np.random.Generator) -> Placement:
        """Nodes for a job's containers, in turn."""
        master = place_master(view, request, rng)
        room = view.room(request, master)
        nodes = len(room)
        turns = np.roll(np.arange(nodes), -(int(view.taken().sum()) % nodes))
        left = room[turns]
        rounds = [turns[left > turn] for turn in range(int(room.max(initial=0)))]
        return master + _named(view, np.concatenate([*rounds, np.empty(0, dtype=np.int64)])[: request.workers])


@dataclass(frozen=True, slots=True)
class Packed(HdfsBlocks):
    """As few nodes as possible: the nodes with most room first, ties within the rack that is begun."""

    name: str = "packed"

    def place_containers(self, view: ClusterView, request: ContainerRequest, rng: np.random.Generator) -> Placement:
        """Nodes for a job's containers, filled one by one."""
        master = place_master(view, request, rng)
        room = view.room(request, master)
        racks = np.array([node.rack for node in view.cluster.nodes])
        in_rack = {rack: room[racks == rack].sum() for rack in set(racks.tolist())}
        tie = rng.permutation(len(room))
        order = np.lexsort((tie, racks, [-in_rack[rack] for rack in racks.tolist()], -room))
        return master + _named(view, np.repeat(order, room[order])[: request.workers])


def _named(view: ClusterView, places: IntArray) -> Placement:
    return tuple(view.cluster.names[place] for place in places)
