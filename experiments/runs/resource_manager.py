"""What a name node and a resource manager do in one run: store the data, place the jobs, free what they held."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import asdict
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from experiments.records.conversion import Decision
from experiments.runs.name_node import NameNode
from experiments.specification import strategy_modules
from experiments.specification.plan import Run
from experiments.specification.resolved_run import ResolvedRun
from placement import (
    ClusterState,
    ContainerRequest,
    PlacementError,
    Placer,
    Strategy,
    cost_terms,
)
from topologies.topology import Topology

T = TypeVar("T")


class Aside(Protocol):
    """Calls a function while other coroutines go on, or at once."""

    def __call__(self, function: Callable[[], T], /) -> Awaitable[T]:
        """What it returns."""


class ResourceManager:
    """The cluster of one run under its strategy; jobs that do not fit wait, first in, first out.

    Args:
        run: the run.
        now_s: modelled seconds since the first submission.
        decide_aside: calls the strategy.
    """

    def __init__(self, run: ResolvedRun, now_s: Callable[[], float], decide_aside: Aside = asyncio.to_thread) -> None:
        self._run = run
        self._now_s = now_s
        self._decide_aside = decide_aside
        self.state = ClusterState(run.cluster)
        self._placer = Placer(self.state, _strategy(run), run.seed)
        data = run.specification.data
        self.name_node = NameNode(self._placer, data.block_bytes, data.replication)
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    def load(self) -> None:
        """Place the input files of all jobs, after their colocations have been described to the strategy.

        Raises:
            PlacementError: they do not fit.
        """
        for planned in self._run.jobs:
            if planned.colocation is not None:
                self.state.describe(planned.colocation)
        for planned in self._run.jobs:
            for file in planned.files:
                self._placer.store(file)

    def warm_up(self, request: ContainerRequest) -> None:
        """Decide where a job would go, for nothing: what is imported or compiled on first use is there afterwards.

        Raises:
            PlacementError: its input is not loaded, so that there is nothing to decide on.
        """
        view = self.state.view()
        view.blocks_of(request.inputs)
        strategy = _strategy(self._run)  # not the one that decides, which may remember what it was asked
        with contextlib.suppress(PlacementError):  # that is for `start` to say
            strategy.place_containers(view, request, np.random.default_rng(0))

    async def start(
        self, request: ContainerRequest, last_reading: Callable[[], Mapping[str, Any] | None] = lambda: None
    ) -> Decision:
        """Wait until the job's containers fit, place and start them.

        Args:
            request: what the job asks.
            last_reading: tells the controller's last `/v1/links` document, for strategies that look at utilisation.

        Raises:
            PlacementError: they do not fit although nothing runs.
        """
        async with self._turn:
            while True:
                await self._room(request)
                self.state.advance(max(self._now_s(), self.state.view().now_s))
                if (reading := last_reading()) is not None:
                    self.state.measure(rack_utilisation(self._run.topology, reading))
                decide, view = self._placer.decision(request), self.state.view()
                began = time.perf_counter()
                placement = await self._decide_aside(decide)  # other jobs go on meanwhile
                wall_s = time.perf_counter() - began
                if self.state.view().dead == view.dead:  # else decide again
                    break
            self.state.start(request, placement)
        terms = {name: float(value) for name, value in asdict(cost_terms(view, request, placement)).items()}
        return Decision(placement, terms, wall_s)

    async def _room(self, request: ContainerRequest) -> None:
        """Wait until a job's containers fit."""
        while self.state.view().room(request).sum() < request.containers:
            if not self.state.view().running:
                raise PlacementError(
                    f"job {request.job_id}: {request.containers} containers do not fit on the live nodes of the cluster"
                )
            self._freed.clear()
            await self._freed.wait()

    def finish(self, job_id: str, dead_hosts: Collection[str]) -> None:
        """The job's containers are free again; hosts that died take no more."""
        self.name_node.know_dead(dead_hosts)
        self._placer.finish(job_id)
        self._freed.set()


def _strategy(run: Run) -> Strategy:
    return strategy_modules.load(run.specification, run.strategy)


def rack_utilisation(topology: Topology, reading: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """How busy the way between two racks is: the busier of the sender's up-links and the receiver's down-links, means
    over the parallel links, the worse of both ways.

    Args:
        topology: the network.
        reading: a `/v1/links` document.

    Returns:
        Shares from 0 to 1 by ascending rack numbers, shape (racks, racks), 0 within a rack.
    """
    rack_of = {topology.host_link[members[0]].b.node: rack for rack, members in topology.racks.items()}
    order = {rack: row for row, rack in enumerate(sorted(topology.racks))}
    busy: dict[str, list[list[float]]] = {"up": [[] for _ in order], "down": [[] for _ in order]}
    uplinks = {link.id: link for link in topology.uplinks}
    for use in reading["links"]:
        link = uplinks.get(use["id"])
        if link is not None and link.a.node in rack_of:
            busy[use["direction"]][order[rack_of[link.a.node]]].append(use["utilisation"] or 0.0)
    up, down = (np.array([np.mean(shares) if shares else 0.0 for shares in busy[way]]) for way in ("up", "down"))
    ways = np.maximum(up[:, None], down[None, :])
    matrix: npt.NDArray[np.float64] = np.clip(np.maximum(ways, ways.T), 0.0, 1.0)
    np.fill_diagonal(matrix, 0.0)
    return matrix
