"""By how much shared draws narrow the interval of the change between strategies.

    sudo .venv/bin/python run_testbed.py run --repeats 7
    .venv/bin/python -m tests.benchmarks.bench_pairing RESULTS/TIME-thesis

Runs of one repeat share their seed and with it block placements, splits, replica choices and the ways of connections.
The interval over such pairs stands beside those that come out when each run is paired with one of another repeat, as if
nothing were shared: their median over random orders in which no run keeps its own repeat.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from experiments.analysis.estimates import reduction
from experiments.analysis.pairing import BASELINE, labels, select, summed_time_s
from experiments.records.results_folder import ResultsFolder

SHUFFLES = 200


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    records = ResultsFolder.open(options.folder).records()
    factors = sorted({record.blocking_factor or 0.0 for record in records})
    table = Table(
        "blocking factor", "strategy", "pairs", "change", "interval, points", "if nothing were shared", "ratio"
    )
    for factor in factors:
        before = select(records, BASELINE, factor or None).values(summed_time_s)
        for strategy in (label for label in labels(records) if label != BASELINE):
            after = select(records, strategy, factor or None).values(summed_time_s)
            seeds = sorted(set(before) & set(after))
            one, other = [before[seed] for seed in seeds], [after[seed] for seed in seeds]
            change, paired = width(one, other)
            unpaired = float(
                np.median([width(one, [other[place] for place in order])[1] for order in orders(len(one))])
            )
            row = f"{factor:g}", strategy, str(len(seeds)), f"{-change:+.1%}"
            table.add_row(*row, f"{100 * paired:.1f}", f"{100 * unpaired:.1f}", f"{paired / unpaired:.2f}")
    Console(width=140).print(table)
    return 0


def width(before: Sequence[float], after: Sequence[float]) -> tuple[float, float]:
    """The reduction, and the width of its 95 % interval."""
    found = reduction(before, after)
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    return found.estimate, found.high - found.low


def orders(count: int) -> list[list[int]]:
    """Orders of so many places in which none is its own."""
    rng = np.random.default_rng(1)
    drawn = (rng.permutation(count) for _ in range(100 * SHUFFLES))
    return [order.tolist() for order in drawn if not np.any(order == np.arange(count))][:SHUFFLES]


if __name__ == "__main__":
    raise SystemExit(main())
