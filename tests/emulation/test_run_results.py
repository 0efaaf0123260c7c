"""A workflow on a small network: what one job writes really is where the name node says, and the next one reads it."""

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
    files = folder.files().filter(job="first")
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
