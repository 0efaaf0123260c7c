"""Ctrl-C in the middle of an experiment takes everything down, keeps what is done, and `--resume` does the rest."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from experiments.records.draws import RATIO
from experiments.records.results_folder import ResultsFolder
from tests.lifecycle.testbed import _TOKEN, Testbed, leftovers, nobody_else, wait_until

pytestmark = pytest.mark.timeout(900)

ROOT = Path(__file__).resolve().parents[2]
SPECIFICATION = {
    "name": "interrupted",
    "topology": {
        "preset": "fat-tree",
        "parameters": {"racks": 2, "hosts_per_rack": 2, "core_switches": 1, "uplink_ports_per_rack": 2},
        "blocking_factor": 4,
    },
    "strategies": ["default", "neawa"],
    "workload": [{"profile": "tpch-q3", "input_bytes": "3 GB", "containers": 6}],
    "scale": {"rate_divisor": 16, "volume_divisor": 100},
}


def started(folder: Path, *words: str) -> Testbed:
    """The testbed's command line as a process that has begun to work, started in `folder`; waits while somebody else's
    testbed runs.
    """
    command = [sys.executable, str(ROOT / "run_testbed.py"), "run", "--force", *words]
    errors = folder / "errors.txt"
    while True:
        token = secrets.token_hex(8)
        with nobody_else(), errors.open("w") as output:
            variables = {**os.environ, _TOKEN: token}
            process = subprocess.Popen(
                command, cwd=folder, stdout=subprocess.PIPE, stderr=output, text=True, env=variables
            )
        testbed = Testbed(process, token, errors)
        testbed.stages.append(process.stdout.readline())
        if testbed.stages[0] or process.wait() != 2 or "already running" not in errors.read_text():
            return testbed
        process.stdout.close()


def read_until(testbed: Testbed, words: str) -> None:
    for line in testbed.process.stdout:
        testbed.stages.append(line)
        if words in line:
            return
    raise AssertionError(f"ended before {words!r}: {testbed.stages} {testbed.errors.read_text()}")


@pytest.fixture
def interrupted(before, tmp_path):
    """An experiment of two runs, stopped by Ctrl-C while the second one's job ran."""
    specification = tmp_path / "interrupted.yaml"
    specification.write_text(yaml.safe_dump(SPECIFICATION))
    testbed = started(tmp_path, "--spec", str(specification), "--output", str(tmp_path / "results"))
    try:
        read_until(testbed, "neawa: tpch-q3-1 started")
        assert testbed.remains()  # so that finding nothing later means something
        code = testbed.kill(signal.SIGINT)
    finally:
        if testbed.process.poll() is None:
            testbed.kill(signal.SIGKILL)
    (path,) = (tmp_path / "results").iterdir()
    return testbed, code, ResultsFolder.open(path)


def test_an_interrupted_experiment_leaves_nothing_but_its_results_and_can_be_finished(before, interrupted, tmp_path):
    testbed, code, folder = interrupted
    assert code == 130
    assert leftovers(testbed, before) == []
    assert any(f"run --resume {folder.path}" in line for line in testbed.stages)
    assert "Traceback" not in testbed.errors.read_text()

    stopped = {record.strategy: record for record in folder.records() if not record.run_id.endswith("-again")}
    assert stopped["default"].status == "finished"
    assert stopped["neawa"].status == "failed"
    assert stopped["neawa"].reason == "stopped by the user"
    assert stopped["neawa"].jobs == ()

    rest = started(tmp_path, "--resume", str(folder.path))
    rest.read()
    assert rest.process.wait(timeout=60) == 0
    rest.process.stdout.close()
    wait_until(lambda: not rest.remains(), "the end of all processes")
    finished = {record.strategy: record for record in folder.records() if not record.run_id.endswith("-again")}
    assert {name: record.status for name, record in finished.items()} == {"default": "finished", "neawa": "finished"}
    assert all(record.prediction is not None for record in finished.values())
    fidelity = finished["default"].fidelity
    without = fidelity.model_copy(update={"figures": {n: v for n, v in fidelity.figures.items() if n != RATIO}})
    assert finished["default"].updated(prediction=None, fidelity=without) == stopped["default"]
    assert (folder.path / "report.html").exists()
