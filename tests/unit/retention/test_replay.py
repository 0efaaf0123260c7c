import hashlib

import numpy as np

from retention.block_times import block_times
from retention.replay import replay
from retention.transactions import Kind, Operation, Transaction


def test_everything_is_confirmed_as_soon_as_blocks_allow(tracked):
    """Blocks every 10 s from 20 s on, of which three have to come; operations at 25 s, and changes at 26 and 60 s."""
    digests = [hashlib.sha256(bytes([number])).digest() for number in range(3)]
    done = [
        Operation("a", "create", "/a", digests[0], 25, "ann", "h1"),
        Operation("a", "change", "/a", digests[1], 26, "ann", "h1"),
        Operation("a", "change", "/a", digests[2], 60, "ann", "h1"),
    ]
    with tracked(confirmations=3) as (ledger, _, tracking):
        kept = replay(tracking, done, block_times(10.0, "fixed", np.random.default_rng(0), 10.0))
        times = [(one.sent_s, one.included_s, one.confirmed_s) for one in kept]
        assert times == [(25, 30, 50), (50, 60, 80), (60, 70, 90)]
        assert ledger.block(ledger.height).time_s == ledger.block(1).time_s - 1 + 90


def test_a_growing_load_is_confirmed_in_its_order(tracked):
    """The load of the thesis's Figure 7.6, for its first five minutes."""

    def operation(file: int, tick: int) -> Operation:
        kind: Kind = "create" if file == tick else "change"
        return Operation(str(file), kind, f"/{file}", bytes([tick] * 32), 15 * tick, "ann", "h1")

    done = [operation(file, tick) for tick in range(21) for file in range(tick + 1)]
    with tracked(confirmations=5) as (_, _, tracking):
        kept = replay(tracking, done, block_times(7.5, "exponential", np.random.default_rng(2)))
    assert len(kept) == len(done) == 231
    assert all(one.confirmed_s is not None and one.refused is None for one in kept)
    by_file: dict[str, list[Transaction]] = {}
    for one in kept:
        by_file.setdefault(one.operation.file, []).append(one)
    for ones in by_file.values():
        asked = [one.operation.time_s for one in ones]
        assert asked == sorted(asked)
        blocks = [one.block or 0 for one in ones]
        assert blocks == sorted(blocks)
