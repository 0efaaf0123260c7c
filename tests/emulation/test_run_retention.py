"""Files of an emulated run on a real ledger, which is killed meanwhile, and a replica that is altered."""

import os
import signal

import polars as pl
import psutil
import pytest

from experiments.records import retention
from experiments.runs import rate_divisor
from experiments.runs.controller_process import listen
from experiments.runs.standing_network import StandingNetwork
from experiments.specification import plan
from experiments.specification.resolved_run import resolve
from tests.emulation import one_run
from tests.emulation.small_run import RATE_DIVISOR, specification
from tests.unit.retention import real_ledger
from topologies.emulated import isolation

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("short_calibration")]

FILES = [
    {"operation": "create", "file": "/archive/a", "bytes": "100 MB", "host": "h2", "user": "ann"},
    {"operation": "change", "file": "/archive/a", "bytes": "80 MB", "at_s": 5, "host": "h3"},
    {"operation": "read", "file": "/archive/a", "at_s": 40, "host": "h3"},
    {"operation": "delete", "file": "/archive/a", "at_s": 60},
    {"operation": "create", "file": "/archive/c", "bytes": "1 MB", "at_s": 7},
]
CORRUPT = {"at_s": 30, "corrupt": {"file": "/archive/a", "block": 1, "host": "h3"}}
WANTED = {"track": ["/archive/**", "join/output/**"], "validate": "reads", "chain": {"block_s": 2, "confirmations": 3}}


def ledgers():
    """Processes of ledgers that are running."""
    return [one for one in psutil.process_iter(["name"]) if one.info["name"] == "anvil"]


@pytest.mark.parametrize("digest", ["blocks", "file"])
def test_everything_is_kept_once_although_the_ledger_is_killed(tmp_path, digest):
    real_ledger.require()
    killed = []

    def kill(news):
        if news in ("join started", "change /archive/a done"):
            (ledger,) = ledgers()
            killed.append(ledger.pid)
            os.kill(ledger.pid, signal.SIGKILL)

    folder, record = one_run.executed(
        tmp_path,
        kill,
        strategies=["default"],
        workload=[{"profile": str(tmp_path / "join.yaml"), "job_id": "join"}],
        data={"block_bytes": "40 MB", "replication": 2},
        files=FILES,
        failures=[CORRUPT],
        retention={**WANTED, "digest": digest},
    )
    assert record.status == "finished"
    assert len(killed) == 2
    assert ledgers() == []
    kept, sent = record.retention, folder.transactions()
    assert 1 <= kept.ledger_restarts <= 2
    assert kept.transactions == kept.confirmed == len(sent) > 0
    assert kept.refused == 0
    assert kept.not_kept == ()
    mine = sent.filter(pl.col("file") == "/archive/a")
    assert mine["operation"].to_list() == ["create", "register", "change", "delete"]
    written = folder.files().filter(pl.col("operation") != "read").group_by("user").len()
    assert dict(written.iter_rows()) == {"ann": 1, "client": 3, "join": 5}
    assert len(sent.filter(pl.col("operation") == "create")) == 7
    assert kept.altered == ("block 1 of /archive/a#2 on h3",)
    checks = folder.events().filter(pl.col("kind") == "validated")
    assert checks["ok"].to_list() == [False, True]
    assert checks["detail"].to_list() == ["/archive/a 1", "/archive/a"]
    there = retention.stored_files((folder.retention / "files.json").read_text())
    digests = {
        one.name: retention.file_digest(next(iter(block.values())) for block in one.blocks or ()) for one in there
    }
    for name, digest in sent.filter(pl.col("operation") == "create").select("file", "digest").iter_rows():
        assert name == "/archive/a" or digests[name].hex() == digest


def test_a_rehearsal_may_end_while_results_are_being_written(tmp_path):
    """It takes no ledger, and asks nobody for what is not there yet."""
    wanted = specification(
        tmp_path,
        strategies=["default"],
        workload=[{"profile": str(tmp_path / "join.yaml"), "job_id": "join"}],
        scale={"rate_divisor": RATE_DIVISOR, "volume_divisor": 20},
        retention=WANTED,
    )
    (run,) = map(resolve, plan.runs_of(wanted))
    with listen(isolation.current()) as listener, StandingNetwork(listener) as standing:
        doubts = rate_divisor._doubts(run, standing, RATE_DIVISOR, tmp_path)
    assert not any("block" in line for line in doubts)
