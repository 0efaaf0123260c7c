"""How long transactions take to be confirmed while they become more and more (thesis, Figure 7.6).

`python -m tests.benchmarks.bench_retention [--seconds 3000] [--queue creation|confirm]`: every 15 s a new file, and
every old one is changed, on a real ledger with random blocks. No root.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console

from retention.anvil_chain import AnvilChain
from retention.block_times import block_times, expected_confirmation_s
from retention.terms import Terms
from retention.timeline import replay
from retention.transactions import Kind, Operation

PUBLISHED_S = (15.59, 42.5, 105.8)
EVERY_S = 15


def operations(seconds: int) -> Iterator[Operation]:
    """A new file at every interval, and a change of every file that is there."""
    for tick in range(seconds // EVERY_S + 1):
        for number in range(tick + 1):
            kind: Kind = "create" if number == tick else "change"
            digest = hashlib.sha256(f"{number} {tick}".encode()).digest()
            yield Operation(str(number), kind, f"/archive/{number}", digest, EVERY_S * tick, "endolith", "h1 h2 h3")


def main() -> int:
    """Measure and print; 1 when something is not confirmed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3000)
    parser.add_argument("--queue", choices=["creation", "confirm"], default="creation")
    parser.add_argument("--block-s", type=float, default=7.5)
    parser.add_argument("--confirmations", type=int, default=5)
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    began = time.monotonic()
    terms = Terms(options.confirmations, options.queue, index=False)
    with tempfile.TemporaryDirectory() as scratch, AnvilChain(Path(scratch), terms, 1_700_000_000) as chain:
        blocks = block_times(options.block_s, "exponential", rng)
        kept = replay(chain, operations(options.seconds), blocks)
    took_s = [one.confirmed_s - one.asked_s for one in kept if one.confirmed_s is not None]
    low, median, high = np.percentile(took_s, [2.5, 50, 97.5])
    console = Console(highlight=False)
    console.print(
        f"{len(kept):,} transactions, {len(took_s):,} confirmed, {time.monotonic() - began:.0f} s on the wall"
    )
    console.print(f"confirmed after {median:.1f} s ({low:.1f} to {high:.1f}); published {PUBLISHED_S}")
    console.print(f"by equation 7.1: {expected_confirmation_s(options.block_s, options.confirmations):.1f} s")
    console.print(f"gas: {sorted({(one.operation.kind, one.gas) for one in kept})[:8]}")
    return int(len(took_s) < len(kept))


if __name__ == "__main__":
    raise SystemExit(main())
