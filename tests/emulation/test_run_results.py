"""Files on a small network: what jobs and clients write really is where the name node says, and others read it."""

import polars as pl
import pytest

from tests.emulation.one_run import executed

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("short_calibration", "on_small_network")]


def test_a_later_job_reads_what_an_earlier_one_has_written_from_where_it_was_put(tmp_path):
    """CoLoc puts it onto the one node that the later job will have, which is not that of all writers."""
    workload = [
        {"profile": str(tmp_path / "join.yaml"), "job_id": "first"},
        {"profile": "kmeans", "job_id": "second", "containers": 3, "reads": {"points": "first"}},
    ]
    coloc = {"name": "coloc", "colocation": {"jobs": ["second"], "nodes": 1}}
    folder, record = executed(tmp_path, strategies=[coloc], workload=workload, data={"block_bytes": "8 MB"})
    first, second = record.jobs
    assert second.submitted_s == pytest.approx(first.finished_s)
    files = folder.files().filter(user="first")
    assert files["bytes"].sum() == 60_000_000
    assert (files["operation"] == "create").all()
    assert files["checksum"].null_count() == 0
    placed = {
        f"{file} {index}": replicas.split()
        for file, blocks in files.select("file", "blocks").iter_rows()
        for index, replicas in enumerate(blocks.split(", "))
    }
    assert len(placed) == 5 * 2
    (favoured,) = {replicas[0] for replicas in placed.values()}
    assert set(files["host"]) - {favoured}
    events = folder.events()
    written = events.filter(kind="write", job="first")
    assert {(detail, peer) for detail, peer in written.select("detail", "peer").iter_rows()} == {
        (detail, replica) for detail, replicas in placed.items() for replica in replicas
    }
    reads = events.filter(pl.col("detail").str.starts_with("first/"), kind="read", job="second")
    assert set(reads["detail"]) == set(placed)
    assert all(peer in placed[detail] for detail, peer in reads.select("detail", "peer").iter_rows())
    assert reads["ok"].all()


def test_clients_write_rename_read_and_delete_files_while_a_job_runs(tmp_path):
    files = [
        {"operation": "create", "file": "/a", "bytes": "40 MB", "host": "h2", "user": "ann"},
        {"operation": "change", "file": "/a", "bytes": "20 MB", "at_s": 1, "host": "h3"},
        {"operation": "rename", "file": "/a", "to": "/b", "at_s": 2},
        {"operation": "read", "file": "/b", "at_s": 2, "host": "h4"},
        {"operation": "delete", "file": "/b", "at_s": 3},
    ]
    workload = [{"profile": str(tmp_path / "join.yaml"), "job_id": "join"}]
    data = {"block_bytes": "8 MB", "replication": 2}
    folder, record = executed(tmp_path, strategies=["default"], workload=workload, data=data, files=files)
    done = folder.files().filter(pl.col("user").is_in(["ann", "client"]))
    assert done["operation"].to_list() == ["create", "change", "rename", "read", "delete"]
    create, change, rename, read, delete = done["checksum"]
    assert create != change == rename == read == delete
    events = folder.events().filter(pl.col("job").is_null(), pl.col("kind").is_in(["read", "write"]))
    moved = dict(events.group_by("kind").agg(pl.col("bytes").sum()).iter_rows())
    assert moved == {"write": 2 * 60_000_000, "read": 20_000_000}
    assert set(events.filter(kind="read")["detail"]) == {f"/a#2 {index}" for index in range(3)}
    of_job = folder.events().filter(pl.col("job").is_not_null(), pl.col("kind").is_in(["read", "transfer", "write"]))
    total = sum(map(sum, record.traffic_matrix.bytes))
    assert total == of_job["bytes"].sum() + events["bytes"].sum()
