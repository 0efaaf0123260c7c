"""The example of a script does an experiment and leaves nothing but its results."""

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.records.results_folder import ResultsFolder
from tests.lifecycle.testbed import Machine, nobody_else, wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(300)
def test_the_example_prints_both_strategies(before, tmp_path):
    with nobody_else():
        pass
    argv = [sys.executable, "examples/script.py", str(tmp_path / "results")]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["default", "neawa"]
    (path,) = (path for path in (tmp_path / "results").iterdir() if path.is_dir())
    assert all(record.status == "finished" for record in ResultsFolder.open(path).records())
    wait_until(lambda: Machine.now().differences(before) == [], "the machine as it was")
