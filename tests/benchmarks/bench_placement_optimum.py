"""How far NeAwa's placements are from the best: 20 seeds on each of 3 instances a size and weight.

Run with `python -m tests.benchmarks.bench_placement_optimum`. On 8 and 16 nodes the reference is the optimum that
CP-SAT proves; on 64 and 256 nodes, where no solver closes the gap, it is the best placement known: the cheapest of the
20 and of one anneal that is about fifty times longer.
"""

from __future__ import annotations

import sys

import numpy as np
from rich.console import Console
from rich.table import Table

from placement import Annealer, Instance, Schedule, optimum
from placement.search.moves import has_numba
from tests.benchmarks.placement_problems import Size, instance

SEEDS, INSTANCES = 20, 3
SMALL, SMALL_BAR = (Size(8, 2, 11, 64), Size(16, 4, 24, 256)), 0.02
LARGE, LARGE_BAR = (Size(64, 8, 48, 2_000), Size(256, 16, 100, 5_000)), 0.03
PROOF_LIMIT_S = 120.0


def costs_of(problem: Instance) -> list[float]:
    """Costs that the annealer ends at as it comes, one a seed."""
    return [Annealer().place(problem, np.random.default_rng(seed), has_numba()).cost for seed in range(SEEDS)]


def best_known(problem: Instance, costs: list[float]) -> tuple[float, str]:
    """Reference on the larger sizes."""
    slow = Schedule(start=0.05, stop=1e-6, factor=0.97, moves=2_000)
    long = Annealer(slow, slow, packed_starts=16)
    return min([*costs, long.place(problem, np.random.default_rng(SEEDS), has_numba()).cost]), "best known"


def proven(problem: Instance) -> tuple[float, str]:
    """Reference on the smaller sizes."""
    hint = Annealer().place(problem, np.random.default_rng(0), has_numba()).where
    best = optimum(problem, PROOF_LIMIT_S, hint)
    return best.cost, "proven" if best.proven else f"gap {best.gap:.1%}"


def main() -> int:
    """Print the table; 1 if a bar is missed."""
    table = Table("nodes / containers / blocks", title="Cost above the reference, 20 seeds")
    for column in ("instance", "w_c", "reference", "cost", "median", "worst", "bar"):
        table.add_column(column, justify="right")
    missed = 0
    for size in (*SMALL, *LARGE):
        for closeness in (0.2, 0.5, 0.7) if size in SMALL else (0.7,):
            for number in range(INSTANCES):
                problem = instance(size, closeness, number)
                costs = costs_of(problem)
                cost, reference = proven(problem) if size in SMALL else best_known(problem, costs)
                above = np.array(costs) / cost - 1
                bar = SMALL_BAR if size in SMALL else LARGE_BAR
                late = bool(above.max() > bar) or reference.startswith("gap")
                missed += late
                cells = [size.title, str(number), f"{closeness:g}", reference, f"{cost:.5f}"]
                cells += [f"{np.median(above):.2%}", f"{above.max():.2%}", f"{bar:.0%}{' missed' if late else ''}"]
                table.add_row(*cells)
    Console(width=130).print(table)
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
