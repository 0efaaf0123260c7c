"""How long the search for a rate divisor takes, what it finds, and whether a run with that is trusted.

`python -m topologies.emulated.isolation -- python -m tests.benchmarks.bench_search [--searches 10] [--busy]` searches
again and again for the thesis's experiment, does a run with each finding, and prints a row for each. With `--busy`
another process wants half a core all the time.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from experiments.records.record import RunRecord
from experiments.records.results_folder import ResultsFolder
from experiments.runs import emulated_run
from experiments.runs.controller_process import listen
from experiments.runs.emulated_run import Conditions
from experiments.runs.rate_divisor import choose_divisor
from experiments.runs.standing_network import StandingNetwork
from experiments.specification import specification_file
from experiments.specification.plan import runs_of
from experiments.specification.resolved_run import resolve
from topologies.emulated import isolation


def half_a_core() -> None:
    """Computes for 5 ms, sleeps for 5 ms, without end."""
    while True:
        end = time.monotonic() + 0.005
        while time.monotonic() < end:
            pass
        time.sleep(0.005)


@contextlib.contextmanager
def beside(busy: bool) -> Iterator[None]:
    """Whether something else goes on on the machine meanwhile."""
    other = multiprocessing.Process(target=half_a_core, daemon=True)
    if busy:
        other.start()
    try:
        yield
    finally:
        if busy:
            other.kill()
            other.join()


def searched_and_run() -> tuple[float, RunRecord]:
    """How long a search took, and the record of a run at the divisor that it found."""
    changes = ["strategies=[default]", "repeats=1"]
    specification = specification_file.override(specification_file.load("thesis"), changes)
    (run,) = map(resolve, runs_of(specification))
    with (
        tempfile.TemporaryDirectory() as scratch,
        listen(isolation.current()) as listener,
        StandingNetwork(listener) as standing,
    ):
        folder = ResultsFolder.create(Path(scratch), specification, datetime.now().astimezone())
        began = time.monotonic()
        divisor = choose_divisor(run, standing, Path(scratch))
        took_s = time.monotonic() - began
        return took_s, emulated_run.execute(run, folder.run(run.id), Conditions(standing, divisor, force=True))


def main() -> int:
    """Search, run, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--searches", type=int, default=10)
    parser.add_argument("--busy", action="store_true")
    options = parser.parse_args()
    console = Console()
    with beside(options.busy):
        found = [searched_and_run() for _ in range(options.searches)]
    table = Table("search, s", "rate divisor", "run", "why doubtful", title="busy" if options.busy else "quiet")
    for took_s, record in found:
        assert record.scale is not None
        assert record.fidelity is not None
        verdict = record.fidelity
        table.add_row(f"{took_s:.1f}", f"{record.scale.rate_divisor:g}", verdict.verdict, "; ".join(verdict.reasons))
    console.print(table)
    console.print(f"{sum(record.doubtful for _, record in found)} of {options.searches} first runs were doubtful")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
