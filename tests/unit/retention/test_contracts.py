"""The contracts, on a real ledger."""

import hashlib
import os
import signal

import psutil
import pytest

from retention import audit
from retention.compiled import COMPILED, FOLDER, contract
from retention.errors import RetentionError
from retention.rpc import LedgerError
from retention.terms import MOST_GAS
from retention.tracking import user_bytes
from retention.transactions import Operation
from tests.unit.retention.conftest import EPOCH_S

DIGESTS = [hashlib.sha256(bytes([number])).digest() for number in range(5)]


def done(kind, time_s, number, uri="/archive/a", file="a"):
    return Operation(file, kind, uri, DIGESTS[number], time_s, "ann", "h1 h4, h2 h3")


def lived(tracking):
    """A file that is created, changed twice, renamed and deleted; its contract."""
    tracking.ask(done("create", 2, 0), 2.0)
    tracking.send(2.0)
    tracking.block(3.0)
    for operation in (
        done("change", 10, 1),
        done("change", 10, 2),
        done("rename", 20, 2, "/archive/b"),
        done("delete", 30, 2, "/archive/b"),
    ):
        tracking.ask(operation, operation.time_s)
    tracking.send(30.0)
    tracking.block(31.0)
    return tracking.manager.contracts["a"]


def test_the_bytecode_is_that_of_the_sources():
    vyper = pytest.importorskip("vyper", reason="vyper is not installed: python3 scripts/provision_retention.py")
    from scripts.compile_contracts import compiled, document

    assert vyper.__version__.partition("+")[0] == contract("file_tracking").compiler
    assert document(compiled()) == COMPILED.read_text()
    for name in ("file_tracking", "file_index"):
        source = (FOLDER / f"{name}.vy").read_bytes()
        assert contract(name).source_sha256 == hashlib.sha256(source).hexdigest()


def test_a_files_history_can_be_read_and_proven_at_any_time(tracked):
    with tracked() as (ledger, _, tracking):
        address = lived(tracking)
        found = list(audit.history(ledger, address))
        assert [(one.kind, one.time_s - EPOCH_S, one.digest, one.uri) for one in found] == [
            ("create", 2, DIGESTS[0], "/archive/a"),
            ("change", 10, DIGESTS[1], "/archive/a"),
            ("change", 10, DIGESTS[2], "/archive/a"),
            ("rename", 20, DIGESTS[2], "/archive/b"),
            ("delete", 30, DIGESTS[2], "/archive/b"),
        ]
        assert {(one.user, one.locations) for one in found} == {("ann", "h1 h4, h2 h3")}
        assert [audit.is_valid(ledger, address, digest) for digest in DIGESTS] == [False, False, True, False, False]
        seen = [audit.digest_at(ledger, address, EPOCH_S + time_s) for time_s in (2, 9, 10, 1000)]
        assert seen == [DIGESTS[0], DIGESTS[0], DIGESTS[2], DIGESTS[2]]
        with pytest.raises(RetentionError, match="before the file"):
            audit.digest_at(ledger, address, EPOCH_S + 1)


def test_gas_does_not_depend_on_what_is_kept_and_stays_below_what_is_allowed(tracked):
    with tracked() as (_, _, tracking):
        for number, blocks in enumerate((1, 64)):
            operation = done("create", 2, number, f"/archive/{number}", str(number))
            tracking.ask(Operation(**{**vars_of(operation), "locations": ", ".join(["h1 h2 h3"] * blocks)}), 2.0)
        tracking.send(2.0)
        small, large = (one.gas for one in tracking.block(3.0))
        assert small < large < small + 20_000 < MOST_GAS["create"]
        for kind in ("change", "rename", "delete"):
            tracking.ask(done(kind, 5, 3, "/archive/1", "1"), 5.0)
        tracking.send(5.0)
        assert all(one.gas < MOST_GAS[one.operation.kind] and one.refused is None for one in tracking.block(6.0))


def vars_of(operation):
    return {name: getattr(operation, name) for name in operation.__dataclass_fields__}


def test_a_wallet_without_rights_is_refused_until_it_is_granted_some(tracked):
    with tracked() as (ledger, _, tracking):
        tracking.ask(done("create", 2, 0), 2.0)
        tracking.send(2.0)
        tracking.block(3.0)
        address, called = tracking.manager.contracts["a"], contract("file_tracking")
        owner, other = ledger.accounts[:2]

        def sent(wallet, data, time_s):
            (answer,) = ledger.send(
                [{"from": wallet, "to": address, "data": data, "gas": hex(400_000), "gasPrice": "0x0"}]
            )
            assert isinstance(answer, str)
            (receipt,) = ledger.mine(EPOCH_S + time_s).receipts
            return int(receipt["status"], 16) == 1

        change = called.call("fileOperation", 1, "/archive/a", DIGESTS[1], EPOCH_S + 9, user_bytes("eve"), "")
        assert not sent(other, change, 10)
        assert not sent(other, called.call("grant", other), 11)
        assert sent(owner, called.call("grant", other), 12)
        assert sent(other, change, 13)
        assert sent(owner, called.call("revoke", other), 14)
        assert not sent(other, change, 15)
        assert not sent(owner, called.call("revoke", owner), 16)
        with pytest.raises(LedgerError, match="not an owner"):
            ledger.view(address, called.call("grant", other))


def test_what_the_contract_refuses_is_told(tracked):
    """A clock that jumps back, a deletion before its time, and a change after it."""
    with tracked() as (_, _, tracking):
        tracking.ask(done("create", 20, 0), 20.0)
        tracking.send(20.0)
        tracking.block(21.0)
        for kind, time_s in (("change", 19), ("retain", 100), ("retain", 90), ("delete", 99), ("delete", 100)):
            tracking.ask(done(kind, time_s, 1), 22.0)
        tracking.ask(done("change", 101, 1), 22.0)
        tracking.send(22.0)
        taken = [one.refused is None for one in tracking.block(23.0)]
        assert taken == [False, True, False, False, True, False]


def test_the_index_finds_a_contract_by_name_and_is_told_of_new_ones(tracked):
    with tracked() as (ledger, index, tracking):
        address = lived(tracking)
        with pytest.raises(RetentionError, match="the index knows no contract of it; annotate it first"):
            audit.address_of(ledger, index, "/archive/b")
        tracking.ask(done("register", 40, 0, "/archive/b"), 40.0)
        tracking.send(40.0)
        tracking.block(41.0)
        assert audit.address_of(ledger, index, "/archive/b").lower() == address.lower()


def test_an_audit_finds_what_is_wrong_with_files(tracked):
    with tracked() as (ledger, _, tracking):
        names = ["fine", "altered", "lost", "unreadable", "deleted", "undead"]
        for name in names:
            tracking.ask(done("create", 2, 0, name, name), 2.0)
        tracking.send(2.0)
        tracking.block(3.0)
        for name in names[4:]:
            tracking.ask(done("delete", 4, 0, name, name), 4.0)
        tracking.send(4.0)
        tracking.block(5.0)
        stored = {"fine": DIGESTS[0], "altered": DIGESTS[1], "unreadable": None, "undead": DIGESTS[0], "other": None}
        found = {one.uri: one.fault for one in audit.audit(ledger, tracking.manager.contracts, stored)}
        assert found == {
            "altered": "altered",
            "lost": "gone without a record",
            "unreadable": "missing",
            "undead": "deleted and still there",
        }


def test_a_ledger_that_is_killed_goes_on_from_what_it_had_written(tracked):
    with tracked() as (ledger, _, tracking):
        address = lived(tracking)
    with tracked() as (ledger, _, tracking):
        assert len(list(audit.history(ledger, address))) == 5
        tracking.ask(done("create", 50, 3, "/c", "c"), 50.0)
        tracking.send(50.0)
        tracking.block(51.0)
        tracking.ask(done("change", 52, 4, "/c", "c"), 52.0)
        tracking.send(52.0)
        os.kill(ledger.pid, signal.SIGKILL)
        with pytest.raises(LedgerError, match="does not answer"):
            tracking.block(53.0)
        assert ledger.ends(5.0)
    with tracked() as (ledger, _, tracking):
        for time_s in (60.0, 70.0):
            tracking.send(time_s)
            tracking.block(time_s)
        kept = tracking.manager.transactions
        assert [one.operation.kind for one in kept] == [
            "create",
            "change",
            "change",
            "rename",
            "delete",
            "create",
            "change",
        ]
        assert all(one.confirmed_s is not None and one.refused is None for one in kept)
        assert [one.kind for one in audit.history(ledger, tracking.manager.contracts["c"])] == ["create", "change"]


def test_no_ledger_is_left_behind(node):
    with node() as ledger:
        process = psutil.Process(ledger.pid)
        assert [one.laddr.ip for one in process.net_connections() if one.status == psutil.CONN_LISTEN] == ["127.0.0.1"]
    assert not process.is_running()


def test_a_missing_ledger_is_said_with_the_remedy(node, monkeypatch):
    monkeypatch.setenv("ANVIL", "/nowhere/anvil")
    with (
        pytest.raises(RetentionError, match=r"anvil is not installed; run `python3 scripts/"),
        node(),
    ):
        pass
