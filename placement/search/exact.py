"""The optimum of a placement with proof, by OR-tools' CP-SAT (optional extra `exact`)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from placement.arrays import IntArray
from placement.cost import tally, terms_of
from placement.errors import PlacementError
from placement.search.instance import Instance

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

    Expression: TypeAlias = cp_model.LinearExpr | int

RESOLUTION = 10**10
"""Costs become whole multiples of its inverse, because CP-SAT computes on integers."""


@dataclass(frozen=True, eq=False)
class Optimum:
    """Best placement found and what is proven about it.

    Attributes:
        where: node of each worker.
        cost: its cost.
        bound: no placement costs less, up to the rounding of each weight to 1e-10.
        proven: whether it was proven optimal within the time limit.
        seconds: time that the solver took.
    """

    where: IntArray
    cost: float
    bound: float
    proven: bool
    seconds: float

    @property
    def gap(self) -> float:
        """How far the bound is below the cost, as a share of the cost; 0 when proven."""
        return 0.0 if self.proven or self.cost <= 0 else max(0.0, 1 - self.bound / self.cost)


def optimum(
    instance: Instance,
    time_limit_s: float = 60.0,
    hint: IntArray | None = None,
    seed: int = 0,
    threads: int | None = None,
) -> Optimum:
    """Find the cheapest placement of an instance and prove that it is.

    Args:
        instance: the problem, with cost "sum" or "chebyshev".
        time_limit_s: stop after this time with the best placement and bound so far.
        hint: a placement to start from, node of each worker; the result is never worse.
        seed: of the solver.
        threads: of the solver; None uses all cores.

    Raises:
        PlacementError: the cost is "product", OR-tools is not installed, the workers do not fit, or no placement was
            found in the time.
    """
    if instance.cost == "product":
        raise PlacementError("cost 'product': not linear, so there is no exact solver for it; use sum or chebyshev")
    try:
        from ortools.sat.python import cp_model
    except ImportError as error:
        raise PlacementError("exact: ortools is not installed; install the extra `exact`") from error
    instance.check_room()
    model = _Model(cp_model.CpModel(), instance)
    if hint is not None:
        for node, count in enumerate(instance.counts(hint).tolist()):
            model.cp.add_hint(model.workers[node], count)
    solver = _limited(cp_model.CpSolver(), time_limit_s, seed, threads)
    status = solver.solve(model.cp)
    found = [] if hint is None else [np.sort(hint)]
    if status in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        found.append(np.repeat(np.arange(len(model.workers)), [solver.value(each) for each in model.workers]))
    if not found:
        raise PlacementError(f"time_limit_s {time_limit_s}: no placement found; give more time or a hint")
    costs = [terms_of(instance, tally(instance, instance.counts(where))).total for where in found]
    return Optimum(
        where=found[int(np.argmin(costs))],
        cost=min(costs),
        bound=solver.best_objective_bound / (RESOLUTION if instance.cost == "sum" else 20 * RESOLUTION),
        proven=status == cp_model.OPTIMAL,
        seconds=solver.wall_time,
    )


def _limited(solver: cp_model.CpSolver, time_limit_s: float, seed: int, threads: int | None) -> cp_model.CpSolver:
    solver.parameters.max_time_in_seconds = time_limit_s
    solver.parameters.random_seed = seed
    # In OR-tools 9.15 this step of the presolve loses the cheapest placements of some small instances.
    solver.parameters.presolve_inclusion_work_limit = 0
    if threads is not None:
        solver.parameters.num_workers = threads
    return solver


class _Model:
    """The cost as integer constraints: workers a node, and the tallies that follow from them."""

    def __init__(self, cp: cp_model.CpModel, instance: Instance) -> None:
        self.cp = cp
        self._instance = instance
        most = np.minimum(instance.room, instance.workers).tolist()
        self.workers = [cp.new_int_var(0, most[node], f"workers_{node}") for node in range(len(most))]
        cp.add(sum(self.workers) == instance.workers)
        self._used = [self._at_least(node, 1) for node in range(len(most))]
        closeness, locality = self._closeness(), self._locality()
        if instance.cost == "sum":
            cp.minimize(closeness + locality)
            return
        larger = cp.new_int_var(0, 2 * RESOLUTION, "larger")
        cp.add(larger >= closeness)
        cp.add(larger >= locality)
        cp.minimize(19 * larger + closeness + locality)  # 20 times 0.95 and 0.05

    def _at_least(self, node: int, count: int) -> cp_model.IntVar:
        reached = self.cp.new_bool_var(f"reached_{node}_{count}")
        self.cp.add(self.workers[node] >= count).only_enforce_if(reached)
        self.cp.add(self.workers[node] < count).only_enforce_if(~reached)
        return reached

    def _weight(self, share: float) -> int:
        return round(share * RESOLUTION)

    def _closeness(self) -> Expression:
        weight = 0.5 * self._instance.weights.closeness
        return self._weight(weight / self._instance.scale.most_hops) * self._hops() + self._balance(weight)

    def _hops(self) -> Expression:
        """Sum of hops: all pairs a diameter apart, less what pairs in a group, on a node and in near groups save."""
        instance = self._instance
        farthest = int(instance.between.max())
        hops: Expression = farthest * (instance.workers * (instance.workers - 1) // 2)
        members: dict[int, list[int]] = {}
        for node, group in enumerate(instance.group.tolist()):
            members.setdefault(group, []).append(node)
        in_group = {}
        for group, nodes in members.items():
            most = min(instance.workers, int(instance.room[nodes].sum()))
            in_group[group] = self.cp.new_int_var(0, most, f"group_{group}")
            self.cp.add(in_group[group] == sum(self.workers[node] for node in nodes))
            within = int(instance.between[group, group])
            hops -= (farthest - within) * self._pairs(in_group[group], most, f"group_{group}")
            for node in nodes:
                most_here = min(instance.workers, int(instance.room[node]))
                hops -= within * self._pairs(self.workers[node], most_here, f"node_{node}")
        for one in members:
            for other in members:
                saved = farthest - int(instance.between[one, other])
                if one < other and saved:
                    across = self.cp.new_int_var(0, instance.workers**2, f"across_{one}_{other}")
                    self.cp.add_multiplication_equality(across, [in_group[one], in_group[other]])
                    hops -= saved * across
        return hops

    def _pairs(self, count: cp_model.IntVar, most: int, name: str) -> cp_model.IntVar:
        pairs = self.cp.new_int_var(0, most * (most - 1) // 2, f"pairs_{name}")
        self.cp.add_element(count, [x * (x - 1) // 2 for x in range(most + 1)], pairs)
        if self._instance.cost == "chebyshev":
            self.cp.add(2 * pairs <= (most - 1) * count)  # implied; helps this proof, and delays that of the sum
        return pairs

    def _balance(self, weight: float) -> Expression:
        """Nodes above the limit over nodes used: a table of all ratios, looked up."""
        instance = self._instance
        limits = instance.limit.tolist()
        able = [node for node, limit in enumerate(limits) if min(instance.room[node], instance.workers) > limit]
        over = [self._at_least(node, limits[node] + 1) for node in able]
        if not over:
            return 0
        most_over, most_used = len(over), min(instance.workers, int((instance.room > 0).sum()))
        most_over = min(most_over, instance.workers // (min(limits[node] for node in able) + 1))
        table = [
            self._weight(weight * min(above, used) / used)
            for above in range(most_over + 1)
            for used in range(1, most_used + 1)
        ]
        place = self.cp.new_int_var(0, len(table) - 1, "balance_place")
        self.cp.add(place == sum(over) * most_used + sum(self._used) - 1)
        balance = self.cp.new_int_var(0, max(table), "balance")
        self.cp.add_element(place, table, balance)
        return balance

    def _locality(self) -> Expression:
        instance = self._instance
        if not instance.blocks:
            return 0
        weight = instance.weights.locality / 3
        holders: list[list[int]] = [[] for _ in range(instance.blocks)]
        for node in range(len(instance.names)):
            for block in instance.blocks_on(node).tolist():
                holders[block].append(node)
        cost: Expression = 0
        for number, (nodes, blocks) in enumerate(Counter(tuple(nodes) for nodes in holders).items()):
            missed = self.cp.new_bool_var(f"missed_{number}")
            self.cp.add_bool_or([missed, *(self._used[node] for node in nodes)])
            cost += self._weight(2 * weight * blocks / instance.blocks) * missed
        for node, used in enumerate(self._used):
            share = len(instance.blocks_on(node)) / max(1, instance.replicas)
            cost += self._weight(weight * share) * (1 - used)
        return cost
