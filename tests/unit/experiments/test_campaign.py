import dataclasses

import pytest
from rich.console import Console

from experiments import campaign
from experiments.campaign import Assignment
from experiments.plan import resolve
from experiments.progress import Reporter
from tests.unit.experiments.synthetic import results


@pytest.fixture
def folder(tmp_path):
    return results(tmp_path, "repeats=2", failed=("r00-bf5-neawa",))


def left(folder):
    assignments = [Assignment(folder, run) for run in resolve(folder.specification())]
    return [run.id for _, run in campaign._left_to_do(assignments)]


def test_only_unfinished_runs_are_left(folder):
    (folder.run("r01-bf5-coloc").path / "record.json").unlink()
    assert left(folder) == ["r00-bf5-neawa", "r01-bf5-coloc"]


def test_a_doubtful_run_is_repeated_once_also_when_resumed(folder):
    run = folder.run("r00-bf5-default")
    record = run.record()
    doubtful = record.fidelity.model_copy(update={"verdict": "doubtful", "reasons": ("no CPU",)})
    (run.path / "record.json").write_text(record.updated(fidelity=doubtful).to_json())
    assert left(folder) == ["r00-bf5-default-again", "r00-bf5-neawa"]
    again = folder.run("r00-bf5-default-again")
    again.path.mkdir()
    repeated = dataclasses.replace(resolve(folder.specification())[0], id="r00-bf5-default-again")
    (again.path / "record.json").write_text(record.updated(run_id=repeated.id, fidelity=doubtful).to_json())
    assert left(folder) == ["r00-bf5-neawa"]


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(143)])
def test_a_stop_is_one_also_when_cleaning_up_after_it_fails(folder, stop):
    begun = []

    def execute(_assignment, run, _say):
        begun.append(run.id)
        try:
            raise stop
        finally:
            raise OSError("no such device")

    (folder.run("r01-bf5-coloc").path / "record.json").unlink()
    assignments = [Assignment(folder, run) for run in resolve(folder.specification())]
    with pytest.raises(type(stop)):
        campaign.do(assignments, execute, Reporter(Console(), quiet=True))
    assert begun == ["r00-bf5-neawa"]
