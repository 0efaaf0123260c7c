import dataclasses
from datetime import timedelta

import pytest
from rich.console import Console

from experiments.analysis.comparison import compare
from experiments.records.record import RecordError
from experiments.records.results_folder import Assignment, ResultsFolder
from experiments.runs import campaign
from experiments.runs.progress import Reporter
from experiments.specification.plan import runs_of
from tests.unit.experiments.synthetic import START, results, specification, write_run


@pytest.fixture
def folder(tmp_path):
    return results(tmp_path, "repeats=2", failed=("r00-bf5-neawa",))


def left(folder):
    assignments = [Assignment(folder, run) for run in runs_of(folder.specification())]
    return [run.id for _, run in campaign._left_to_do(assignments)]


def test_only_unfinished_runs_are_left(folder):
    (folder.run("r01-bf5-coloc").path / "record.json").unlink()
    assert left(folder) == ["r00-bf5-neawa", "r01-bf5-coloc"]


def test_more_repeats_are_done_beside_those_that_have_finished(folder):
    assert left(folder.extend(3)) == ["r00-bf5-neawa", "r02-bf5-coloc", "r02-bf5-default", "r02-bf5-neawa"]
    for run in runs_of(folder.specification()):
        if run.repeat == 2:
            write_run(folder, run, START + timedelta(hours=2))
    (network,) = compare(folder.records()).networks
    assert {strategy.strategy: (strategy.runs, strategy.planned) for strategy in network.strategies} == {
        "default": (3, 3),
        "neawa": (2, 3),
        "coloc": (3, 3),
    }


def test_as_many_repeats_as_there_are_change_nothing(folder):
    file = folder.path / "specification.yaml"
    before = (file.read_bytes(), file.stat().st_mtime_ns)
    folder.extend(2)
    assert (file.read_bytes(), file.stat().st_mtime_ns) == before


def test_a_doubtful_run_is_repeated_once_also_when_resumed(folder):
    run = folder.run("r00-bf5-default")
    record = run.record()
    doubtful = record.fidelity.model_copy(update={"verdict": "doubtful", "reasons": ("no CPU",)})
    (run.path / "record.json").write_text(record.updated(fidelity=doubtful).to_json())
    assert left(folder) == ["r00-bf5-default-again", "r00-bf5-neawa"]
    again = folder.run("r00-bf5-default-again")
    again.path.mkdir()
    repeated = dataclasses.replace(runs_of(folder.specification())[0], id="r00-bf5-default-again")
    (again.path / "record.json").write_text(record.updated(run_id=repeated.id, fidelity=doubtful).to_json())
    assert left(folder) == ["r00-bf5-neawa"]


def test_a_run_that_fails_before_it_has_a_record_gets_one(tmp_path):
    folder = ResultsFolder.create(tmp_path, specification(), START)

    def execute(_assignment, _run, _say):
        raise TimeoutError("no divisor will do")

    assignments = [Assignment(folder, run) for run in runs_of(folder.specification())]
    problems = campaign.do(assignments, execute, Reporter(Console(), quiet=True))
    records = folder.records()
    assert problems == [f"{run.run.id}: no divisor will do" for run in assignments]
    assert {(record.status, record.reason) for record in records} == {("failed", "no divisor will do")}
    assert "TimeoutError" in (folder.run(records[0].run_id).path / "failure.txt").read_text()
    compared = compare(records)
    assert [run.strategy for run in compared.set_aside] == ["default", "neawa", "coloc"]


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
    assignments = [Assignment(folder, run) for run in runs_of(folder.specification())]
    with pytest.raises(type(stop)):
        campaign.do(assignments, execute, Reporter(Console(), quiet=True))
    assert begun == ["r00-bf5-neawa"]


def test_a_damaged_record_is_not_done_over(folder):
    damaged = folder.run("r00-bf5-default").path
    (damaged / "record.json").write_text("{")
    assignments = [Assignment(folder, run) for run in runs_of(folder.specification())]
    with pytest.raises(RecordError, match=f"record.json: .*; move {damaged} away to have the run done again"):
        campaign.unfinished(assignments)
