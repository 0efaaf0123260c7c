"""Where YARN puts containers when nobody tells it otherwise: on whichever node reports in with room."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from placement.arrays import IntArray
from placement.errors import PlacementError
from placement.request import ContainerRequest, Placement
from placement.view import ClusterView


def heartbeats(room: IntArray, containers: int, rng: np.random.Generator) -> IntArray:
    """Nodes of containers in the order they are handed out, as many as fit.

    In every interval each node sends one heartbeat, in random order, and gets one container if it has room
    (capacity scheduler of YARN 2.7).

    Args:
        room: containers that each node can take, shape (nodes,).
        containers: how many to place.
        rng: source of randomness.
    """
    left = room.copy()
    given: list[IntArray] = []
    missing = containers
    while missing and left.any():
        order = rng.permutation(np.flatnonzero(left))[:missing]
        left[order] -= 1
        missing -= len(order)
        given.append(order)
    return np.concatenate(given) if given else np.empty(0, dtype=np.int64)


def default_containers(
    view: ClusterView,
    request: ContainerRequest,
    rng: np.random.Generator,
    containers: int,
    decided: Iterable[str] = (),
) -> Placement:
    """Place containers by heartbeats: on nodes that nobody reserved as long as they have room, then on the others.

    Args:
        view: the cluster.
        request: the job, for the size of its containers.
        rng: source of randomness.
        containers: how many to place.
        also: nodes of the job's containers that are decided already.

    Raises:
        PlacementError: they do not fit.
    """
    room = view.room(request, decided)
    if room.sum() < containers:
        raise PlacementError(
            f"job {request.job_id}: {containers} containers to place, room for {room.sum()}; "
            "wait for jobs to finish or ask for less"
        )
    reserved = np.zeros(len(room), dtype=bool)
    reserved[view.cluster.positions(view.reserved())] = True
    first = heartbeats(np.where(reserved, 0, room), containers, rng)
    then = heartbeats(np.where(reserved, room, 0), containers - len(first), rng)
    return tuple(view.cluster.names[place] for place in (*first, *then))


def place_master(view: ClusterView, request: ContainerRequest, rng: np.random.Generator) -> Placement:
    """The application master by YARN's default, or nothing when the job has none.

    Raises:
        PlacementError: the job does not fit.
    """
    room = view.room(request)
    if room.sum() < request.containers:
        raise PlacementError(
            f"job {request.job_id}: {request.containers} containers to place, room for {room.sum()}; "
            "wait for jobs to finish or ask for less"
        )
    return default_containers(view, request, rng, request.masters)
