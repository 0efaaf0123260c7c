"""Simulated annealing of a placement (thesis, Algorithm 5, with its slips corrected)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from placement.arrays import FloatArray, IntArray
from placement.errors import PlacementError
from placement.search.instance import Instance
from placement.search.moves import Draws, Mover, Walk, temperatures


@dataclass(frozen=True, slots=True)
class Schedule:
    """Temperatures from `start` down to `stop`, each `factor` times the one before, with `moves` moves each.

    Raises:
        PlacementError: values for which temperatures would not fall, or no moves.
    """

    start: float = 1.0
    stop: float = 1e-5
    factor: float = 0.9
    moves: int = 100

    def __post_init__(self) -> None:
        temperatures(self.start, self.stop, self.factor)
        if self.moves < 1:
            raise PlacementError(f"schedule: moves {self.moves}; give at least 1")

    def patience_scale(self) -> FloatArray:
        """Temperature of every move, shape (moves in all,)."""
        return np.repeat(temperatures(self.start, self.stop, self.factor), self.moves)


@dataclass(frozen=True, slots=True)
class Annealer:
    """Anneals from a random placement, then briefly from packed ones, and returns the best placement of all.

    Moves of single containers hardly ever bring a job from one rack to another; the packed starts can.

    Attributes:
        schedule: of the start at random; the thesis's.
        packed_schedule: of each packed start.
        packed_starts: how many, in the most promising racks in turn; 0 for none.
    """

    schedule: Schedule = Schedule()
    packed_schedule: Schedule = Schedule(start=0.01, stop=1e-5, factor=0.8, moves=100)
    packed_starts: int = 16

    def place(self, instance: Instance, rng: np.random.Generator, compiled: bool = False) -> Walk:
        """Anneal a placement of the instance's workers, with the moves compiled by numba or in plain Python.

        Raises:
            PlacementError: the workers do not fit, or numba is asked for and not installed.
        """
        instance.check_room()
        if not instance.workers:
            nowhere = np.empty(0, dtype=np.int64)
            return Walk(nowhere, 0.0, nowhere, 0)
        mover = Mover(instance, compiled)
        best = mover.walk(random_start(instance, rng), draw_moves(instance, self.schedule, rng))
        evaluated = best.evaluated
        groups = promising_groups(instance, self.packed_starts).tolist()
        for group in itertools.islice(itertools.cycle(groups), self.packed_starts):
            walk = mover.walk(packed_start(instance, group, rng), draw_moves(instance, self.packed_schedule, rng))
            evaluated += walk.evaluated
            best = walk if walk.cost < best.cost else best
        return best._replace(evaluated=evaluated)


def draw_moves(instance: Instance, schedule: Schedule, rng: np.random.Generator) -> Draws:
    """Random moves of a schedule: any container to any node that had room at the start, all alike."""
    scale = schedule.patience_scale()
    open_nodes = np.flatnonzero(instance.room)
    return Draws(
        container=rng.integers(instance.workers, size=len(scale)),
        target=open_nodes[rng.integers(len(open_nodes), size=len(scale))],
        patience=scale * rng.standard_exponential(len(scale)),
    )


def random_start(instance: Instance, rng: np.random.Generator) -> IntArray:
    """Nodes for all workers, drawn from all free slots alike."""
    free = np.repeat(np.arange(len(instance.room)), np.minimum(instance.room, instance.workers))
    return rng.choice(free, size=instance.workers, replace=False)


def promising_groups(instance: Instance, most: int) -> IntArray:
    """Racks worth a packed start: those with room whose nodes hold most replicas of the job's blocks."""
    groups = len(instance.between)
    held = np.where(instance.room > 0, np.diff(instance.first), 0)
    replicas = np.bincount(instance.group, weights=held, minlength=groups)
    room = np.bincount(instance.group, weights=instance.room, minlength=groups)
    in_balance = np.bincount(instance.group, weights=np.minimum(instance.room, instance.limit), minlength=groups)
    order = np.lexsort((-replicas, -np.minimum(in_balance, instance.workers)))
    return order[room[order] > 0][:most]


def packed_start(instance: Instance, group: int, rng: np.random.Generator) -> IntArray:
    """Nodes for all workers: one rack filled evenly up to its balance limit, then the nearest others, then the rest."""
    near = np.lexsort((instance.between[group], np.arange(len(instance.between)) != group))
    rank = np.empty(len(near), dtype=np.int64)
    rank[near] = np.arange(len(near))
    shuffled = rng.permutation(np.flatnonzero(instance.room))
    nodes = shuffled[np.argsort(rank[instance.group[shuffled]], kind="stable")]
    in_balance = np.minimum(instance.room, instance.limit)[nodes]
    slots = np.concatenate(
        [_rounds(nodes, in_balance, instance), _rounds(nodes, instance.room[nodes] - in_balance, instance)]
    )
    return slots[: instance.workers]


def _rounds(nodes: IntArray, slots: IntArray, instance: Instance) -> IntArray:
    """Every node as often as it has slots: rack by rack, and within a rack one container a node at a time."""
    each = np.repeat(nodes, slots)
    turn = np.arange(len(each)) - np.repeat(np.cumsum(slots) - slots, slots)
    rack = np.cumsum(np.concatenate([[0], np.diff(instance.group[each]) != 0])) if len(each) else turn
    return each[np.lexsort((turn, rack))]
