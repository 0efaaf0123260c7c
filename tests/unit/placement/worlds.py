"""Clusters, files and jobs for the tests, fixed ones and drawn by hypothesis."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from placement import (
    BlockMap,
    Cluster,
    ClusterState,
    ClusterView,
    ContainerRequest,
    File,
    Hops,
    Instance,
    Node,
    Weights,
    load_strategy,
)

BLOCK = 2**20


def thesis_cluster() -> Cluster:
    """Four racks of two nodes with eight slots each."""
    return Cluster.from_racks({rack: (f"h{2 * rack - 1}", f"h{2 * rack}") for rack in range(1, 5)})


def blocks_file(name: str, blocks: int, replication: int = 3, writer: str | None = None) -> File:
    return File(name, blocks * BLOCK, replication, BLOCK, writer)


def stored(cluster: Cluster, *files: File, seed: int = 0) -> ClusterState:
    """A state with these files, placed by HDFS's default."""
    state, rng = ClusterState(cluster), np.random.default_rng(seed)
    for file in files:
        state.store(file, load_strategy("default").place_blocks(state.view(), file, rng))
    return state


def job(
    containers: int, *inputs: str, closeness: float = 0.5, master: bool = True, job_id: str = "job"
) -> ContainerRequest:
    weights = Weights(closeness, 1 - closeness)
    return ContainerRequest(job_id, "signature", containers, inputs, weights=weights, application_master=master)


def thesis_problem(blocks: int = 64, closeness: float = 0.5, seed: int = 0) -> tuple[ClusterView, ContainerRequest]:
    """The thesis's job of 12 containers on a cluster that holds its blocks."""
    state = stored(thesis_cluster(), blocks_file("input", blocks), seed=seed)
    return state.view(), job(12, "input", closeness=closeness)


@dataclass(frozen=True)
class World:
    """A view, a request that fits, and its problem."""

    view: ClusterView
    request: ContainerRequest

    @property
    def instance(self) -> Instance:
        return Instance.of(self.view, self.request)


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    """One to four racks, tiers or an arbitrary symmetric matrix, nodes of unequal size."""
    racks = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    rack_of = [rack for rack, size in enumerate(racks) for _ in range(size)]
    nodes = [Node(f"n{place}", rack, draw(st.integers(1, 6)), 100_000, 100) for place, rack in enumerate(rack_of)]
    if draw(st.booleans()):
        pods = [rack // 2 for rack in rack_of]
        return Cluster(nodes, Hops.from_tiers([rack_of, pods], (1, 3, 5)))
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    upper = np.triu(rng.integers(0, 6, (len(nodes), len(nodes))), 1)
    return Cluster(nodes, upper + upper.T)


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """A cluster with up to 30 blocks and perhaps another job, and a request that fits."""
    cluster = draw(clusters())
    rng = np.random.default_rng(draw(st.integers(0, 1000)))
    replication = draw(st.integers(1, min(3, len(cluster.nodes))))
    file = blocks_file("input", draw(st.integers(0, 30)), replication)
    state = ClusterState(cluster)
    names = np.array(cluster.names)
    state.store(file, BlockMap({b: tuple(rng.choice(names, replication, replace=False).tolist()) for b in file.blocks}))
    slots = int(cluster.slots.sum())
    other = draw(st.integers(0, slots - 1))
    if other:
        request = job(other, job_id="other")
        state.start(request, load_strategy("random").place_containers(state.view(), request, rng))
    if draw(st.booleans()):
        racks = len(cluster.racks)
        state.measure(rng.random((racks, racks)))
    closeness = draw(st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]))
    containers = draw(st.integers(1, slots - other))
    return World(state.view(), job(containers, "input", closeness=closeness, master=draw(st.booleans())))
