"""Why a placement costs what it costs: every term, every pair of containers, every block that is not covered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from placement.blocks import BlockId
from placement.cost import CostTerms, tally, terms_of, uncovered_blocks
from placement.request import ContainerRequest, Placement
from placement.search.annealing import Annealer
from placement.search.exact import Optimum, optimum
from placement.search.instance import Instance, Objective
from placement.view import ClusterView


class Pair(NamedTuple):
    """Two containers of the job, by number, and the hops between their nodes."""

    first: int
    second: int
    first_node: str
    second_node: str
    hops: float


class NodeLoad(NamedTuple):
    """One node that the job uses.

    Attributes:
        node: its name.
        workers: the job's workers on it.
        slots: its slots.
        limit: most workers of the job that leave it in balance.
        blocks: blocks of the job that it holds.
    """

    node: str
    workers: int
    slots: int
    limit: int
    blocks: int

    @property
    def over(self) -> bool:
        """Whether it counts in the balance term."""
        return self.workers > self.limit


class Uncovered(NamedTuple):
    """A block that no worker can read locally, and the nodes that hold it."""

    block: BlockId
    replicas: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Explanation:
    """A placement taken apart.

    Attributes:
        request: the job.
        placement: node of each container.
        objective: the cost.
        terms: of the cost.
        nodes: nodes with workers.
        uncovered: blocks without a local replica.
        optimum: best placement, if it was asked for.
    """

    request: ContainerRequest
    placement: Placement
    objective: Objective
    terms: CostTerms
    nodes: tuple[NodeLoad, ...]
    uncovered: tuple[Uncovered, ...]
    optimum: Optimum | None
    _view: ClusterView = field(repr=False)

    def pairs(self) -> Iterator[Pair]:
        """Every pair of workers; the hops are weighted if the objective says so."""
        cluster = self._view.cluster
        hops = self._view.loaded_hops if self.objective.utilisation else cluster.hops
        workers = list(enumerate(self.placement))[self.request.masters :]
        for place, (first, first_node) in enumerate(workers):
            for second, second_node in workers[place + 1 :]:
                apart = hops.between_nodes(cluster.index[first_node], cluster.index[second_node]) / hops.unit
                yield Pair(first, second, first_node, second_node, apart)

    @property
    def above_optimum(self) -> float | None:
        """How much more it costs than the best placement, as a share of that; None when that was not asked for."""
        if self.optimum is None:
            return None
        more = self.terms.total - self.optimum.cost
        return more / self.optimum.cost if self.optimum.cost > 0 else float(more > 0)

    def lines(self) -> Iterator[str]:
        """The explanation in words, a line each."""
        terms, weights = self.terms, self.request.weights
        yield (
            f"cost {terms.total:.4f} ({self.objective.cost}), "
            f"closeness weighted {weights.closeness:g}, locality {weights.locality:g}"
        )
        yield f"closeness {terms.closeness:.4f}: hops {terms.hops:.4f}, balance {terms.balance:.4f}"
        yield (
            f"locality {terms.locality:.4f}: blocks not covered {terms.coverage:.4f}, "
            f"replicas not covered {terms.replica_coverage:.4f}"
        )
        for node in self.nodes:
            above = f", above its limit of {node.limit}" if node.over else ""
            yield f"node {node.node}: {node.workers} of {node.slots} slots{above}, {node.blocks} blocks"
        for pair in self.pairs():
            yield f"pair {pair.first}-{pair.second}: {pair.first_node} to {pair.second_node}, {pair.hops:g} hops"
        for block, replicas in self.uncovered:
            yield f"block {block.file}#{block.index}: not covered, on {', '.join(replicas) or 'no live node'}"
        if self.optimum is not None:
            proof = "proven optimum" if self.optimum.proven else f"best known (gap {self.optimum.gap:.1%})"
            yield f"{self.above_optimum:.2%} above the {proof} {self.optimum.cost:.4f}"


def explain(
    view: ClusterView,
    request: ContainerRequest,
    placement: Placement,
    objective: Objective | None = None,
    exact_within_s: float | None = None,
) -> Explanation:
    """Take a placement apart.

    Args:
        view: the cluster, with or without the job running in it.
        request: the job.
        placement: node of each container.
        objective: which cost.
        exact_within_s: compare with the exact optimum, found within this time; None does not.

    Raises:
        PlacementError: as `cost_terms`, and as `optimum` when that is asked for.
    """
    objective = objective or Objective()
    instance = Instance.of(view, request, objective, decided=placement[: request.masters])
    counts = instance.counts(view.cluster.positions(request.worker_nodes(placement)))
    used = np.flatnonzero(counts).tolist()
    blocks = view.blocks_of(request.inputs)
    best = None
    if exact_within_s is not None:
        hint = Annealer().place(instance, np.random.default_rng(0)).where
        best = optimum(instance, exact_within_s, hint)
    missed = (instance.block_ids[number] for number in uncovered_blocks(instance, used))
    return Explanation(
        request=request,
        placement=placement,
        objective=objective,
        terms=terms_of(instance, tally(instance, counts)),
        nodes=tuple(
            NodeLoad(
                instance.names[node],
                int(counts[node]),
                view.cluster.nodes[node].slots,
                int(instance.limit[node]),
                len(instance.blocks_on(node)),
            )
            for node in used
        ),
        uncovered=tuple(Uncovered(block, blocks[block]) for block in missed),
        optimum=best,
        _view=view,
    )
