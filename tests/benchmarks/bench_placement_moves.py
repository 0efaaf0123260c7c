"""Moves a second of the annealer: incremental in plain Python and compiled, against the cost recomputed every move.

Run with `python -m tests.benchmarks.bench_placement_moves`. Only moves whose cost was computed count; rates are the
best of several tries, in CPU time. The compiled and the plain run make the same moves, and must end at the same cost
to the last bit. A last line times one whole placement on 10,000 nodes in plain Python, from the view to the names.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from placement import Instance, Schedule, load_strategy
from placement.arrays import IntArray
from placement.cost import CostTerms, tally, terms_of, total_cost
from placement.search.annealing import draw_moves, random_start
from placement.search.moves import Draws, Mover, has_numba
from tests.benchmarks.placement_problems import SIZES, Size, instance, problem

PLAIN_BAR, COMPILED_BAR, PLACEMENT_BAR_S = 50_000, 2_000_000, 1.0
RATIO_BARS = {8: 5, 1_000: 50}


def plain_cost(problem_: Instance) -> Callable[[list[int]], float]:
    """The cost from scratch in plain Python: what one writes who does not keep anything up to date."""
    group, between, limit = problem_.group.tolist(), problem_.between.tolist(), problem_.limit.tolist()
    held = [problem_.blocks_on(node).tolist() for node in range(len(problem_.names))]
    replicas: list[list[int]] = [[] for _ in range(problem_.blocks)]
    for node, blocks in enumerate(held):
        for block in blocks:
            replicas[block].append(node)
    scale = problem_.scale

    def cost(where: list[int]) -> float:
        counts: dict[int, int] = {}
        for node in where:
            counts[node] = counts.get(node, 0) + 1
        groups: dict[int, int] = {}
        for node, count in counts.items():
            groups[group[node]] = groups.get(group[node], 0) + count
        hops = sum(here * there * between[a][b] for a, here in groups.items() for b, there in groups.items())
        hops -= sum(count * count * between[group[node]][group[node]] for node, count in counts.items())
        over = sum(count > limit[node] for node, count in counts.items())
        used = counts.keys()
        uncovered = sum(used.isdisjoint(nodes) for nodes in replicas)
        missed = problem_.replicas - sum(len(held[node]) for node in used)
        return total_cost(scale, hops // 2, over, len(counts), uncovered, missed)

    return cost


def recomputed_rate(problem_: Instance, start: IntArray, draws: Draws, cost: Callable[[list[int]], float]) -> float:
    """Moves a second when every candidate is rated from scratch, for about half a second."""
    where, room = start.tolist(), problem_.room.tolist()
    counts = problem_.counts(start).tolist()
    old, evaluated, begin = cost(where), 0, time.thread_time()
    for container, target, patience in zip(*(draw.tolist() for draw in draws), strict=True):
        source = where[container]
        if source == target or counts[target] >= room[target]:
            continue
        evaluated += 1
        where[container] = target
        new = cost(where)
        if new - old <= patience:
            old = new
            counts[source] -= 1
            counts[target] += 1
        else:
            where[container] = source
        if time.thread_time() - begin > 0.5:
            break
    return evaluated / (time.thread_time() - begin)


def numpy_cost(problem_: Instance) -> Callable[[list[int]], float]:
    """The library's own cost from scratch, vectorised."""

    def cost(where: list[int]) -> float:
        terms: CostTerms = terms_of(problem_, tally(problem_, problem_.counts(np.asarray(where))))
        return terms.total

    return cost


def measure(size: Size) -> tuple[list[str], list[str]]:
    """A row of the table, and the bars that it misses."""
    problem_ = instance(size, closeness=0.7)
    rng = np.random.default_rng(1)
    start, draws = random_start(problem_, rng), draw_moves(problem_, Schedule(moves=500), rng)
    scratch = max(recomputed_rate(problem_, start, draws, plain_cost(problem_)) for _ in range(3))
    vectorised = max(recomputed_rate(problem_, start, draws, numpy_cost(problem_)) for _ in range(3))
    rates, costs = [], []
    for compiled in (False, True) if has_numba() else (False,):
        mover = Mover(problem_, compiled)
        mover.walk(start, draws.first(1))
        best = float("inf")
        for _ in range(5):
            begin = time.thread_time()
            walk = mover.walk(start, draws)
            best = min(best, time.thread_time() - begin)
        rates.append(walk.evaluated / best)
        costs.append(walk.cost)
    missed = [f"{size.title}: plain and compiled end at {costs}"] if len(set(costs)) > 1 else []
    if rates[0] < PLAIN_BAR:
        missed.append(f"{size.title}: {rates[0]:.0f} moves/s in plain Python, bar {PLAIN_BAR}")
    if len(rates) > 1 and rates[1] < COMPILED_BAR:
        missed.append(f"{size.title}: {rates[1]:.0f} moves/s compiled, bar {COMPILED_BAR}")
    if rates[0] / scratch < RATIO_BARS.get(size.nodes, 0):
        missed.append(f"{size.title}: {rates[0] / scratch:.1f} times recomputed, bar {RATIO_BARS[size.nodes]}")
    cells = [size.title, f"{scratch:,.0f}", f"{vectorised:,.0f}", f"{rates[0]:,.0f}", f"{rates[0] / scratch:,.1f}x"]
    cells += [f"{rates[0] / vectorised:,.1f}x", f"{rates[1]:,.0f}" if len(rates) > 1 else "no numba"]
    return [*cells, repr(costs[0])], missed


def time_placement() -> float:
    """Seconds for one placement on the largest size, by the strategy as it comes."""
    view, request = problem(SIZES[-1])
    strategy = load_strategy("neawa")
    begin = time.perf_counter()
    strategy.place_containers(view, request, np.random.default_rng(0))
    return time.perf_counter() - begin


def main() -> int:
    """Print the table; 1 if a bar is missed."""
    table = Table("nodes / containers / blocks", title="Annealing moves a second")
    for column in ("recomputed", "rec. numpy", "incremental", "x rec.", "x rec. numpy", "compiled", "cost (both)"):
        table.add_column(column, justify="right")
    missed = []
    for size in SIZES:
        row, problems = measure(size)
        table.add_row(*row)
        missed += problems
    console = Console(width=130)
    console.print(table)
    seconds = time_placement()
    console.print(f"one placement, {SIZES[-1].title}, plain Python: {seconds:.2f} s")
    if seconds > PLACEMENT_BAR_S:
        missed.append(f"one placement: {seconds:.2f} s, bar {PLACEMENT_BAR_S} s")
    for line in missed:
        console.print(f"missed: {line}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
