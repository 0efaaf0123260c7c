import hashlib
import itertools

import numpy as np
import pytest

from retention.block_times import block_times
from retention.modelled_chain import GAS_USED, ModelledChain
from retention.terms import Terms
from retention.timeline import replay
from retention.transactions import Kind, Operation, Transaction
from tests.unit.retention.conftest import EPOCH_S

DIGESTS = [hashlib.sha256(bytes([number])).digest() for number in range(3)]


@pytest.fixture(params=["anvil", "modelled"])
def kept(request):
    """What becomes of operations, on a real ledger and without one; and the ledger."""

    def of(operations, blocks, **terms):
        if request.param == "modelled":
            model = ModelledChain(Terms(**terms))
            return replay(model, operations, blocks), None
        with request.getfixturevalue("chain")(**terms) as real:
            return replay(real, operations, blocks), real.ledger.block(real.ledger.height)

    return of


def growing(ticks):
    """The load of the thesis's Figure 7.6."""
    for tick in range(ticks):
        for file in range(tick + 1):
            kind: Kind = "create" if file == tick else "change"
            yield Operation(str(file), kind, f"/{file}", bytes([tick] * 32), 15 * tick, "ann", "h1")


def test_everything_is_confirmed_as_soon_as_blocks_allow(kept):
    """Blocks every 10 s from 20 s on, of which three have to come; operations at 25 s, and changes at 26 and 60 s."""
    kinds: tuple[Kind, ...] = ("create", "change", "change")
    done = [
        Operation("a", kind, "/a", digest, time_s, "ann", "h1")
        for kind, digest, time_s in zip(kinds, DIGESTS, (25, 26, 60), strict=True)
    ]
    found, last = kept(done, block_times(10.0, "fixed", np.random.default_rng(0), 10.0), confirmations=3)
    times = [(one.sent_s, one.included_s, one.confirmed_s) for one in found]
    assert times == [(25, 30, 50), (50, 60, 80), (60, 70, 90)]
    assert last is None or last.time_s == EPOCH_S + 90


def test_blocks_may_come_several_times_a_second(kept):
    found, _ = kept(growing(2), block_times(0.4, "fixed", np.random.default_rng(0)), confirmations=2)
    assert [one.confirmed_s for one in found] == pytest.approx([0.8, 15.6, 15.6])


def test_a_growing_load_is_confirmed_in_its_order(kept):
    """For its first five minutes."""
    done = list(growing(21))
    found, _ = kept(done, block_times(7.5, "exponential", np.random.default_rng(2)), confirmations=5)
    assert len(found) == len(done) == 231
    assert all(one.confirmed_s is not None and one.refused is None for one in found)
    by_file: dict[str, list[Transaction]] = {}
    for one in found:
        by_file.setdefault(one.operation.file, []).append(one)
    for ones in by_file.values():
        asked = [one.operation.time_s for one in ones]
        assert asked == sorted(asked)
        blocks = [one.block or 0 for one in ones]
        assert blocks == sorted(blocks)


def test_the_model_says_when_a_real_ledger_confirms_and_what_that_takes(chain):
    """Also when blocks are full: four creations fit into one, and changes wait for theirs."""
    terms = Terms(confirmations=2, block_gas=5_000_000)
    kinds: tuple[Kind, ...] = ("register", "change", "rename", "retain", "delete")
    done = [Operation(str(file), "create", f"/{file}", DIGESTS[0], 1, "ann", "h1 h2 h3") for file in range(12)]
    for file, kind in itertools.product(range(12), kinds):
        done.append(Operation(str(file), kind, f"/{file}", DIGESTS[1], 2, "ann", "h1 h2 h3"))

    def blocks():
        return block_times(10.0, "exponential", np.random.default_rng(1))

    modelled = replay(ModelledChain(terms), done, blocks())
    with chain(terms.confirmations, block_gas=terms.block_gas) as real:
        proven = replay(real, done, blocks())
    assert [(one.operation, one.sent_s) for one in modelled] == [(one.operation, one.sent_s) for one in proven]
    assert [one.included_s for one in modelled if one.operation.kind == "create"] == [
        one.included_s for one in proven if one.operation.kind == "create"
    ]
    assert len({one.block for one in proven if one.operation.kind == "create"}) == 3
    for kind, gas in GAS_USED.items():
        taken = [one.gas or 0 for one in proven if one.operation.kind == kind]
        assert np.mean(taken) == pytest.approx(gas, rel=0.1), kind
