"""A network that runs use one after the other."""

import contextlib
from types import SimpleNamespace
from typing import Any

import pytest

from experiments.runs import standing_network
from experiments.runs.controller_process import ControllerError
from experiments.runs.standing_network import CALIBRATION_HOLDS_S, StandingNetwork
from experiments.specification.plan import runs_of
from experiments.specification.resolved_run import resolve
from experiments.specification.specification_file import load, override
from topologies.emulated import isolation
from topologies.errors import NetworkError

LISTENER: Any = None
REPORT = {"shortfall": 0.01}


class Machine:
    """Networks and controllers that are not there; what has been done with them."""

    def __init__(self, monkeypatch, log):
        self.done = []
        self.dirty = False
        self.ended = False
        self._log = log
        monkeypatch.setattr(isolation, "current", lambda: None)
        monkeypatch.setattr(standing_network, "controller", self.controller)
        monkeypatch.setattr(standing_network, "emulated", self.emulated)

    @contextlib.contextmanager
    def controller(self, *_):
        yield SimpleNamespace(require_alive=self.require_alive, wait_until_ready=self.require_alive)

    @contextlib.contextmanager
    def emulated(self, *_):
        self.done.append("up")
        yield SimpleNamespace(renew=self.renew, connect_controller=lambda require_alive: require_alive())
        self.done.append("down")

    def renew(self):
        if self.dirty:
            raise NetworkError("a link is down")
        self.done.append("renewed")

    def require_alive(self):
        if self.ended:
            raise ControllerError("the controller ended with exit code 1")

    def use(self, standing, *assignments, divisor=8.0):
        wanted = override(load("thesis"), list(assignments)) if assignments else load("thesis")
        return standing.lent(resolve(runs_of(wanted)[0]), divisor, self._log, lambda _: None)


@pytest.fixture
def machine(monkeypatch, tmp_path):
    return Machine(monkeypatch, tmp_path / "controller.log")


@pytest.fixture
def standing():
    with StandingNetwork(LISTENER) as it:
        yield it


def test_runs_that_want_the_same_network_share_it_whatever_their_strategy_seed_and_workload(machine):
    with StandingNetwork(LISTENER) as standing:
        for change in ("strategies=[coloc]", "seed=7", "workload=q3-mid"):
            with machine.use(standing, change):
                pass
    assert machine.done == ["up", "renewed", "renewed", "down"]


@pytest.mark.parametrize(
    "change",
    ["topology.blocking_factor=[2]", "network.queue_bytes=30000", "network.congestion_control=reno", "divisor"],
)
def test_a_run_that_wants_another_network_gets_a_new_one(machine, standing, change):
    with machine.use(standing):
        standing.keep_calibration(REPORT)
    changed = {"divisor": 16.0} if change == "divisor" else {}
    with machine.use(standing, *(() if changed else (change,)), **changed):
        assert standing.calibration() is None
    assert machine.done == ["up", "down", "up"]


def test_a_network_is_not_used_again_after_an_error_nor_after_failures_that_were_asked_for(machine, standing):
    with contextlib.suppress(KeyError), machine.use(standing):
        raise KeyError
    with machine.use(standing, "failures=[{at_s: 1, host: h1}]"):
        pass
    assert machine.done == ["up", "down", "up", "down"]


def test_a_network_that_cannot_be_renewed_is_built_anew(machine, standing):
    with machine.use(standing):
        pass
    machine.dirty = True
    with machine.use(standing):
        assert machine.done == ["up", "down", "up"]


def test_a_controller_that_ends_before_it_listens_is_not_waited_for(machine, standing):
    machine.ended = True
    with pytest.raises(ControllerError, match="exit code 1"), machine.use(standing):
        pass
    assert machine.done == ["up", "down"]


def test_a_calibration_holds_for_a_while_on_the_network_that_it_is_of(machine, standing, monkeypatch):
    now = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    with machine.use(standing):
        assert standing.calibration() is None
        standing.keep_calibration(REPORT)
    now[0] += CALIBRATION_HOLDS_S / 2
    with machine.use(standing):
        assert standing.calibration() == {**REPORT, "age_s": CALIBRATION_HOLDS_S / 2}
        now[0] += CALIBRATION_HOLDS_S
        assert standing.calibration() is None
        standing.keep_calibration(REPORT)
        standing.forget_calibration()
        assert standing.calibration() is None
