"""Files that are retained in a simulated run, by a model of a ledger and by a real one."""

from typing import Any

import pytest

from experiments.records import retention
from experiments.runs.simulated_run import simulate
from experiments.runs.workload import JobFailedError
from experiments.specification import plan
from experiments.specification.resolved_run import resolve
from retention import audit
from tests.emulation.small_run import specification
from tests.unit.retention import real_ledger
from workloads.scale import Scale

SCALE = Scale(8, 64)
FILES: list[dict[str, Any]] = [
    {"operation": "create", "file": "/archive/a", "bytes": "100 MB", "host": "h2", "user": "ann"},
    {"operation": "change", "file": "/archive/a", "bytes": "50 MB", "at_s": 60, "host": "h3"},
    {"operation": "rename", "file": "/archive/a", "to": "/archive/b", "at_s": 70},
    {"operation": "read", "file": "/archive/b", "at_s": 100, "host": "h4"},
    {"operation": "delete", "file": "/archive/b", "at_s": 200},
    {"operation": "create", "file": "/c", "bytes": 1, "at_s": 3},
]
CHAIN = {"block_s": 5, "intervals": "fixed", "confirmations": 2}


@pytest.fixture
def outcome(tmp_path):
    """What comes of a small run; with a folder by a real ledger."""

    def of(folder=None, **changed):
        workload = [{"profile": str(tmp_path / "join.yaml"), "job_id": "join"}]
        wanted = specification(
            tmp_path,
            strategies=["default"],
            workload=workload,
            **{"data": {"block_bytes": "40 MB", "replication": 2}, "files": FILES, **changed},
        )
        (run,) = map(resolve, plan.runs_of(wanted))
        return simulate(run, SCALE, ledger=folder)

    return of


@pytest.fixture
def real(tmp_path):
    """Folder of a real ledger."""
    real_ledger.require()
    return tmp_path / "retention"


def validated(found):
    return [(one.ok, one.host, one.detail) for one in found.events if one.kind == "validated"]


def test_what_is_done_to_tracked_files_is_kept_in_its_order(outcome):
    kept = outcome(retention={"track": "/archive/**", "chain": CHAIN}).retained
    seen = [(one.operation.kind, one.operation.uri, one.operation.user) for one in kept.transactions]
    assert seen == [
        ("create", "/archive/a", "ann"),
        ("register", "/archive/a", "ann"),
        ("change", "/archive/a", "client"),
        ("rename", "/archive/b", "client"),
        ("register", "/archive/b", "client"),
        ("delete", "/archive/b", "client"),
    ]
    create, register, change, rename, *_ = kept.transactions
    assert create.asked_s < create.included_s == create.confirmed_s - 5 <= register.sent_s
    assert change.asked_s > 60
    assert change.operation.digest != create.operation.digest
    assert rename.operation.digest == change.operation.digest
    assert len(create.operation.locations.split(", ")) == 3
    assert {one.name for one in kept.files if one.key is not None} == {"/archive/b"}
    assert next(one for one in kept.files if one.key is not None).blocks is None
    assert kept.not_kept == []


@pytest.mark.parametrize("digest", ["blocks", "file"])
def test_a_real_ledger_has_what_the_model_says(outcome, real, digest):
    """Also of the results of a job, and of its input."""
    from retention.anvil_chain import AnvilChain

    wanted = {"track": "**", "digest": digest, "validate": "reads", "wait": "confirmed", "chain": CHAIN}
    modelled, proven = outcome(retention=wanted), outcome(real, retention=wanted)
    strip = [(one.operation, one.sent_s, one.included_s, one.confirmed_s) for one in modelled.retained.transactions]
    assert strip == [
        (one.operation, one.sent_s, one.included_s, one.confirmed_s) for one in proven.retained.transactions
    ]
    assert [one.finished_s for one in modelled.results] == [one.finished_s for one in proven.results]
    users = {one.operation.user for one in proven.retained.transactions}
    assert users == {"loader", "join", "ann", "client"}
    with AnvilChain.opened(real) as chain:
        for file in proven.retained.files:
            assert file.key is not None
            address = chain.contracts[file.key]
            if file.blocks is not None:
                stored = retention.file_digest(next(iter(block.values())) for block in file.blocks)
                assert audit.is_valid(chain.ledger, address, stored)
                assert audit.address_of(chain.ledger, str(chain.index), file.name) == address.lower()
            last = list(audit.history(chain.ledger, address))[-1]
            assert (last.kind == "delete") == (file.blocks is None)


def test_who_waits_for_confirmation_goes_on_when_it_is_there(outcome):
    cached, confirmed = (
        outcome(retention={"track": "**", "wait": wait, "chain": CHAIN}) for wait in ("cached", "confirmed")
    )
    (early,), (late,) = cached.results, confirmed.results
    done = [one for one in confirmed.retained.transactions if one.operation.user == "join"]
    ended_s = SCALE.modelled_s(late.finished_s - confirmed.retained.origin_s)
    assert ended_s == pytest.approx(max(one.confirmed_s for one in done if one.operation.kind == "create"), abs=0.01)
    assert early.finished_s < late.finished_s


def test_hashing_takes_the_disks_or_the_network(outcome):
    plain, by_blocks, by_file = (
        outcome(**({"retention": {"track": "/archive/*", "digest": digest}} if digest else {}))
        for digest in (None, "blocks", "file")
    )
    moved = [
        sum(one.bytes for one in found.events if one.kind == kind and one.job is None)
        for found in (plain, by_blocks, by_file)
        for kind in ("read", "hash")
    ]
    once = 50e6 / 64
    assert moved == pytest.approx([once, 0, once, 3 * once / 128, 4 * once, 0], rel=0.01)
    assert next(one for one in by_file.events if one.kind == "read" and one.job is None).host == "h1"


def test_nothing_of_a_run_that_tracks_nothing_of_its_own_changes(outcome):
    none, other = outcome(), outcome(retention={"track": "/nothing", "validate": "reads"})
    assert none.events == other.events
    assert none.retained is None
    assert other.retained.transactions == ()


def test_a_replica_that_was_altered_is_found_before_it_is_used(outcome):
    """A client reads the other one; a job is given the others."""
    corrupt = [
        {"at_s": 40, "corrupt": {"file": "/archive/a", "block": 1}},
        {"at_s": 0, "corrupt": {"file": "join/left", "block": 3}},
    ]
    files = [FILES[0], {**FILES[3], "file": "/archive/a", "host": None}]
    found = outcome(files=files, failures=corrupt, retention={"track": "**", "validate": "reads"})
    altered = [(one.host, one.detail) for one in found.events if one.kind == "block_altered"]
    assert [detail for _, detail in altered] == ["join/left 3", "/archive/a 1"]
    seen = validated(found)
    assert {(host, detail) for ok, host, detail in seen if not ok} <= set(altered)
    assert (False, *altered[0]) in seen
    reads = [(one.peer, one.detail) for one in found.events if one.kind == "read"]
    assert altered[0] not in reads
    assert found.retained.altered[0] == ("join/left", 3, altered[0][0])
    silent = outcome(files=files, failures=corrupt, retention={"track": "**"})
    assert validated(silent) == []
    assert silent.retained.altered == []


def test_a_client_reads_another_replica_where_one_was_altered(outcome):
    corrupt = [{"at_s": 40, "corrupt": {"file": "/archive/a", "block": 1, "host": "h2"}}]
    files = [FILES[0], {**FILES[3], "file": "/archive/a", "host": "h2"}]
    found = outcome(files=files, failures=corrupt, retention={"track": "/archive/a", "validate": "reads"})
    assert validated(found) == [(False, "h2", "/archive/a 1"), (True, "h2", "/archive/a")]
    reads = [(one.peer, one.detail) for one in found.events if one.kind == "read" and one.job is None]
    assert [detail for _, detail in reads] == ["/archive/a 0", "/archive/a 1", "/archive/a 2", "/archive/a 1"]
    assert reads[1][0] == "h2" != reads[3][0]
    (stored,) = (one for one in found.retained.files if one.name == "/archive/a")
    assert [len(set(block.values())) for block in stored.blocks] == [1, 2, 1]


def test_a_file_without_a_replica_that_is_proven_cannot_be_used(outcome):
    corrupt = [{"at_s": 0, "corrupt": {"file": "join/left", "block": 3, "host": host}} for host in ("h1", "h2")]
    with pytest.raises(JobFailedError, match=r"block 3 of join/left|no replica of block 3 on h[12]"):
        outcome(failures=corrupt, retention={"track": "**", "validate": "reads"})


def test_files_are_tracked_by_how_they_are_used(outcome):
    policy = {"age_s": 50, "reads": 1}
    found = outcome(retention={"policies": policy, "chain": CHAIN})
    kept = [one.operation for one in found.retained.transactions if one.operation.kind == "create"]
    assert {one.uri for one in kept} == {"join/left", "join/right", "/archive/b"}
    assert {one.user for one in kept} == {"policy", "client"}


def test_files_must_not_be_deleted_before_their_time_and_are_when_it_is_over(outcome, real):
    early = [*FILES[:1], {"operation": "delete", "file": "/archive/a", "at_s": 100}]
    wanted = {"track": "/archive/**", "retain_s": 150, "chain": CHAIN}
    refused = outcome(files=early, retention=wanted)
    assert [(one.kind, one.detail) for one in refused.events if "delet" in one.kind] == [
        ("deletion_refused", "/archive/a")
    ]
    assert [one.operation.kind for one in refused.retained.transactions] == ["create", "register", "retain"]
    expired = outcome(real, files=[*early, {**FILES[5], "at_s": 200}], retention={**wanted, "expire": True})
    assert {one.refused for one in expired.retained.transactions} == {None}
    *_, last = expired.retained.transactions
    assert (last.operation.kind, last.operation.user) == ("delete", "policy")
    (retain,) = (one for one in expired.retained.transactions if one.operation.kind == "retain")
    assert retain.operation.time_s <= last.operation.time_s <= retain.operation.time_s + 5
    assert [one.operation for one in expired.file_operations if one.file == "/archive/a"] == ["create", "delete"]


def test_a_file_whose_first_replica_is_gone_is_hashed_by_another(outcome):
    """And one whose replicas are all gone is not kept, which is told."""
    files = [FILES[0], {**FILES[0], "file": "/there", "host": "h4"}, {**FILES[5], "at_s": 400}]
    policy = {"policies": {"age_s": 300}, "chain": CHAIN}
    failures = [{"at_s": 250, "host": "h2"}]  # when the job has ended
    found = outcome(failures=failures, retention=policy, files=files, data={"replication": 1})
    names = {one.operation.uri for one in found.retained.transactions}
    assert "/there" in names
    assert "/archive/a" not in names
    assert "create /archive/a: block 0 of /archive/a: no replica left" in found.retained.not_kept
    twice = outcome(failures=failures, retention=policy, files=files)
    assert twice.retained.not_kept == []
    created = next(one.operation for one in twice.retained.transactions if one.operation.uri == "/archive/a")
    assert created.locations.startswith("h2 ")
    hashed = [one.host for one in twice.events if one.kind == "hash" and one.detail.startswith("/archive/a ")]
    assert len(hashed) == 3
    assert "h2" not in hashed


def test_a_file_is_hashed_where_it_is_when_the_gateway_has_died(outcome):
    late = {**FILES[0], "at_s": 300}
    wanted = {"track": "/archive/*", "digest": "file", "gateway": "h1"}
    found = outcome(files=[late], failures=[{"at_s": 250, "host": "h1"}], retention=wanted)
    assert found.retained.not_kept == []
    readers = {one.host for one in found.events if one.kind == "read" and one.job is None}
    assert readers == {"h2"}


def test_a_file_that_is_being_written_does_not_expire_meanwhile(outcome):
    """Its time is over while a client writes it anew for a minute; it is deleted after that."""
    files = [FILES[0], {**FILES[1], "bytes": "500 MB"}, {**FILES[5], "at_s": 200}]
    found = outcome(files=files, retention={"track": "/archive/*", "retain_s": 62, "expire": True, "chain": CHAIN})
    done = [(one.operation, one.user) for one in found.file_operations if one.file == "/archive/a"]
    assert done == [("create", "ann"), ("change", "client"), ("delete", "policy")]
    assert found.retained.not_kept == []


def test_a_job_whose_first_container_has_died_has_its_input_proven_by_another(outcome):
    """In the middle of reading it whole."""
    wanted = {"track": "join/left", "digest": "file", "validate": "reads"}
    (first,) = outcome(files=[], retention=wanted).results
    master = first.placement[0]
    found = outcome(files=[], failures=[{"at_s": 20, "host": master}], retention=wanted)
    (result,) = found.results
    assert result.failed is None
    assert master not in result.placement
    readers = {one.host for one in found.events if one.kind == "read" and one.job is None}
    assert readers - {master}
