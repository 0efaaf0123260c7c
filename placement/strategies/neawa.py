"""NeAwa: containers where the cost is lowest, found by simulated annealing (thesis, chapter 6)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from placement.errors import PlacementError
from placement.request import ContainerRequest, Placement
from placement.search.annealing import Annealer
from placement.search.instance import Instance, Objective
from placement.search.moves import has_numba
from placement.strategies.baselines import HdfsBlocks
from placement.view import ClusterView
from placement.yarn import place_master


@dataclass(frozen=True, slots=True)
class NeAwa(HdfsBlocks):
    """HDFS's blocks; the application master by YARN's default; the workers at the lowest cost the annealer finds.

    Attributes:
        cost: "sum", "chebyshev" or "product"; see `total_cost`.
        balance_threshold: largest share of a node's slots that is balanced.
        interference: whether containers of other jobs count towards that share.
        compiled: run the annealer's moves compiled by numba: the same placement in a tenth of the time; None does so if
            it is installed.
        annealer: how to search.
    """

    name: str = "neawa"
    cost: str = "sum"
    balance_threshold: float = 0.75
    interference: bool = False
    compiled: bool | None = None
    annealer: Annealer = field(default_factory=Annealer)

    def __post_init__(self) -> None:
        HdfsBlocks.__post_init__(self)
        _ = self.objective
        for name, value, kinds in (
            ("interference", self.interference, bool),
            ("compiled", self.compiled, (bool, type(None))),
            ("annealer", self.annealer, Annealer),
        ):
            if not isinstance(value, kinds):
                wanted = "an Annealer, which takes Python" if kinds is Annealer else "true or false"
                raise PlacementError(f"{name} {value!r}: give {wanted}")
        if self.compiled and not has_numba():
            raise PlacementError("compiled true: numba is not installed; install the extra `fast`, or leave it out")

    @property
    def objective(self) -> Objective:
        """The cost that it minimises."""
        return Objective(self.cost, self.balance_threshold, self.interference)

    def place_containers(self, view: ClusterView, request: ContainerRequest, rng: np.random.Generator) -> Placement:
        """Nodes for a job's containers, by Algorithm 5."""
        master = place_master(view, request, rng)
        instance = Instance.of(view, request, self.objective, decided=master)
        compiled = has_numba() if self.compiled is None else self.compiled
        where = self.annealer.place(instance, rng, compiled).where
        return master + tuple(view.cluster.names[place] for place in where)


@dataclass(frozen=True, slots=True)
class NeAwaUtilisation(NeAwa):
    """NeAwa with hops that count more the busier their path is; the same as NeAwa on an idle network."""

    name: str = "neawa-utilisation"

    @property
    def objective(self) -> Objective:
        """The cost that it minimises."""
        return Objective(self.cost, self.balance_threshold, self.interference, utilisation=True)
