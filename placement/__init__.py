"""Where datablocks and containers go: cluster state, costs and strategies; pure, no I/O.

`ClusterState` holds a cluster and applies decisions, a `Strategy` decides from its view, and `cost_terms` says how
good a placement is. `Placer` runs one strategy on one state.
"""

from placement.blocks import HDFS_BLOCK_BYTES, BlockId, BlockMap, File
from placement.cluster import Cluster, Node
from placement.colocation import Colocation, Decision, Describe, PastRun, Release, Reservation, Reserve
from placement.cost import CostTerms, cost_terms
from placement.distances import Hops
from placement.errors import PlacementError
from placement.explain import Explanation, explain
from placement.placer import Placer
from placement.request import ContainerRequest, Placement, Weights
from placement.search.annealing import Annealer, Schedule
from placement.search.exact import Optimum, optimum
from placement.search.instance import COSTS, Instance, Objective
from placement.state import ClusterState, check_placement
from placement.strategy import Hooks, Strategy, load_strategy, strategy_names
from placement.view import ClusterView, RunningJob

__all__ = [
    "COSTS",
    "HDFS_BLOCK_BYTES",
    "Annealer",
    "BlockId",
    "BlockMap",
    "Cluster",
    "ClusterState",
    "ClusterView",
    "Colocation",
    "ContainerRequest",
    "CostTerms",
    "Decision",
    "Describe",
    "Explanation",
    "File",
    "Hooks",
    "Hops",
    "Instance",
    "Node",
    "Objective",
    "Optimum",
    "PastRun",
    "Placement",
    "PlacementError",
    "Placer",
    "Release",
    "Reservation",
    "Reserve",
    "RunningJob",
    "Schedule",
    "Strategy",
    "Weights",
    "check_placement",
    "cost_terms",
    "explain",
    "load_strategy",
    "optimum",
    "strategy_names",
]
