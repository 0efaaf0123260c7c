"""An experiment as one call: what is refused before anything is made."""

import os

import pytest

import experiments
from experiments.documents.diagnostics import SpecificationError
from experiments.errors import ExperimentError
from experiments.runs import emulated_campaign
from topologies.emulated import isolation

SMALL = {"name": "x", "strategies": ["neawa"], "workload": "kmeans-mid"}


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("thesiss", "did you mean"),
        ({**SMALL, "strategies": ["neawaa"]}, "did you mean"),
        ({**SMALL, "network": {"congestion_control": "no_such"}}, "this kernel has"),
    ],
)
def test_what_cannot_run_is_refused_before_a_folder_is_made(tmp_path, monkeypatch, wanted, said):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # nothing is emulated, whoever runs the tests
    with pytest.raises(SpecificationError, match=said):
        experiments.run(wanted, tmp_path / "results")
    assert list(tmp_path.iterdir()) == []


def test_without_root_no_folder_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(isolation.IsolationError, match="sudo"):
        experiments.run("thesis", tmp_path / "results")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def forked(monkeypatch):
    """In place of namespaces, which take root: the function is called here."""
    monkeypatch.setattr(isolation, "run", lambda main: main())


def test_a_run_that_fails_is_an_error_that_names_it_and_the_folder(tmp_path, monkeypatch, forked):
    monkeypatch.setattr(emulated_campaign, "run_all", lambda *_: ["r00-bf5-neawa: no route to h3"])
    with pytest.raises(ExperimentError, match=r"r00-bf5-neawa: no route to h3\n.* are in .*-thesis"):
        experiments.run("thesis", tmp_path)


def test_an_error_in_the_namespaces_comes_back(tmp_path, monkeypatch, forked):
    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr(emulated_campaign, "run_all", fail)
    with pytest.raises(ExperimentError, match="OSError: no space left"):
        experiments.run("thesis", tmp_path)


@pytest.mark.parametrize(("code", "stop"), [(130, KeyboardInterrupt), (143, SystemExit)])
def test_a_stop_is_one(tmp_path, monkeypatch, code, stop):
    monkeypatch.setattr(isolation, "run", lambda _: code)
    with pytest.raises(stop):
        experiments.run("thesis", tmp_path)
