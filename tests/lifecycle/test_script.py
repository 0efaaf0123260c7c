"""The example of a script does an experiment from anywhere and leaves nothing but its results."""

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.records.results_folder import ResultsFolder
from tests.lifecycle.testbed import Machine, nobody_else, wait_until

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("controller", "experiments", "placement", "scripts", "topologies", "workloads")


@pytest.fixture
def trapped(tmp_path):
    """A folder where somebody has put packages named like the testbed's, and what these write when they are run."""
    folder, sprung = tmp_path / "shared", tmp_path / "sprung"
    for package in PACKAGES:
        (folder / package).mkdir(parents=True)
        for module in ("__init__", "__main__"):
            (folder / package / f"{module}.py").write_text(f"open({str(sprung)!r}, 'a').write('{package}\\n')\n")
    return folder, sprung


@pytest.mark.timeout(300)
def test_the_example_prints_both_strategies_and_runs_nothing_of_the_folder_it_is_started_in(before, trapped, tmp_path):
    folder, sprung = trapped
    with nobody_else():
        pass
    argv = [sys.executable, str(ROOT / "examples/script.py"), str(tmp_path / "results")]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["default", "neawa"]
    (path,) = (path for path in (tmp_path / "results").iterdir() if path.is_dir())
    assert all(record.status == "finished" for record in ResultsFolder.open(path).records())
    assert not sprung.exists()
    wait_until(lambda: Machine.now().differences(before) == [], "the machine as it was")
