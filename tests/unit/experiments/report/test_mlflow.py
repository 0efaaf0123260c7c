"""Runs in MLflow's terms: all parameters, metrics of ended runs only, nothing twice."""

import sys
from datetime import timedelta
from types import SimpleNamespace

import pytest

from experiments.analysis.comparison import compare
from experiments.commands.main import main
from experiments.report.mlflow import ORIGIN, MlflowTracker, TrackingError, export, tracked
from experiments.specification import sweep_file
from experiments.specification.plan import runs_of
from tests.unit.experiments.synthetic import START, results, specification, swept, write_run


class Memory:
    """A tracker that keeps what it is given."""

    def __init__(self):
        self.runs, self.artifacts = {}, {}

    def has(self, origin):
        return origin in self.runs

    def log(self, run, artifact):
        self.runs[run.tags[ORIGIN]], self.artifacts[run.tags[ORIGIN]] = run, artifact


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("results")
    doubtful, failed = ("r01-bf5-neawa",), ("r01-bf5-coloc",)
    return results(path, "repeats=2", doubtful=doubtful, failed=failed)


def test_every_ended_run_is_added_once(folder):
    memory = Memory()
    assert export(folder.path, memory) == (6, 0)
    assert export(folder.path, memory) == (0, 6)
    assert {origin.partition(" of ")[0] for origin in memory.runs} == {
        f"{folder.path.name}/{run.run_id}" for run in folder.runs()
    }
    assert all(artifact.is_file() for artifact in memory.artifacts.values())


def test_a_run_that_was_done_again_is_added_again(tmp_path):
    folder = results(tmp_path, "strategies=[default]", failed=("r00-bf5-default",))
    memory = Memory()
    assert export(folder.path, memory) == (1, 0)
    write_run(folder, runs_of(folder.specification())[0], START + timedelta(hours=1), doubtful=False, failed=False)
    assert export(folder.path, memory) == (1, 0)
    assert [run.status for run in memory.runs.values()] == ["FAILED", "FINISHED"]


def test_the_points_of_a_sweep_are_told_apart(tmp_path):
    base = specification("strategies=[default, neawa]").model_dump(mode="json")
    vary = {"topology.blocking_factor": [1, 5]}
    folder = swept(tmp_path, sweep_file.parse({"name": "swept", "base": base, "vary": vary}))
    memory = Memory()
    assert export(folder.path, memory) == (4, 0)
    assert len(memory.runs) == 4
    assert all(origin.startswith(f"{folder.path.name}/p0") for origin in memory.runs)


def runs(folder):
    records = folder.records()
    return {record.run_id: tracked(record, records, "folder") for record in records}


def test_parameters_are_the_specification_and_the_arm(folder):
    run = runs(folder)["r01-bf5-neawa"]
    assert run.params["strategy"] == "neawa"
    assert (run.params["seed"], run.params["specification.seed"]) == ("2", "1")
    assert run.params["specification.topology.preset"] == "thesis"
    assert run.params["specification.strategies.1.name"] == "neawa"
    assert run.params["rate_divisor"] == "8.0"


def test_metrics_agree_with_the_comparison(folder):
    found = runs(folder)
    (network,) = compare(folder.records()).networks
    neawa = next(summary for summary in network.strategies if summary.strategy == "neawa")
    metrics = found["r00-bf5-neawa"].metrics
    assert metrics["summed_time_s"] == pytest.approx(neawa.summed_time_s.median)
    assert metrics["reduction"] == pytest.approx(neawa.reduction.estimate)
    assert metrics["fidelity/cpu_idle_p05"] == folder.run("r00-bf5-neawa").record().fidelity.figures["cpu_idle_p05"]
    assert "reduction" not in found["r00-bf5-default"].metrics


def test_a_run_that_failed_has_no_times(folder):
    run = runs(folder)["r01-bf5-coloc"]
    assert (run.status, run.tags["verdict"]) == ("FAILED", "failed")
    assert "agent of h3: process ended" in run.tags["reasons"]
    assert not any("time" in name for name in run.metrics)


def test_doubts_are_told(folder):
    assert runs(folder)["r01-bf5-neawa"].tags["verdict"] == "doubtful"
    assert runs(folder)["r00-bf5-neawa"].tags["verdict"] == "trusted"


def test_simulated_runs_are_tagged(folder, tmp_path):
    made = results(tmp_path, "strategies=[default]", kind="simulated")
    (run,) = runs(made).values()
    assert (run.tags["kind"], run.tags["verdict"]) == ("simulated", "simulated")
    assert "machine" not in run.tags
    assert not any(name.startswith("fidelity") for name in run.metrics)
    assert runs(folder)["r00-bf5-neawa"].tags["kind"] == "emulated"


def test_names_and_values_are_such_that_mlflow_takes_them(tmp_path):
    folder = results(tmp_path, "strategies=[default]", f"description={'x' * 900}", "strategies=[{name: default}]")
    (run,) = runs(folder).values()
    assert max(map(len, run.params.values())) <= 500
    assert all(set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.") for key in run.params)


def test_without_mlflow_the_command_names_its_installation(folder, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    assert main(["export-mlflow", str(folder.path), "--tracking-uri", "http://127.0.0.1:1"]) == 2
    assert "pip install mlflow-skinny" in capsys.readouterr().err


class Client:
    """As much of MLflow's client as is used, with its limit on parameters."""

    def __init__(self, uri):
        if uri == "nowhere":
            raise RuntimeError("no such store\nat all")
        self.calls = []

    def get_experiment_by_name(self, name):
        return None

    def create_experiment(self, name):
        return f"id of {name}"

    def search_runs(self, experiments, query, max_results):
        return []

    def create_run(self, experiment, start_time, run_name):
        return SimpleNamespace(info=SimpleNamespace(run_id=f"{experiment}/{run_name}"))

    def log_batch(self, run_id, metrics=(), params=(), tags=()):
        assert len(params) <= 100
        self.calls += [*metrics, *params, *tags]

    def log_artifact(self, run_id, path):
        self.calls.append((path,))

    def set_terminated(self, run_id, status, ended_ms):
        self.calls.append((run_id, status))


def test_everything_is_handed_to_mlflow(folder, monkeypatch):
    entity = lambda *values: values  # noqa: E731
    entities = SimpleNamespace(Param=entity, Metric=entity, RunTag=entity)
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(MlflowClient=Client, entities=entities))
    tracker = MlflowTracker("http://127.0.0.1:1", "thesis")
    run = runs(folder)["r00-bf5-neawa"]
    assert not tracker.has(run.tags[ORIGIN])
    tracker.log(run, folder.path)
    calls = tracker._client.calls
    assert {*run.params.items(), *run.tags.items(), (str(folder.path),)} <= {call[:2] for call in calls}
    assert {call[:2] for call in calls if len(call) == 4} == set(run.metrics.items())
    assert calls[-1] == ("id of thesis/r00-bf5-neawa", "FINISHED")
    with pytest.raises(TrackingError, match=r"nowhere: no such store$"):
        MlflowTracker("nowhere", "thesis")
