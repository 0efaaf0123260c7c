"""Whether results depend on the rate divisor: the same small experiment at a divisor and at twice of it.

`python -m topologies.emulated.isolation -- python -m tests.benchmarks.bench_divisor [--divisor 8] [--repeats 3]` prints
the summed completion time of NeAwa over that of the default at both divisors, with its spread over the repeats, and
ends with 1 when the intervals do not overlap.
"""

from __future__ import annotations

import argparse
import tempfile
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from experiments.analysis.estimates import Spread, spread
from experiments.analysis.pairing import summed_time_s
from experiments.records.results_folder import ResultsFolder
from experiments.runs import emulated_campaign
from experiments.runs.progress import Reporter
from experiments.specification import specification_file

EXPERIMENT = """
name: divisor
topology: {preset: thesis, blocking_factor: [5]}
strategies: [default, neawa]
workload:
  jobs:
    - {profile: connected-components, input_bytes: 5 GB}
    - {profile: tpch-q3, input_bytes: 20 GB, at_s: 10}
    - {profile: tpch-q10, input_bytes: 20 GB, at_s: 20}
"""
_WALL_FACTOR = 32  # modelled seconds in one second of wall time, the same at both divisors


def ratios(divisor: float, repeats: int, console: Console) -> tuple[list[float], int]:
    """NeAwa's summed time over the default's in every repeat, and how many of the runs were doubtful."""
    changes = [f"scale.rate_divisor={divisor}", f"scale.volume_divisor={divisor * _WALL_FACTOR}", f"repeats={repeats}"]
    specification = specification_file.override(specification_file.loads(EXPERIMENT), changes)
    with tempfile.TemporaryDirectory() as scratch:
        folder = ResultsFolder.create(Path(scratch), specification, datetime.now().astimezone())
        emulated_campaign.run_all(folder, emulated_campaign.Options(force=True), Reporter(console))
        records = [record for record in folder.records() if record.status == "finished"]
    by_run = {(record.strategy, record.repeat): record for record in records}  # a repetition replaces the doubtful run
    found = [
        summed_time_s(by_run["neawa", repeat]) / summed_time_s(by_run["default", repeat])
        for repeat in range(repeats)
        if ("neawa", repeat) in by_run and ("default", repeat) in by_run
    ]
    return found, sum(record.doubtful for record in by_run.values())


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--divisor", type=float, default=8.0)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    console = Console()
    table = Table("rate divisor", "NeAwa / default, median", "least", "most", "repeats", "doubtful runs")
    spreads: list[Spread] = []
    for divisor in (options.divisor, 2 * options.divisor):
        found, doubtful = ratios(divisor, options.repeats, console)
        if (over := spread(found)) is None:
            console.print(f"no pair of runs finished at divisor {divisor:g}")
            return 1
        spreads.append(over)
        figures = (f"{over.median:.3f}", f"{over.low:.3f}", f"{over.high:.3f}")
        table.add_row(f"{divisor:g}", *figures, str(len(found)), str(doubtful))
    console.print(table)
    one, other = spreads
    agree = one.low <= other.high and other.low <= one.high
    console.print("the two agree within their spread" if agree else "the two do not agree within their spread")
    return int(not agree)


if __name__ == "__main__":
    raise SystemExit(main())
