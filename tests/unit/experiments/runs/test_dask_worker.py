"""What a cluster's worker keeps from one task to the next: the rate divisor, whose search takes minutes."""

import contextlib

import pytest

from experiments.records.results_folder import Assignment, ResultsFolder
from experiments.runs import dask_worker, emulated_campaign, emulated_run, rate_divisor
from experiments.specification.plan import runs_of
from tests.unit.experiments.synthetic import SCALE, START, results, specification
from topologies.emulated import isolation


@pytest.fixture
def used(tmp_path, monkeypatch):
    """The divisors of the runs that were begun, none of which is emulated."""
    divisors = []
    monkeypatch.setattr(dask_worker, "__file__", str(tmp_path / "experiments" / "runs" / "dask_worker.py"))
    monkeypatch.setattr(isolation, "current", lambda: None)
    monkeypatch.setattr(emulated_campaign, "listen", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(emulated_run, "execute", lambda _run, _folder, how, _say: divisors.append(how.rate_divisor))
    return divisors


def do(folder):
    return dask_worker._emulate([Assignment(folder, run) for run in runs_of(folder.specification())], False)


def test_a_divisor_is_searched_once_for_all_tasks_of_a_machine(used, tmp_path, monkeypatch):
    found = iter([(16.0, True)])
    monkeypatch.setattr(rate_divisor, "_search", lambda *_: next(found))
    for task in ("first", "second"):
        assert do(ResultsFolder.create(tmp_path / task, specification(), START)) == []
    assert used == [16.0] * 6


def test_a_task_goes_on_with_the_divisor_of_the_runs_that_it_is_given(used, tmp_path, monkeypatch):
    monkeypatch.setattr(rate_divisor, "_search", lambda *_: pytest.fail("it is known"))
    folder = results(tmp_path, failed=("r00-bf5-neawa",))
    assert do(folder) == []
    assert used == [SCALE.rate_divisor]
