"""NeAwa's cost of a placement, term by term (thesis, equations 6.1 to 6.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from placement.arrays import IntArray
from placement.errors import PlacementError
from placement.request import ContainerRequest, Placement
from placement.search.instance import COSTS, Instance, Objective, Scale
from placement.view import ClusterView

SUM, CHEBYSHEV, PRODUCT = range(len(COSTS))


@dataclass(frozen=True, slots=True)
class CostTerms:
    """The terms of a placement's cost, all from 0 to 1, lower is better.

    Attributes:
        hops: hops between its workers over the most there could be (6.2).
        balance: share of its nodes with more workers than the balance threshold allows (6.3).
        coverage: share of its blocks with no replica on one of its nodes (6.4).
        replica_coverage: share of block replicas that are not on one of its nodes (6.5).
        closeness: hops and balance together (6.1).
        locality: coverage and replica coverage together, 2:1 (6.6).
        total: the cost.
    """

    hops: float
    balance: float
    coverage: float
    replica_coverage: float
    closeness: float
    locality: float
    total: float


class Tallies(NamedTuple):
    """The whole numbers that all terms follow from.

    Attributes:
        hops: sum of the distances of all pairs of workers.
        over: used nodes above their balance limit.
        used: nodes with a worker.
        uncovered: blocks without a replica on a used node.
        missed: replicas that are not on a used node.
    """

    hops: int
    over: int
    used: int
    uncovered: int
    missed: int


def total_cost(scale: Scale, hops: int, over: int, used: int, uncovered: int, missed: int) -> float:
    """Combine the tallies into the cost; plain arithmetic, so that numba can compile it as well.

    "sum" and "chebyshev" add up the two terms of each side; "product" multiplies everything, as printed.
    """
    kind, closeness_weight, locality_weight, most_hops, blocks, replicas = scale
    far, unbalanced, cov, rep = hops / most_hops, over / used, uncovered / blocks, missed / replicas
    closeness = closeness_weight * (0.5 * far + 0.5 * unbalanced)
    locality = locality_weight * ((2.0 * cov + rep) / 3.0)
    if kind == SUM:
        return closeness + locality
    if kind == CHEBYSHEV:
        return 0.95 * max(closeness, locality) + 0.05 * (closeness + locality)
    return (closeness_weight * (far * unbalanced)) * (locality_weight * ((2.0 * cov / 3.0) * (rep / 3.0)))


def tally(instance: Instance, counts: IntArray) -> Tallies:
    """Count everything about a placement from scratch.

    Args:
        instance: the problem.
        counts: workers on every node, shape (nodes,).
    """
    used = np.flatnonzero(counts)
    workers = counts[used]
    by_group = np.bincount(instance.group[used], weights=workers, minlength=len(instance.between)).astype(np.int64)
    within = instance.between.diagonal()
    # The quadratic form counts every pair twice, and pairs on one node (x² a node) as if they were on two.
    twice = by_group @ instance.between @ by_group - int((workers * workers * within[instance.group[used]]).sum())
    sizes = instance.first[used + 1] - instance.first[used]
    return Tallies(
        hops=int(twice) // 2,
        over=int((workers > instance.limit[used]).sum()),
        used=len(used),
        uncovered=len(uncovered_blocks(instance, used)),
        missed=instance.replicas - int(sizes.sum()),
    )


def terms_of(instance: Instance, tallies: Tallies) -> CostTerms:
    """The terms that follow from the tallies; a job without blocks has no locality cost."""
    tallies = tallies._replace(used=max(1, tallies.used))
    scale = instance.scale
    hops, balance = tallies.hops / scale.most_hops, tallies.over / tallies.used
    cov, rep = tallies.uncovered / scale.blocks, tallies.missed / scale.replicas
    if scale.kind == PRODUCT:
        closeness, locality = hops * balance, (2.0 * cov / 3.0) * (rep / 3.0)
    else:
        closeness, locality = 0.5 * hops + 0.5 * balance, (2.0 * cov + rep) / 3.0
    return CostTerms(hops, balance, cov, rep, closeness, locality, total_cost(scale, *tallies))


def cost_terms(
    view: ClusterView, request: ContainerRequest, placement: Placement, objective: Objective | None = None
) -> CostTerms:
    """The cost of a placement; the application master does not count.

    Args:
        view: the cluster, with or without the job running in it.
        request: the job.
        placement: node of each container.
        objective: which cost; the weighted sum unless given.

    Raises:
        PlacementError: an unknown node, another number of containers, or an input file that is not stored.
    """
    if len(placement) != request.containers:
        raise PlacementError(
            f"job {request.job_id}: placement of {len(placement)} containers; it asks for {request.containers}"
        )
    instance = Instance.of(view, request, objective)
    where = view.cluster.positions(request.worker_nodes(placement))
    return terms_of(instance, tally(instance, instance.counts(where)))


def uncovered_blocks(instance: Instance, used: Iterable[int]) -> IntArray:
    """Numbers of the blocks without a replica on any of these nodes."""
    covered = np.zeros(instance.blocks, dtype=bool)
    for node in used:
        covered[instance.blocks_on(node)] = True
    return np.flatnonzero(~covered)
