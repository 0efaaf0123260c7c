"""The inner loop of the annealer: one container moves at a time and the cost follows from what changed.

The loop is written once. Plain Python runs it on lists; numba compiles the same function for arrays (see
`engine`), with the same results to the last bit: all tallies are whole numbers, and both evaluate the same
floating-point expressions in the same order.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from placement.cost import tally, total_cost
from placement.hops import FloatArray, IntArray, PlacementError
from placement.instance import COSTS, Instance

Compilable: TypeAlias = Any
"""A tuple whose members are lists in plain Python and arrays under numba."""


class Draws(NamedTuple):
    """Random numbers of a series of moves, all of shape (moves,).

    Attributes:
        container: which container moves.
        target: node that it goes to.
        patience: rise of the cost that is still accepted: temperature times an exponential variate. Accepting a
            rise below it is accepting with probability `exp(-rise / T)`, without a power that could overflow.
    """

    container: IntArray
    target: IntArray
    patience: FloatArray


class Walk(NamedTuple):
    """Outcome of a series of moves.

    Attributes:
        where: best placement seen, node of each worker.
        cost: its cost.
        final: last placement.
        evaluated: moves whose cost was computed; the others led to a full node or to the same one.
    """

    where: IntArray
    cost: float
    final: IntArray
    evaluated: int


def run_moves(
    combine: Callable[..., float],
    problem: Compilable,
    scale: Compilable,
    state: Compilable,
    draws: Compilable,
    accepted: Compilable,
) -> tuple[float, int, int]:
    """Try every drawn move in turn; `accepted` and `state` are updated in place.

    Args:
        combine: `total_cost`.
        problem: room, limit, group, between (an array), within (its diagonal), first and held of the instance.
        scale: kind of cost, both weights, most hops, blocks and replicas.
        state: node of each worker; workers of each node; nodes in use that hold each block; pull of each group:
            the sum of its distances to all workers (an array); and the tallies.
        draws: the moves.
        accepted: set to 1 for every move that was accepted, shape (moves,).

    Returns:
        Best cost, the number of the move that led to it (-1: the start), and how many moves were evaluated.
    """
    room, limit, group, between, within, first, held = problem
    kind, closeness, locality, most_hops, blocks, replicas = scale
    where, count, holders, pull, tallies = state
    container, target, patience = draws
    hops, over, used, uncovered, covered = tallies
    cost = combine(
        kind, closeness, locality, hops / most_hops, over / used, uncovered / blocks, (replicas - covered) / replicas
    )
    best, best_at, evaluated = cost, -1, 0
    for move in range(len(container)):
        a, b = where[container[move]], target[move]
        at_a, at_b = count[a], count[b]
        if a == b or at_b >= room[b]:
            continue
        evaluated += 1
        from_a, to_b = group[a], group[b]
        new_hops = hops - int(pull[from_a]) + at_a * within[from_a]
        new_hops += int(pull[to_b]) - int(between[to_b, from_a]) - at_b * within[to_b]
        new_over, new_used, new_uncovered, new_covered = over, used, uncovered, covered
        if at_a == limit[a] + 1:
            new_over -= 1
        if at_b == limit[b]:
            new_over += 1
        if at_a == 1:
            new_used -= 1
            new_covered -= first[a + 1] - first[a]
            for block in held[first[a] : first[a + 1]]:
                holders[block] -= 1
                if holders[block] == 0:
                    new_uncovered += 1
        if at_b == 0:
            new_used += 1
            new_covered += first[b + 1] - first[b]
            for block in held[first[b] : first[b + 1]]:
                if holders[block] == 0:
                    new_uncovered -= 1
                holders[block] += 1
        new_cost = combine(
            kind,
            closeness,
            locality,
            new_hops / most_hops,
            new_over / new_used,
            new_uncovered / blocks,
            (replicas - new_covered) / replicas,
        )
        if new_cost - cost <= patience[move]:
            accepted[move] = 1
            where[container[move]] = b
            count[a] = at_a - 1
            count[b] = at_b + 1
            if from_a != to_b:
                pull -= between[from_a]
                pull += between[to_b]
            hops, over, used, uncovered, covered = new_hops, new_over, new_used, new_uncovered, new_covered
            cost = new_cost
            if cost < best:
                best, best_at = cost, move
        else:
            if at_a == 1:
                for block in held[first[a] : first[a + 1]]:
                    holders[block] += 1
            if at_b == 0:
                for block in held[first[b] : first[b + 1]]:
                    holders[block] -= 1
    return best, best_at, evaluated


class Mover:
    """Runs series of moves on one instance.

    Args:
        instance: the problem; it has at least one worker.
        compiled: run the loop compiled by numba.

    Raises:
        PlacementError: numba is asked for and not installed.
    """

    def __init__(self, instance: Instance, compiled: bool = False) -> None:
        self.instance = instance
        self._combine: Callable[..., float]
        self._run: Callable[..., tuple[float, int, int]]
        self._combine, self._run = _compile() if compiled else (total_cost, run_moves)
        self._form: Callable[[Any], Any] = np.ascontiguousarray if compiled else lambda array: array.tolist()
        within = np.ascontiguousarray(instance.between.diagonal())
        lists = (instance.room, instance.limit, instance.group, within, instance.first, instance.held)
        room, limit, group, within, first, held = (self._form(array) for array in lists)
        self._problem = (room, limit, group, np.ascontiguousarray(instance.between), within, first, held)
        weights = instance.weights
        self._scale = (
            COSTS.index(instance.cost),
            float(weights.closeness),
            float(weights.locality),
            instance.most_hops,
            max(1, instance.blocks),
            max(1, instance.replicas),
        )

    def walk(self, where: IntArray, draws: Draws) -> Walk:
        """Make the drawn moves from a placement, given as the node of each worker; it is left as it was."""
        instance = self.instance
        counts = instance.counts(where)
        used = np.flatnonzero(counts)
        on_used = np.concatenate([instance.blocks_on(int(node)) for node in used])
        state = (
            self._form(where.copy()),
            self._form(counts),
            self._form(np.bincount(on_used, minlength=instance.blocks).astype(np.int64)),
            instance.between @ np.bincount(instance.group[where], minlength=len(instance.between)),
            tuple(tally(instance, counts)),
        )
        accepted = np.zeros(len(draws.container), dtype=np.uint8)
        best, best_at, evaluated = self._run(
            self._combine, self._problem, self._scale, state, tuple(self._form(draw) for draw in draws), accepted
        )
        replayed = where.copy()
        kept = np.flatnonzero(accepted[: best_at + 1])
        replayed[draws.container[kept]] = draws.target[kept]
        return Walk(replayed, float(best), np.asarray(state[0], dtype=np.int64), int(evaluated))


@functools.cache
def _compile() -> tuple[Any, Any]:
    try:
        import numba
    except ImportError as error:
        raise PlacementError("compiled: numba is not installed; install the extra `fast`, or leave it off") from error
    return numba.njit(total_cost), numba.njit(run_moves)


def has_numba() -> bool:
    """Whether compiled moves are available."""
    try:
        _compile()
    except PlacementError:
        return False
    return True


def temperatures(start: float, stop: float, factor: float) -> FloatArray:
    """Falling temperatures `start`, `start * factor`, ... above `stop`.

    Raises:
        PlacementError: values for which they would not fall.
    """
    if not (0 < stop < start and 0 < factor < 1):
        raise PlacementError(
            f"temperatures: start {start}, stop {stop}, factor {factor}; give 0 < stop < start, factor < 1"
        )
    count = math.ceil(math.log(stop / start) / math.log(factor) - 1e-9)
    return start * factor ** np.arange(count, dtype=np.float64)
