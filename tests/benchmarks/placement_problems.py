"""Placement problems of growing size for the benchmarks: racks of equal nodes, blocks placed by HDFS's default."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from placement import Cluster, ClusterState, ClusterView, ContainerRequest, File, Hops, Instance, Node, Weights
from placement.hdfs import default_blocks

BLOCK_BYTES = 2**20


@dataclass(frozen=True)
class Size:
    nodes: int
    per_rack: int
    containers: int
    blocks: int
    racks_per_pod: int = 1

    @property
    def title(self) -> str:
        return f"{self.nodes} / {self.containers} / {self.blocks}"


SIZES = (
    Size(8, 2, 11, 64),
    Size(64, 8, 48, 2_000),
    Size(1_000, 20, 200, 20_000, 10),
    Size(10_000, 40, 1_000, 100_000, 25),
)


def problem(size: Size, closeness: float = 0.5, seed: int = 0) -> tuple[ClusterView, ContainerRequest]:
    """A cluster with the blocks of one file, and a request for containers that reads it."""
    racks = [place // size.per_rack for place in range(size.nodes)]
    nodes = [Node(f"n{place}", rack) for place, rack in enumerate(racks)]
    hops = Hops.from_tiers(
        [racks, [rack // size.racks_per_pod for rack in racks]], (1, 3, 5 if size.racks_per_pod > 1 else 3)
    )
    state = ClusterState(Cluster(nodes, hops))
    file = File("input", size.blocks * BLOCK_BYTES, block_bytes=BLOCK_BYTES)
    state.store(file, default_blocks(state.view(), file, np.random.default_rng(seed)))
    weights = Weights(closeness, 1 - closeness)
    request = ContainerRequest("job", "job", size.containers, ("input",), weights=weights, application_master=False)
    return state.view(), request


def instance(size: Size, closeness: float = 0.5, seed: int = 0) -> Instance:
    """The same as arrays."""
    return Instance.of(*problem(size, closeness, seed))
