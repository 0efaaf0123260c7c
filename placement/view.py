"""What a strategy sees: an immutable picture of the cluster at one moment."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from placement.arrays import FloatArray, IntArray
from placement.blocks import BlockMap, File
from placement.cluster import Cluster
from placement.colocation import Colocation, PastRun, Reservation
from placement.distances import Hops
from placement.errors import PlacementError
from placement.request import ContainerRequest, Placement


@dataclass(frozen=True, slots=True)
class RunningJob:
    """A job that holds containers."""

    request: ContainerRequest
    placement: Placement


@dataclass(frozen=True)
class ClusterView:
    """Cluster, stored blocks, running containers and reservations; a strategy decides from this alone.

    Attributes:
        cluster: the machines.
        files: stored files by name.
        stored: where the replicas of each file are, dead nodes included.
        running: running jobs by id.
        colocations: CoLoc's descriptions by key.
        reservations: reservations by key; those past their time no longer count.
        history: finished jobs, oldest first.
        dead: nodes that are down.
        utilisation: share of the path between two racks (in ascending order of their numbers) or two nodes that
            is in use, 0 to 1, shape (racks, racks) or (nodes, nodes); None when nobody measures it.
        now_s: the time.
    """

    cluster: Cluster
    files: Mapping[str, File] = field(default_factory=dict)
    stored: Mapping[str, BlockMap] = field(default_factory=dict)
    running: Mapping[str, RunningJob] = field(default_factory=dict)
    colocations: Mapping[str, Colocation] = field(default_factory=dict)
    reservations: Mapping[str, Reservation] = field(default_factory=dict)
    history: tuple[PastRun, ...] = ()
    dead: frozenset[str] = frozenset()
    utilisation: FloatArray | None = None
    now_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("files", "stored", "running", "colocations", "reservations"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @functools.cached_property
    def blocks(self) -> BlockMap:
        """The replicas of all files on live nodes."""
        return self.blocks_of(self.stored)

    def files_of(self, name: str) -> tuple[str, ...]:
        """The stored files that a name stands for: the one of that name, or all below the folder."""
        return (name,) if name in self.stored else tuple(file for file in self.stored if file.startswith(f"{name}/"))

    def blocks_of(self, names: Iterable[str]) -> BlockMap:
        """The replicas of some files and folders on live nodes.

        Raises:
            PlacementError: nothing of a name is stored.
        """
        files: list[str] = []
        for name in names:
            found = self.files_of(name)
            if not found:
                raise PlacementError(f"file {name!r}: not stored; store it before a job reads it")
            files += found
        return BlockMap.merged(self.stored[file] for file in files).without(self.dead)

    @functools.cached_property
    def alive(self) -> IntArray:
        """Positions of the live nodes, ascending."""
        down = {self.cluster.index[name] for name in self.dead}
        up = np.array([place for place in range(len(self.cluster.nodes)) if place not in down], dtype=np.int64)
        up.flags.writeable = False
        return up

    def taken(self, except_for: str = "") -> IntArray:
        """Containers on every node, those of job `but` left out, shape (nodes,)."""
        count = np.zeros(len(self.cluster.nodes), dtype=np.int64)
        for job_id, job in self.running.items():
            if job_id != except_for:
                np.add.at(count, self.cluster.positions(job.placement), 1)
        return count

    def room(self, request: ContainerRequest, decided: Iterable[str] = ()) -> IntArray:
        """How many containers of this request each node can still take; 0 on dead nodes, shape (nodes,).

        Args:
            request: for the size of its containers; what the job already runs is left out.
            also: nodes of further containers of this request that are decided but not running yet.
        """
        nodes = self.cluster.nodes
        slots, memory_mb, vcores = self._capacity.copy()
        for job_id, job in self.running.items():
            if job_id != request.job_id:
                where = self.cluster.positions(job.placement)
                np.subtract.at(slots, where, 1)
                np.subtract.at(memory_mb, where, job.request.memory_mb)
                np.subtract.at(vcores, where, job.request.vcores)
        most = slots
        for free, need in ((memory_mb, request.memory_mb), (vcores, request.vcores)):
            if need:
                most = np.minimum(most, free // need)
        np.subtract.at(most, self.cluster.positions(decided), 1)
        up = np.zeros(len(nodes), dtype=np.int64)
        up[self.alive] = 1
        room: IntArray = np.maximum(most, 0) * up
        return room

    @functools.cached_property
    def _capacity(self) -> IntArray:
        amounts = np.array([[n.slots, n.memory_mb, n.vcores] for n in self.cluster.nodes], dtype=np.int64)
        return np.ascontiguousarray(amounts.T)

    @functools.cached_property
    def free_disk(self) -> Mapping[str, float]:
        """Bytes left for replicas on every live node; infinite where the disk has no limit."""
        free = {
            node.name: float("inf") if node.disk_bytes is None else float(node.disk_bytes)
            for node in self.cluster.nodes
            if node.name not in self.dead
        }
        limited = any(amount < float("inf") for amount in free.values())
        for name, held in self.stored.items() if limited else ():
            for block, nodes in held.items():
                for node in nodes:
                    if node in free:
                        free[node] -= self.files[name].block_size(block.index)
        return MappingProxyType(free)

    def reserved(self, except_for: Iterable[str] = ()) -> frozenset[str]:
        """Nodes under a reservation that has not lapsed, those of the descriptions `but` left out."""
        own = set(except_for)
        return frozenset(
            node
            for key, reservation in self.reservations.items()
            if key not in own and reservation.until_s > self.now_s
            for node in reservation.nodes
        )

    @functools.cached_property
    def loaded_hops(self) -> Hops:
        """Distances weighted by `utilisation`; plain hops without it."""
        if self.utilisation is None:
            return self.cluster.hops
        if len(self.utilisation) == len(self.cluster.racks):
            order = {rack: place for place, rack in enumerate(self.cluster.racks)}
            return self.cluster.hops.weighted(self.utilisation, [order[n.rack] for n in self.cluster.nodes])
        return self.cluster.hops.weighted(self.utilisation, range(len(self.cluster.nodes)))
