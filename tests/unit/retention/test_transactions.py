"""Every operation is kept once and in its order, whatever the ledger forgets and whoever is killed when."""

import contextlib
import tempfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retention.rpc import LedgerError
from retention.tracking import Journal, Tracking
from retention.transactions import Operation, Receipt, TransactionManager
from tests.unit.retention.fake_ledger import WALLET, FakeLedger


def done(file="/a", kind="create", time_s=0, digest=b"\1" * 32):
    return Operation(file, kind, file, digest, time_s, "ann", "h1 h2, h3 h1")


def receipts(*transactions, block):
    return [
        Receipt(one.nonce, block, 1, f"0x{one.nonce}" if one.operation.kind == "create" else None)
        for one in transactions
    ]


def test_changes_wait_for_the_contract_and_then_for_nobody():
    manager = TransactionManager(confirmations=3)
    manager.ask(done(), 0.0)
    for time_s in (1, 2):
        manager.ask(done(kind="change", time_s=time_s), time_s)
    (created,) = manager.send(2.0)
    assert (created.nonce, created.operation.kind, manager.waiting) == (0, "create", 2)
    assert manager.block(1, 10.0, receipts(created, block=1)) == ()
    assert manager.send(10.0) == manager.block(2, 20.0, []) == ()
    (confirmed,) = manager.block(3, 30.0, [])
    assert (confirmed.block, confirmed.included_s, confirmed.confirmed_s) == (1, 10.0, 30.0)
    first, second = manager.send(30.0)
    assert [(one.nonce, one.operation.time_s, one.to) for one in (first, second)] == [(1, 1, "0x0"), (2, 2, "0x0")]


def test_the_thesis_queue_sends_one_change_of_a_file_at_a_time():
    manager = TransactionManager(confirmations=1, queue="confirm")
    for file in ("/a", "/b"):
        manager.ask(done(file), 0.0)
        for time_s in (1, 2):
            manager.ask(done(file, "change", time_s), 0.0)
    seen = []
    for block in range(1, 4):
        sent = manager.send(float(block))
        seen.append([(one.operation.file, one.operation.time_s) for one in sent])
        manager.block(block, float(block), receipts(*sent, block=block))
    assert seen == [[("/a", time_s), ("/b", time_s)] for time_s in (0, 1, 2)]


@pytest.mark.parametrize("kinds", [("change",), ("create", "create"), ("retain",)])
def test_a_file_is_created_once_and_first(kinds):
    manager = TransactionManager(confirmations=1)
    *before, last = kinds
    for kind in before:
        manager.ask(done(kind=kind), 0.0)
    with pytest.raises(ValueError, match=r"it is (not tracked; annotate it first|tracked already)"):
        manager.ask(done(kind=last), 0.0)
    assert manager.waiting == len(before)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from("abc")),
        st.tuples(st.just("block"), st.integers(0, 5)),
        st.tuples(st.just("forget"), st.sets(st.integers(0, 20), max_size=4)),
        st.tuples(st.just("kill"), st.integers(0, 4)),
        st.tuples(st.just("kill while sending"), st.integers(0, 2)),
    ),
    max_size=40,
)


@pytest.mark.skipif(find_spec("eth_abi") is None, reason="eth-abi is not installed")
@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from(["creation", "confirm"]), st.integers(1, 3))
def test_no_operation_is_lost_or_doubled_or_overtaken(steps, queue, confirmations):
    with tempfile.TemporaryDirectory() as folder:
        ledger, path, clock = FakeLedger(), Path(folder) / "journal", 0
        asked: dict[str, list[int]] = {}

        def start():
            return Tracking(ledger, WALLET, Journal(path), confirmations, queue)

        tracking = start()
        for step, value in steps:
            clock += 1
            if step == "ask":
                tracking.ask(done(value, "change" if value in asked else "create", clock), clock)
                asked.setdefault(value, []).append(clock)
            elif step == "block":
                tracking.send(clock)
                tracking.block(clock)
            elif step == "forget":
                ledger.forget(value)
            else:
                ledger.down = step == "kill while sending"
                with contextlib.suppress(LedgerError):
                    tracking.send(clock)
                ledger.down = False
                ledger.go_back(value)
                tracking = start()
        for _ in range(4 * (len(steps) + 4) * confirmations):
            clock += 1
            tracking.send(clock)
            tracking.block(clock)
        kept = tracking.manager.transactions
        assert tracking.manager.waiting == 0
        assert all(one.confirmed_s is not None and one.refused is None for one in kept)
        assert [one.nonce for one in kept] == list(range(len(ledger.included)))
        by_file: dict[str, list[int]] = {}
        for one in kept:
            by_file.setdefault(one.operation.file, []).append(one.operation.time_s)
        assert by_file == asked


def test_what_was_broken_off_in_the_journal_never_happened(tmp_path):
    path = tmp_path / "journal"
    tracking = Tracking(FakeLedger(), WALLET, Journal(path), 1)
    tracking.ask(done(), 0.0)
    whole = path.read_bytes()
    tracking.ask(done("/b"), 0.0)
    path.write_bytes(path.read_bytes()[:-5])
    again = Tracking(FakeLedger(), WALLET, Journal(path), 1)
    assert again.manager.waiting == 1
    assert path.read_bytes() == whole
    again.ask(done("/b"), 0.0)
    assert Tracking(FakeLedger(), WALLET, Journal(path), 1).manager.waiting == 2


def test_what_the_contract_refuses_is_told():
    ledger, manager = FakeLedger(), TransactionManager(1)
    ledger.refuse = True
    manager.ask(done(), 0.0)
    manager.send(0.0)
    (confirmed,) = manager.block(1, 1.0, [Receipt(0, 1, 30_000, None, "the contract refused it")])
    assert confirmed.refused == "the contract refused it"
    assert manager.contracts == {}
