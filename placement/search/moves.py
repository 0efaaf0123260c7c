"""The inner loop of the annealer: one container moves at a time and the cost follows from what changed.

The loop is written once. Plain Python runs it on lists; numba compiles the same function for arrays (see
`engine`), with the same results to the last bit: all tallies are whole numbers, and both evaluate the same
floating-point expressions in the same order.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable
from types import FunctionType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from placement.arrays import FloatArray, IntArray
from placement.compiling import COMPILED
from placement.cost import tally, total_cost
from placement.errors import PlacementError
from placement.search.instance import Instance

Form: TypeAlias = Any
"""Numbers in the form that the loop runs on: lists in plain Python, arrays under numba; or a tuple of such."""


Step: TypeAlias = Callable[..., Any]
"""A function that the loop calls; the loop and its steps are all compiled, or none is."""

MOST_GROUPS_IN_LISTS = 48
"""Above this, plain Python keeps pulls in an array, which costs more to read and less to update."""


Tried: TypeAlias = tuple[float, int, int]


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

    def first(self, moves: int) -> Draws:
        """The first few moves."""
        return Draws(self.container[:moves], self.target[:moves], self.patience[:moves])


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


def run_moves(problem: Form, state: Form, draws: Form) -> Tried:
    """Try every drawn move in turn, by `total_cost` and the functions below; `state` is updated in place.

    `problem`: room, limit, group, between, within (its diagonal), first, held and scale of the instance. `state`: node
    of each worker; workers of each node; used nodes that hold each block; pull of each group; tallies; and for each
    move a 0, or 1 once accepted. Returns the best cost, the move that led to it (-1: the start), and moves evaluated.
    """
    room, limit, group, between, within, first, held, scale = problem
    where, count, holders, pull, (hops, over, used, uncovered, missed), accepted = state
    best = cost = total_cost(scale, hops, over, used, uncovered, missed)
    best_at, evaluated = -1, 0
    for move, (moved, b, patience) in enumerate(zip(*draws)):  # noqa: B905  numba knows no strict
        a = where[moved]
        at_b = count[b]
        if a == b or at_b >= room[b]:
            continue
        evaluated += 1
        at_a, from_a, to_b = count[a], group[a], group[b]
        new_hops = (
            hops + pull[to_b] - pull[from_a] - between[to_b][from_a] + at_a * within[from_a] - at_b * within[to_b]
        )
        new_over, new_used, new_uncovered, new_missed = over, used, uncovered, missed
        if at_a == limit[a] + 1:
            new_over -= 1
        if at_b == limit[b]:
            new_over += 1
        if at_a == 1:
            new_used -= 1
            new_uncovered += leave(holders, held, first[a], first[a + 1])
            new_missed += first[a + 1] - first[a]
        if at_b == 0:
            new_used += 1
            new_uncovered -= join(holders, held, first[b], first[b + 1])
            new_missed -= first[b + 1] - first[b]
        new_cost = total_cost(scale, new_hops, new_over, new_used, new_uncovered, new_missed)
        if new_cost - cost <= patience:
            accepted[move] = 1
            where[moved], count[a], count[b] = b, at_a - 1, at_b + 1
            if from_a != to_b:
                shift(pull, between[from_a], between[to_b])
            hops, over, used, uncovered, missed = new_hops, new_over, new_used, new_uncovered, new_missed
            cost = new_cost
            if cost < best:
                best, best_at = cost, move
            continue
        if at_a == 1:
            join(holders, held, first[a], first[a + 1])
        if at_b == 0:
            leave(holders, held, first[b], first[b + 1])
    return best, best_at, evaluated


def leave(holders: Form, held: Form, start: int, stop: int) -> int:
    """A node with the blocks `held[start:stop]` is used no more; returns how many are not covered any more."""
    lost = 0
    for block in held[start:stop]:
        holders[block] -= 1
        if holders[block] == 0:
            lost += 1
    return lost


def join(holders: Form, held: Form, start: int, stop: int) -> int:
    """A node with these blocks is used now; returns how many were not covered before."""
    found = 0
    for block in held[start:stop]:
        if holders[block] == 0:
            found += 1
        holders[block] += 1
    return found


def shift(pull: Form, away: Form, there: Form) -> None:
    """Update the pull of each group, the sum of its distances to all workers: one was `away` far, now it is `there`."""
    for group in range(len(pull)):
        pull[group] += there[group] - away[group]


def shift_array(pull: IntArray, away: IntArray, there: IntArray) -> None:
    """The same for arrays without a loop."""
    pull -= away
    pull += there


def loop(**steps: Step) -> Step:
    """`run_moves`, but that it calls other functions than those of these names."""
    return FunctionType(run_moves.__code__, {**run_moves.__globals__, **steps}, run_moves.__name__)


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
        self._form: Callable[[npt.NDArray[Any]], Any] = _as_words if compiled else _as_list
        self._matrix_form: Callable[[npt.NDArray[Any]], Any] = self._form
        self._run: Step = _compiled() if compiled else run_moves
        if not compiled and len(instance.between) > MOST_GROUPS_IN_LISTS:
            self._run = loop(shift=shift_array)
            self._matrix_form = np.ascontiguousarray
        between = self._matrix_form(instance.between)
        arrays = (instance.between.diagonal(), instance.first, instance.held)
        rest = (self._form(array) for array in (instance.room, instance.limit, instance.group))
        self._problem = (*rest, between, *(self._form(array) for array in arrays), tuple(instance.scale))

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
            self._matrix_form(instance.between @ np.bincount(instance.group[where], minlength=len(instance.between))),
            tuple(tally(instance, counts)),
            self._form(np.zeros(len(draws.container), dtype=np.int64)),
        )
        listed = tuple(self._form(draw) for draw in draws)
        best, best_at, evaluated = self._run(self._problem, state, listed)
        replayed = where.copy()
        kept = np.flatnonzero(np.asarray(state[-1][: best_at + 1]))
        replayed[draws.container[kept]] = draws.target[kept]
        return Walk(replayed, float(best), np.asarray(state[0], dtype=np.int64), int(evaluated))


def _as_list(array: npt.NDArray[Any]) -> list[Any]:
    values: list[Any] = array.tolist()
    return values


def _as_words(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Whole numbers in 32 bits, which halves what the compiled loop fetches; sums are computed in 64."""
    return np.ascontiguousarray(array, dtype=np.float64 if array.dtype.kind == "f" else np.int32)


def _compiled() -> Step:
    if not COMPILED:
        raise PlacementError("compiled: numba is not installed; install the extra `fast`, or leave it off")
    run: Step = importlib.import_module("placement.search.compiled_moves").run
    return run


def has_numba() -> bool:
    """Whether compiled moves are available."""
    return COMPILED


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
