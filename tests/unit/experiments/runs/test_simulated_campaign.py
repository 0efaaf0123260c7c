"""Campaigns by the twin: the same results however many processes there are, and nothing lost with one of them."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from rich.console import Console

from experiments.records.results_folder import ResultsFolder
from experiments.runs import campaign, simulated_campaign
from experiments.runs.progress import Reporter
from tests.emulation.small_run import specification
from tests.unit.experiments.synthetic import START

QUIET = Reporter(Console(quiet=True), quiet=True)


def made(tmp_path, name="folder", **changed):
    profile = tmp_path / name
    profile.mkdir()
    return ResultsFolder.create(profile, specification(profile, **changed), START)


def outcomes(folder):
    """All that came out of runs, but for how long it took to decide."""
    return {
        record.run_id: (
            [job.model_copy(update={"decision_wall_s": None}) for job in record.jobs],
            record.traffic_matrix,
            record.status,
        )
        for record in folder.records()
    }


def test_runs_come_out_the_same_however_many_processes_do_them(tmp_path):
    alone, together = made(tmp_path, "alone"), made(tmp_path, "together")
    assert simulated_campaign.run_all(alone.assignments(), 1, QUIET) == []
    assert simulated_campaign.run_all(together.assignments(), 2, QUIET) == []
    assert outcomes(alone) == outcomes(together)
    assert [record.state for record in together.records()] == ["simulated"] * 3


def test_every_byte_of_a_simulated_run_is_accounted_for(tmp_path):
    folder = made(tmp_path, strategies=["neawa"])
    assert simulated_campaign.run_all(folder.assignments(), 1, QUIET) == []
    (record,) = folder.records()
    for job in record.jobs:
        for stage in job.stages:
            assert stage.planned_bytes == stage.sent_bytes == stage.received_bytes
    moved = sum(map(sum, record.traffic_matrix.bytes))
    events = folder.run(record.run_id).events()
    assert events.filter(events["kind"].is_in(["read", "transfer", "write"]))["bytes"].sum() == moved


BROKEN = """
from placement.strategies.baselines import Default


class Broken(Default):
    def place_containers(self, view, request, rng):
        raise RuntimeError("out of ideas")
"""


def test_a_run_that_fails_is_told_and_the_others_are_done(tmp_path):
    (tmp_path / "broken_by_test.py").write_text(BROKEN)
    folder = made(tmp_path, folder=str(tmp_path), strategies=["default", "broken_by_test:Broken"])
    assert simulated_campaign.run_all(folder.assignments(), 2, QUIET) == ["r00-bf4-Broken: out of ideas"]
    states = {record.strategy: record.state for record in folder.records()}
    assert states == {"default": "simulated", "Broken": "failed"}


def test_a_killed_process_loses_no_finished_run(tmp_path):
    folder = made(tmp_path, repeats=100, strategies=["default"])

    def kill():
        while not any(record.status == "finished" for record in folder.records()):
            time.sleep(0.02)
        multiprocessing.active_children()[0].kill()

    thread = threading.Thread(target=kill)
    thread.start()
    (problem,) = simulated_campaign.run_all(folder.assignments(), 2, QUIET)
    thread.join()
    left = campaign.unfinished(folder.assignments())
    assert problem == f"{len(left)} runs: a process was killed, maybe for want of memory; go on with fewer --processes"
    assert 0 < len(left) < 100
    finished = {id: outcome for id, outcome in outcomes(folder).items() if outcome[2] == "finished"}
    assert simulated_campaign.run_all(folder.assignments(), 1, QUIET) == []
    assert finished.items() <= outcomes(folder).items()


CALLER = """
import sys
from pathlib import Path
from experiments.records.results_folder import ResultsFolder
from experiments.runs import simulated_campaign
from tests.unit.experiments.runs.test_simulated_campaign import QUIET
if __name__ == "__main__":
    simulated_campaign.run_all(ResultsFolder.open(Path(sys.argv[1])).assignments(), 2, QUIET)
"""


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_nothing_goes_on_after_the_caller_has_ended(tmp_path, sent):
    folder = made(tmp_path, repeats=100, strategies=["default"])
    script = tmp_path / "caller.py"
    script.write_text(CALLER)
    caller = subprocess.Popen(
        [sys.executable, str(script), str(folder.path)],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not any(record.status == "finished" for record in folder.records()):
        assert caller.poll() is None
        time.sleep(0.05)
    os.kill(caller.pid, sent)
    caller.wait(20)
    deadline = time.monotonic() + 20
    while _members(caller.pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert 0 < len(campaign.unfinished(folder.assignments())) < 100


def _members(session):
    """Processes of a session that have not ended."""
    said = subprocess.run(["ps", "-o", "pid=,stat=", "-s", str(session)], capture_output=True, text=True, check=False)
    return [line for line in said.stdout.splitlines() if "Z" not in line]
