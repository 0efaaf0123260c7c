"""Clients of a simulated cluster."""

import pytest

from experiments.runs.clients import FileOperationError
from experiments.runs.simulated_run import simulate
from experiments.specification import plan
from experiments.specification.resolved_run import resolve
from tests.emulation.small_run import specification
from workloads.scale import Scale

SCALE = Scale(8, 64)
FILES = [
    {"operation": "create", "file": "/a", "bytes": "100 MB", "host": "h2", "user": "ann"},
    {"operation": "change", "file": "/a", "bytes": "50 MB", "at_s": 1, "host": "h3"},
    {"operation": "rename", "file": "/a", "to": "/b", "at_s": 2},
    {"operation": "read", "file": "/b", "at_s": 2, "host": "h4"},
    {"operation": "delete", "file": "/b", "at_s": 500},
    {"operation": "create", "file": "/c", "bytes": 1, "at_s": 3},
]


@pytest.fixture
def outcome(tmp_path):
    def of(**changed):
        workload = [{"profile": str(tmp_path / "join.yaml"), "job_id": "join"}]
        data = {"block_bytes": "40 MB", "replication": 2}
        wanted = specification(tmp_path, strategies=["default"], workload=workload, data=data, **changed)
        (run,) = map(resolve, plan.runs_of(wanted))
        return simulate(run, SCALE)

    return of


def test_clients_do_everything_in_order_and_the_run_waits_for_them(outcome):
    found = outcome(files=FILES)
    done = [one for one in found.file_operations if one.user != "join"]
    seen = [(one.operation, one.file, one.was, one.user, one.host, one.bytes) for one in done if one.file != "/c"]
    assert seen == [
        ("create", "/a", None, "ann", "h2", 100_000_000),
        ("change", "/a", None, "client", "h3", 50_000_000),
        ("rename", "/b", "/a", "client", None, 50_000_000),
        ("read", "/b", None, "client", "h4", 50_000_000),
        ("delete", "/b", None, "client", None, 50_000_000),
    ]
    create, change, rename, read, delete, *_ = (one for one in done if one.file != "/c")
    assert create.start_s < create.time_s <= change.start_s < change.time_s <= rename.time_s <= read.start_s
    assert SCALE.modelled_s(delete.time_s - found.origin_s) == pytest.approx(500)
    assert [len(one.blocks) for one in (create, change, rename)] == [3, 2, 2]
    assert create.blocks[0][0] == "h2"
    assert rename.blocks == change.blocks
    (result,) = found.results
    assert delete.time_s > result.finished_s
    (small,) = (one for one in done if one.file == "/c")
    assert (small.host, small.blocks) == ("h1", (("h1", small.blocks[0][1]),))
    moved = [event for event in found.events if event.kind in ("read", "write") and event.job is None]
    assert sum(event.bytes for event in moved if event.kind == "read") == pytest.approx(50e6 / 64, abs=2)
    assert sum(event.bytes for event in moved if event.kind == "write") == pytest.approx(2 * 150e6 / 64, abs=10)
    assert {event.detail.split(" ")[0] for event in moved} == {"/a", "/a#2", "/c"}


def test_nothing_of_a_run_without_clients_changes(outcome):
    assert outcome(files=FILES[:0]).events == outcome().events


def test_a_client_whose_host_dies_fails_the_run_with_what_it_was_doing(outcome):
    failures = [{"at_s": 4, "host": "h4"}]
    late = [{"operation": "create", "file": "/late", "bytes": 1, "at_s": 10, "host": "h4"}]
    with pytest.raises(FileOperationError, match="create /late: block replica on 'h4': no live agent there"):
        outcome(files=late, failures=failures)
