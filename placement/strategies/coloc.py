"""CoLoc: data and containers of recurring jobs together on the same few nodes (thesis, chapter 5)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from placement.blocks import BlockMap, File
from placement.colocation import Colocation, Decision, Describe, Release, Reserve
from placement.draws import pick, pick_where
from placement.errors import PlacementError
from placement.hdfs import DiskLedger
from placement.request import ContainerRequest, Placement
from placement.strategies.baselines import HdfsBlocks
from placement.view import ClusterView
from placement.yarn import default_containers, place_master


@dataclass(frozen=True, slots=True)
class CoLoc(HdfsBlocks):
    """Follows the colocation descriptions of the view; what has none goes by Hadoop's defaults.

    The set of nodes is chosen when the first file of a description comes (`before_file`), reserved when the last one
    is stored (`after_file`; for a folder: `complete`, or the first job), and released when the job ends.

    Attributes:
        choice: favoured node for the next container: "random" (Algorithm 4) or "least-loaded".
        tolerance: how far the size of a file may be from that of a past run's input, as a share of the larger,
            for the run to say how many nodes are needed (`th` of Algorithm 1).

    Raises:
        PlacementError: an unknown choice, or a tolerance outside 0 to 1.
    """

    name: str = "coloc"
    choice: Literal["random", "least-loaded"] = "random"
    tolerance: float = 0.25

    def __post_init__(self) -> None:
        HdfsBlocks.__post_init__(self)
        if self.choice not in ("random", "least-loaded"):
            raise PlacementError(f"choice {self.choice!r}: choose random or least-loaded")
        if not 0 <= self.tolerance <= 1:
            raise PlacementError(f"tolerance {self.tolerance}: give a share from 0 to 1")

    def node_set_size(self, view: ClusterView, file: File, matching: Sequence[Colocation]) -> int:
        """Number of favoured nodes for a file (Algorithm 1): the largest that any of its descriptions asks for.

        A description asks for the size it was given, else for the median number of containers of past runs of its
        job with an input of about the file's size, over the slots of a node; 0 when there is neither.
        """
        return max((one.size or self._size_from_history(view, file, one) for one in matching), default=0)

    def _size_from_history(self, view: ClusterView, file: File, colocation: Colocation) -> int:
        containers = [
            run.containers
            for run in view.history
            if run.signature == colocation.signature
            and any(
                abs(size - file.size_bytes) <= self.tolerance * max(size, file.size_bytes) for size in run.input_bytes
            )
        ]
        most = int(view.cluster.slots.max())
        return math.ceil(statistics.median(containers) / most) if containers and most else 0

    def favoured_nodes(
        self, view: ClusterView, matching: Sequence[Colocation], size: int, rng: np.random.Generator
    ) -> tuple[str, ...]:
        """The favoured nodes (Algorithm 2): those known to the descriptions, filled up at random to `size`.

        Only live nodes with disk space that nobody else has reserved are added; the set stays smaller when there
        are too few.
        """
        known = dict.fromkeys(node for one in matching for node in one.nodes if node not in view.dead)
        others = view.reserved(except_for=[one.key for one in matching])
        spare = [node for node, free in view.free_disk.items() if free > 0 and node not in known and node not in others]
        missing = min(max(0, size - len(known)), len(spare))
        added = rng.permutation(len(spare))[:missing]
        return (*known, *(spare[place] for place in added))

    def before_file(self, view: ClusterView, file: File, rng: np.random.Generator) -> Sequence[Decision]:
        """Set or adjust size and nodes of all descriptions of a new file, so that related files share nodes."""
        matching = [one for one in view.colocations.values() if one.covers(file.name)]
        size = self.node_set_size(view, file, matching)
        if not size:
            return ()
        nodes = self.favoured_nodes(view, matching, size, rng)
        return [Describe(replace(one, size=size, nodes=nodes)) for one in matching]

    def after_file(self, view: ClusterView, file: File) -> Sequence[Decision]:
        """Reserve the nodes of every description whose last file this was."""
        return [
            Reserve(one.key)
            for one in view.colocations.values()
            if one.nodes and file.name in one.files and all(name in view.files for name in one.files)
        ]

    def complete(self, view: ClusterView, folder: str) -> Sequence[Decision]:
        """Reserve the nodes of the descriptions of a folder in which all files are now stored."""
        return [
            Reserve(one.key)
            for one in view.colocations.values()
            if one.nodes and one.folder and one.folder.rstrip("/") == folder.rstrip("/")
        ]

    def before_job(self, view: ClusterView, request: ContainerRequest, rng: np.random.Generator) -> Sequence[Decision]:
        """Reserve the nodes of a folder's descriptions when their job comes and they are not reserved yet."""
        return [
            Reserve(one.key)
            for one in _descriptions_of(view, request)
            if one.nodes and one.folder and one.signature == request.signature and one.key not in view.reservations
        ]

    def after_job(self, view: ClusterView, request: ContainerRequest) -> Sequence[Decision]:
        """Release what was reserved for this job."""
        return [Release(one.key) for one in _descriptions_of(view, request) if one.signature == request.signature]

    def place_blocks(self, view: ClusterView, file: File, rng: np.random.Generator) -> BlockMap:
        """Nodes for a file's replicas (Algorithm 3); by HDFS's default policy without a description.

        All replicas but the last go inside the favoured set, each to the node with fewest blocks of this file; the
        last goes to a random node outside. A single replica goes inside. What does not fit on its side spills over.

        Raises:
            PlacementError: the replication is above the number of live nodes, or disks are full.
        """
        matching = [one for one in view.colocations.values() if one.covers(file.name)]
        favoured = [node for node in dict.fromkeys(n for one in matching for n in one.nodes) if node not in view.dead]
        if not favoured:
            return HdfsBlocks.place_blocks(self, view, file, rng)
        ledger = DiskLedger(view, file)
        outside = [node for node in ledger.rack if node not in set(favoured)]
        held = dict.fromkeys(favoured, 0)
        placed = {}
        for block in file.blocks:
            nodes: list[str] = []
            size = file.block_size(block.index)
            for replica in range(file.replication):
                within = replica < max(1, file.replication - 1)
                inside = _least_held(ledger, held, size, nodes, rng) if within else None
                name = inside or _anywhere(ledger, outside, size, nodes, rng)
                name = name or _least_held(ledger, held, size, nodes, rng)
                if name is None:
                    raise PlacementError(
                        f"block {file.name}#{block.index}: no disk with space for replica {replica + 1}; add nodes"
                    )
                ledger.take(name, size)
                nodes.append(name)
                if name in held:
                    held[name] += 1
            placed[block] = tuple(nodes)
        return BlockMap(placed)

    def place_containers(self, view: ClusterView, request: ContainerRequest, rng: np.random.Generator) -> Placement:
        """Nodes for a job's containers (Algorithm 4); the application master by YARN's default.

        Workers go to the container nodes, evenly, if a number of them is set; then to favoured nodes with room; the
        rest goes by YARN's default, on unreserved nodes first.

        Raises:
            PlacementError: they do not fit, or an input is not stored.
        """
        view.blocks_of(request.inputs)
        placed = place_master(view, request, rng)
        matching = _descriptions_of(view, request)
        room = {node: int(most) for node, most in zip(view.cluster.names, view.room(request, placed), strict=True)}
        hosts = _container_nodes(view, matching, room, rng)
        placed += _evenly(room, hosts, request.containers - len(placed), rng)
        left = {node: room[node] for node in dict.fromkeys(n for one in matching for n in one.nodes) if room[node]}
        while left and len(placed) < request.containers:
            node = self._next_favoured(view, left, rng)
            placed = (*placed, node)
            left[node] -= 1
            if not left[node]:
                del left[node]
        missing = request.containers - len(placed)
        return placed + default_containers(view, request, rng, missing, placed)

    def _next_favoured(self, view: ClusterView, left: dict[str, int], rng: np.random.Generator) -> str:
        if self.choice == "random":
            return pick(rng, list(left))
        share = {node: room / view.cluster.node(node).slots for node, room in left.items()}
        most = max(share.values())
        return pick(rng, [node for node in left if share[node] == most])


def _descriptions_of(view: ClusterView, request: ContainerRequest) -> list[Colocation]:
    return [one for one in view.colocations.values() if any(one.covers(name) for name in request.inputs)]


def _container_nodes(
    view: ClusterView, matching: Sequence[Colocation], room: Mapping[str, int], rng: np.random.Generator
) -> list[str]:
    """Random favoured nodes with room, as many as the descriptions let host containers; none when they set no number.

    When they ask for more nodes than there are favoured ones, random further ones join that nobody else has reserved.
    """
    wanted = max((one.container_nodes for one in matching), default=0)
    favoured = dict.fromkeys(node for one in matching for node in one.nodes if node not in view.dead)
    others = view.reserved(except_for=[one.key for one in matching])
    inside = [node for node in favoured if room[node]]
    outside = [node for node, most in room.items() if most and node not in favoured and node not in others]
    return _some(rng, inside, wanted) + _some(rng, outside, wanted - len(favoured))


def _some(rng: np.random.Generator, names: Sequence[str], most: int) -> list[str]:
    return [names[place] for place in rng.permutation(len(names))[:most]] if most > 0 else []


def _evenly(room: dict[str, int], nodes: Sequence[str], containers: int, rng: np.random.Generator) -> Placement:
    """Containers on these nodes, each on one that got fewest, until they are full; takes their room."""
    given = dict.fromkeys(nodes, 0)
    placed: list[str] = []
    while len(placed) < containers and (able := [node for node in nodes if room[node]]):
        fewest = min(given[node] for node in able)
        node = pick(rng, [node for node in able if given[node] == fewest])
        given[node] += 1
        room[node] -= 1
        placed.append(node)
    return tuple(placed)


def _least_held(
    ledger: DiskLedger, held: dict[str, int], size: int, nodes: list[str], rng: np.random.Generator
) -> str | None:
    able = [node for node in held if node not in nodes and ledger.has_space(node, size)]
    fewest = min((held[node] for node in able), default=0)
    return pick(rng, [node for node in able if held[node] == fewest]) if able else None


def _anywhere(
    ledger: DiskLedger, names: list[str], size: int, nodes: list[str], rng: np.random.Generator
) -> str | None:
    return pick_where(rng, names, lambda node: node not in nodes and ledger.has_space(node, size))
