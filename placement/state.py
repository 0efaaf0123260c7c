"""The one place that applies decisions, and refuses those that cannot be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from placement.arrays import FloatArray
from placement.blocks import BlockMap, File
from placement.cluster import Cluster
from placement.colocation import Colocation, Decision, Describe, PastRun, Reservation, Reserve
from placement.errors import PlacementError
from placement.request import ContainerRequest, Placement
from placement.view import ClusterView, RunningJob


class ClusterState:
    """A cluster over time: every change goes through a method here and leaves earlier views as they were."""

    def __init__(self, cluster: Cluster) -> None:
        self._view = ClusterView(cluster)

    def view(self) -> ClusterView:
        """The cluster as it is now."""
        return self._view

    def store(self, file: File, blocks: BlockMap) -> None:
        """Store a file's blocks where a strategy decided.

        Raises:
            PlacementError: the file exists, a block is missing or foreign, a replica is missing or lies on a node
                that is unknown, dead or full.
        """
        view = self._view
        if file.name in view.files:
            raise PlacementError(f"file {file.name!r}: already stored; delete it first or use another name")
        if set(blocks) != set(file.blocks):
            raise PlacementError(f"file {file.name!r}: {len(blocks)} blocks placed; it has {file.block_count}")
        free = dict(view.free_disk)
        for block, nodes in blocks.items():
            size = file.block_size(block.index)
            if len(nodes) != file.replication:
                raise PlacementError(
                    f"block {file.name}#{block.index}: {len(nodes)} replicas placed; replication is {file.replication}"
                )
            for node in nodes:
                if node not in free:
                    view.cluster.position(node)  # raises an error of its own where there is none
                    raise PlacementError(f"block {file.name}#{block.index}: node {node} is dead; place it elsewhere")
                free[node] -= size
                if free[node] < 0:
                    raise PlacementError(f"block {file.name}#{block.index}: no room on the disk of node {node}")
        self._set(files={**view.files, file.name: file}, stored={**view.stored, file.name: blocks})

    def delete(self, file: str) -> None:
        """Remove a file and its blocks.

        Raises:
            PlacementError: it is not stored.
        """
        self._set(files=_without(self._view.files, file, "file"), stored=_without(self._view.stored, file, "file"))

    def rename(self, file: str, name: str) -> None:
        """Give a file another name; its blocks stay as they are.

        Raises:
            PlacementError: it is not stored, or there is one of that name.
        """
        view = self._view
        if name in view.files:
            raise PlacementError(f"file {name!r}: already stored; delete it first or use another name")
        files, stored = _without(view.files, file, "file"), _without(view.stored, file, "file")
        known = {name: replace(view.files[file], name=name)}
        self._set(files={**files, **known}, stored={**stored, name: view.stored[file]})

    def start(self, request: ContainerRequest, placement: Placement) -> None:
        """Start a job's containers where a strategy decided.

        Raises:
            PlacementError: the job runs already, the number of containers is another one, or a node is unknown,
                dead or has no room.
        """
        view = self._view
        if request.job_id in view.running:
            raise PlacementError(f"job {request.job_id!r}: already running; finish it first")
        check_placement(view, request, placement)
        self._set(running={**view.running, request.job_id: RunningJob(request, tuple(placement))})

    def finish(self, job_id: str) -> None:
        """End a job: its containers leave and its run enters the history.

        Raises:
            PlacementError: it does not run.
        """
        view = self._view
        left = _without(view.running, job_id, "job")
        request = view.running[job_id].request
        sizes = tuple(view.files[file].size_bytes for name in request.inputs for file in view.files_of(name))
        run = PastRun(request.signature, sizes, request.workers)
        self._set(running=left, history=(*view.history, run))

    def remember(self, *runs: PastRun) -> None:
        """Add runs of the past to the history."""
        self._set(history=(*self._view.history, *runs))

    def describe(self, colocation: Colocation) -> None:
        """Set a colocation description, or replace the one with the same key.

        Raises:
            PlacementError: it names an unknown node.
        """
        self._view.cluster.positions(colocation.nodes)
        self._set(colocations={**self._view.colocations, colocation.key: colocation})

    def reserve(self, key: str) -> None:
        """Reserve a description's nodes for its expiry time, from now on.

        Raises:
            PlacementError: there is no such description.
        """
        view = self._view
        if key not in view.colocations:
            raise PlacementError(f"colocation {key!r}: not described; known are {sorted(view.colocations)}")
        colocation = view.colocations[key]
        reservation = Reservation(key, colocation.nodes, view.now_s + colocation.expiry_s)
        self._set(reservations={**view.reservations, key: reservation})

    def release(self, key: str) -> None:
        """End a description's reservation, if it has one."""
        self._set(reservations={k: r for k, r in self._view.reservations.items() if k != key})

    def apply(self, *decisions: Decision) -> None:
        """Apply what a strategy's hooks decided, in order.

        Raises:
            PlacementError: as `describe` and `reserve`.
        """
        for decision in decisions:
            if isinstance(decision, Describe):
                self.describe(decision.colocation)
            elif isinstance(decision, Reserve):
                self.reserve(decision.key)
            else:
                self.release(decision.key)

    def advance(self, now_s: float) -> None:
        """Set the time; reservations past theirs end.

        Raises:
            PlacementError: the time is before the present one.
        """
        if now_s < self._view.now_s:
            raise PlacementError(f"now_s {now_s}: before {self._view.now_s}; time only goes on")
        kept = {key: held for key, held in self._view.reservations.items() if held.until_s > now_s}
        self._set(now_s=now_s, reservations=kept)

    def node_dies(self, name: str) -> tuple[str, ...]:
        """A node goes down: its replicas cannot be read and its containers are gone.

        Returns:
            The jobs that had containers there; their other containers run on.

        Raises:
            PlacementError: there is no such node, or it is dead already.
        """
        view = self._view
        view.cluster.position(name)
        if name in view.dead:
            raise PlacementError(f"node {name}: already dead")
        hit = tuple(job_id for job_id, job in view.running.items() if name in job.placement)
        running = {
            job_id: RunningJob(job.request, tuple(node for node in job.placement if node != name))
            for job_id, job in view.running.items()
        }
        self._set(running=running, dead=view.dead | {name})
        return hit

    def node_returns(self, name: str) -> None:
        """A dead node comes back with its replicas and no containers.

        Raises:
            PlacementError: it is not dead.
        """
        if name not in self._view.dead:
            raise PlacementError(f"node {name}: not dead")
        self._set(dead=self._view.dead - {name})

    def measure(self, utilisation: FloatArray | None) -> None:
        """Set the utilisation of the paths between racks or nodes, as the view describes it.

        Raises:
            PlacementError: a shape that is neither, or a share outside 0 to 1.
        """
        if utilisation is not None:
            utilisation = np.array(utilisation, dtype=np.float64)
            racks, nodes = len(self._view.cluster.racks), len(self._view.cluster.nodes)
            if utilisation.shape not in ((racks, racks), (nodes, nodes)):
                raise PlacementError(
                    f"utilisation: shape {utilisation.shape}; give ({racks}, {racks}) for racks or ({nodes}, {nodes})"
                )
            if not ((utilisation >= 0) & (utilisation <= 1)).all():
                raise PlacementError("utilisation: give shares from 0 to 1")
            utilisation.flags.writeable = False
        self._set(utilisation=utilisation)

    def _set(self, **changes: Any) -> None:
        self._view = replace(self._view, **changes)


def check_placement(view: ClusterView, request: ContainerRequest, placement: Placement) -> None:
    """Refuse a placement that cannot be.

    Raises:
        PlacementError: the number of containers is another one, or a node is unknown, dead or has no room.
    """
    if len(placement) != request.containers:
        raise PlacementError(
            f"job {request.job_id}: {len(placement)} containers placed; it asks for {request.containers}"
        )
    asked = np.bincount(view.cluster.positions(placement), minlength=len(view.cluster.nodes))
    room = view.room(request)
    for place in np.flatnonzero(asked > room):
        name = view.cluster.names[place]
        raise PlacementError(
            f"job {request.job_id}: {asked[place]} containers on node {name}, which has room for {room[place]}"
            + (" because it is dead" if name in view.dead else "")
        )


def _without(mapping: Mapping[str, Any], key: str, what: str) -> dict[str, Any]:
    if key not in mapping:
        raise PlacementError(f"{what} {key!r}: unknown; known are {sorted(mapping)[:8]}")
    return {k: v for k, v in mapping.items() if k != key}
