"""One strategy at work on one cluster: what a name node and a resource manager do with its decisions."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from placement.blocks import BlockMap, File
from placement.request import ContainerRequest, Placement
from placement.state import ClusterState
from placement.strategy import Hooks, Strategy


class Placer:
    """Asks a strategy, applies what it decides, and calls its hooks; all strategies are run alike.

    Every file and every job has random numbers of its own, which follow from the seed and its name: what two strategies
    decide alike they decide alike whatever else they drew before, so that their runs can be compared in pairs.

    Args:
        state: the cluster; several placers may share it, one for each strategy in use.
        strategy: who decides.
        seed: of all randomness, at least 0.
    """

    def __init__(self, state: ClusterState, strategy: Strategy, seed: int) -> None:
        self.state = state
        self.strategy = strategy
        self._seed = seed
        self._hooks = strategy if isinstance(strategy, Hooks) else None

    def store(self, file: File) -> BlockMap:
        """Place and store a file.

        Raises:
            PlacementError: it does not fit.
        """
        rng = self._rng(f"file {file.name}")
        if self._hooks:
            self.state.apply(*self._hooks.before_file(self.state.view(), file, rng))
        blocks = self.strategy.place_blocks(self.state.view(), file, rng)
        self.state.store(file, blocks)
        if self._hooks:
            self.state.apply(*self._hooks.after_file(self.state.view(), file))
        return blocks

    def submit(self, request: ContainerRequest) -> Placement:
        """Place and start a job.

        Raises:
            PlacementError: it does not fit, or an input is not stored.
        """
        placement = self.decision(request)()
        self.state.start(request, placement)
        return placement

    def decision(self, request: ContainerRequest) -> Callable[[], Placement]:
        """The decision where a job goes, which is taken when it is called, from the cluster as it is now.

        The call may be made in another thread; `state.start` then starts the job. The call raises PlacementError where
        the job does not fit or an input is not stored.
        """
        rng = self._rng(f"job {request.job_id}")
        if self._hooks:
            self.state.apply(*self._hooks.before_job(self.state.view(), request, rng))
        return functools.partial(self.strategy.place_containers, self.state.view(), request, rng)

    def finish(self, job_id: str) -> None:
        """End a job.

        Raises:
            PlacementError: it does not run.
        """
        running = self.state.view().running.get(job_id)
        self.state.finish(job_id)
        if self._hooks and running:
            self.state.apply(*self._hooks.after_job(self.state.view(), running.request))

    def _rng(self, what: str) -> np.random.Generator:
        return np.random.default_rng([self._seed, *what.encode()])
