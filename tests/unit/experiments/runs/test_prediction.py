"""Predictions of emulated runs: made once, kept in the record, and never in the way of what was measured."""

import pytest
from rich.console import Console

from experiments.records.results_folder import ResultsFolder
from experiments.runs import prediction, simulated_campaign
from experiments.runs.progress import Reporter
from tests.emulation.small_run import specification
from tests.unit.experiments.synthetic import START

QUIET = Reporter(Console(quiet=True), quiet=True)


@pytest.fixture
def folder(tmp_path):
    """An experiment whose runs the twin has done, recorded as if they had been emulated."""
    made = ResultsFolder.create(tmp_path, specification(tmp_path, strategies=["default", "neawa"]), START)
    assert simulated_campaign.run_all(made.assignments(), 1, QUIET) == []
    for run in made.runs():
        rewrite(run, kind="emulated")
    return made


def rewrite(run, **changes):
    record = run.record()
    with run.writing(lambda: START) as writer:
        writer.save(record.updated(**changes))


def test_every_job_of_every_run_is_predicted_with_the_data_and_placement_of_the_run(folder):
    before = folder.records()
    assert prediction.add(folder.assignments(), 6, 2, QUIET) == []
    for old, record in zip(before, folder.records(), strict=True):
        assert record.updated(prediction=None) == old
        assert record.prediction.draws == 6
        assert [job.job_id for job in record.prediction.jobs] == [job.job_id for job in record.jobs]
        for job, said in zip(record.jobs, record.prediction.jobs, strict=True):
            assert said.cross_rack_bytes == pytest.approx(job.cross_rack_bytes, rel=0.1)
            assert 0.5 * job.completion_time_s < said.completion_time.mean_s < 2 * job.completion_time_s
        assert record.prediction.summed_time.sd_s > 0  # ways differ from draw to draw


@pytest.mark.parametrize(("repeats", "draws"), [(1, 60), (2, 30), (3, 20), (7, 20)])
def test_repeats_share_the_draws_but_each_has_some(repeats, draws):
    assert prediction.usual_draws(repeats) == draws


def test_the_same_draws_give_the_same_prediction_and_none_is_made_twice(folder, monkeypatch):
    prediction.add(folder.assignments(), 3, 1, QUIET)
    first = [record.prediction for record in folder.records()]
    monkeypatch.setattr(prediction, "side_by_side", lambda *_: pytest.fail("all is predicted"))
    assert prediction.add(folder.assignments(), 3, 1, QUIET) == []
    monkeypatch.undo()
    for run in folder.runs():
        rewrite(run, prediction=None)
    prediction.add(folder.assignments(), 3, 2, QUIET)
    assert [record.prediction for record in folder.records()] == first


def test_what_was_simulated_failed_or_is_not_wanted_is_not_predicted(folder):
    default, neawa = folder.runs()
    rewrite(default, kind="simulated")
    rewrite(neawa, status="failed", reason="no route to h3")
    assert prediction.add(folder.assignments(), 2, 1, QUIET) == []
    rewrite(neawa, status="finished", reason=None)
    assert prediction.add(folder.assignments(), 0, 1, QUIET) == []
    assert [record.prediction for record in folder.records()] == [None, None]


def test_a_repetition_is_predicted_as_well(folder):
    default, _ = folder.runs()
    again = folder.run(f"{default.run_id}-again")
    with again.writing(lambda: START) as writer:
        writer.save(default.record().updated(run_id=again.run_id))
    assert prediction.add(folder.assignments(), 2, 1, QUIET) == []
    assert again.record().prediction.summed_time == default.record().prediction.summed_time


BROKEN = """
from placement.strategies.baselines import Default


class Broken(Default):
    def place_containers(self, view, request, rng):
        raise RuntimeError("out of ideas")
"""


def test_a_run_that_cannot_be_simulated_is_told_and_keeps_what_was_measured(tmp_path, folder):
    default, _ = folder.runs()
    series = (default.path / "links.parquet").read_bytes()
    (default.path / "links.parquet").write_bytes(b"damaged")
    (line,) = prediction.add(folder.assignments(), 2, 1, QUIET)
    assert line.startswith("r00-bf4-default is not predicted: ")
    assert "links.parquet: damaged" in line
    assert [record.prediction is None for record in folder.records()] == [True, False]
    (default.path / "links.parquet").write_bytes(series)
    assert prediction.add(folder.assignments(), 2, 1, QUIET) == []
    assert all(record.prediction for record in folder.records())


def test_a_strategy_that_fails_in_the_twin_leaves_its_run_without_a_prediction(tmp_path, folder):
    (tmp_path / "broken_in_the_twin.py").write_text(BROKEN)
    changed = {"strategies": ["broken_in_the_twin:Broken"], "folder": str(tmp_path)}
    other = ResultsFolder.create(tmp_path, specification(tmp_path, **changed), START)
    (assignment,) = other.assignments()
    record = folder.records()[0].updated(run_id=assignment.run.id, strategy="Broken")
    with other.run(assignment.run.id).writing(lambda: START) as writer:
        writer.save(record)
    assert prediction.add([assignment], 2, 1, QUIET) == ["r00-bf4-Broken is not predicted: out of ideas"]
    assert other.records()[0] == record
