"""A run from nothing to its record."""

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest

from experiments.runs import emulated_run
from experiments.runs.controller_process import ControllerError
from experiments.runs.emulated_run import Conditions, network_with_controller
from experiments.specification.plan import runs_of
from experiments.specification.resolved_run import resolve
from experiments.specification.specification_file import load
from topologies.emulated import isolation
from topologies.emulated.network import EmulatedNetwork

LISTENER: Any = None


def test_a_controller_that_ends_before_it_listens_is_not_waited_for(monkeypatch, tmp_path):
    def has_ended():
        raise ControllerError("the controller ended with exit code 1")

    made = {"controller": SimpleNamespace(require_alive=has_ended), "emulated": object.__new__(EmulatedNetwork)}
    for name, value in made.items():
        monkeypatch.setattr(emulated_run, name, lambda *_, value=value, **__: contextlib.nullcontext(value))
    monkeypatch.setattr(isolation, "current", lambda: None)
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("waited"))
    run = resolve(runs_of(load("thesis"))[0])
    begun = network_with_controller(run, tmp_path / "controller.log", Conditions(LISTENER, 8.0), lambda _: None)
    with pytest.raises(ControllerError, match="exit code 1"):
        begun.__enter__()
