"""`python -m tests.fuzz`: many damaged files, and every way in which the program fell short of them."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path

from rich.progress import track

from tests.fuzz.cases import damaged, kinds_in, undamaged


def main() -> int:
    """Try the cases that are asked for; 1 when one fell short."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, metavar="N", help="how many [10000]")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the first; case k has seed + k [1]")
    parser.add_argument("--kind", metavar="NAME", help="only kinds of files whose name contains this")
    parser.add_argument("--show", action="store_true", help="print what every command said")
    given = parser.parse_args()
    faults: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        kinds = kinds_in(Path(scratch) / "examples", given.kind)
        whole = [] if given.show else undamaged(kinds)
        for case in track([*whole, *damaged(kinds, given.seed, given.cases)], "cases", disable=given.show):
            answer = case.ask(Path(scratch) / "case")
            if given.show:
                print(f"{case}: exit code {answer.exit_code}\n{answer.output}", flush=True)
            if answer.fault is not None:
                if not faults[answer.fault]:
                    print(f"{case}\n  {answer.fault}", flush=True)
                faults[answer.fault] += 1
    for fault, count in faults.most_common():
        print(f"{count:6} {fault}")
    print(f"{given.cases} cases, {sum(faults.values())} fell short in {len(faults)} ways")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
