"""Kills a working testbed at random moments and looks for what it leaves: 20 times SIGKILL, 5 each SIGTERM and SIGINT.

Run as root with `python -m tests.benchmarks.bench_kills [SEED]`. After SIGKILL, what is left at once is shown too;
then either `run_testbed.py clean` or the next start cleans up, in turn, after which nothing may be left. After SIGTERM
and SIGINT nothing may be left as it is.
"""

from __future__ import annotations

import itertools
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.lifecycle.foreign import Foreign, foreign
from tests.lifecycle.testbed import Machine, clean_up, leftovers, next_start, nobody_else, started

KILLS = {signal.SIGKILL: 20, signal.SIGTERM: 5, signal.SIGINT: 5}
LATEST_S = 5.0


def main() -> int:
    """Print the table; 1 if anything was left or harmed."""
    rng = random.Random(int(sys.argv[1]) if sys.argv[1:] else 1)
    table = Table(title="What is left of a killed testbed")
    for column in ("signal", "after, s", "had reached", "exit code", "at once", "cleaned by", "gone after, s"):
        table.add_column(column, justify="right")
    for column in ("left for good", "harm to others"):
        table.add_column(column)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # and remove what `foreign` makes
    failures = 0
    with tempfile.TemporaryDirectory() as folder, foreign(Path(folder)) as others:
        for number, kills in KILLS.items():
            for attempt, cleaner in zip(range(kills), itertools.cycle(("clean", "next start"))):
                moment_s = (attempt + rng.random()) / kills * LATEST_S
                cells = _kill(number, moment_s, cleaner if number == signal.SIGKILL else "itself", others)
                failures += bool(cells[-2] or cells[-1])
                table.add_row(*cells)
    Console(width=150).print(table)
    return int(bool(failures))


def _kill(number: signal.Signals, moment_s: float, cleaner: str, others: Foreign) -> list[str]:
    with nobody_else():
        before = Machine.now()
    with tempfile.TemporaryDirectory() as folder, started(Path(folder)) as testbed:
        time.sleep(moment_s)
        code = testbed.kill(number)
        killed = time.monotonic()
        at_once = leftovers(testbed, before, timeout_s=0)
        if cleaner == "clean":
            clean_up(testbed)
        elif cleaner == "next start":
            next_start()
        left = leftovers(testbed, before)
        gone_s = time.monotonic() - killed
        harm = others.harm()
    stage = testbed.stages[-1] if testbed.stages else "nothing"
    kinds = ", ".join(sorted({line.split()[0].rstrip(":") for line in at_once})) or "nothing"
    cells = [number.name, f"{moment_s:.2f}", stage, str(code), kinds, cleaner, f"{gone_s:.2f}"]
    return [*cells, "; ".join(left), "; ".join(harm)]


if __name__ == "__main__":
    sys.exit(main())
