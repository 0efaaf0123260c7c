import contextlib
import functools
from pathlib import Path

import pytest

from experiments.runs import emulated_run, network_calibration
from experiments.runs.controller_process import listen
from experiments.runs.standing_network import StandingNetwork
from experiments.specification import plan as runs
from experiments.specification.resolved_run import resolve
from tests.emulation.running_controller import connected
from tests.emulation.small_run import RATE_DIVISOR, specification
from topologies.emulated import isolation
from topologies.emulated.network import emulated
from topologies.fat_tree import thesis

LIBRARIES = ["os-ken", *(["ryu"] if (Path(__file__).parents[2] / ".venv-ryu").exists() else [])]


def pytest_collection_modifyitems(items):
    """Emulation tests build networks; outside of namespaces of their own that must not be tried."""
    try:
        isolation.current()
    except isolation.IsolationError as error:
        pytest.exit(f"emulation tests: {error}", returncode=2)


@pytest.fixture(scope="module")
def plan():
    """The thesis's network as it is emulated."""
    return thesis().scaled(8)


@pytest.fixture(scope="module")
def network(plan):
    """It is up; no controller runs."""
    with emulated(plan) as running:
        yield running


@pytest.fixture(params=LIBRARIES, scope="module")
def library(request):
    """The OpenFlow library that the controller runs on."""
    return request.param


@pytest.fixture(scope="module")
def shared(library, network, tmp_path_factory):
    """A controller that the tests of a module share."""
    with connected(network, tmp_path_factory.mktemp("controller"), "--controller-library", library) as it:
        yield it


@pytest.fixture
def running(shared):
    """A controller that has found the network and routed it."""
    shared.wait_until_ready()
    return shared


@pytest.fixture(scope="module")
def small_network(tmp_path_factory):
    """The network of small experiments, and its controller."""
    directory = tmp_path_factory.mktemp("small")
    (run,) = map(resolve, runs.runs_of(specification(directory, strategies=["default"])))
    with (
        listen(isolation.current()) as listener,
        StandingNetwork(listener) as standing,
        standing.lent(run, RATE_DIVISOR, directory / "controller.log", lambda _: None) as both,
    ):
        yield both


@pytest.fixture
def on_small_network(small_network, monkeypatch):
    """Runs are done on this network, which they leave as it was, instead of each on one of its own."""
    monkeypatch.setattr(StandingNetwork, "lent", lambda *_: contextlib.nullcontext(small_network))


@pytest.fixture
def short_calibration(monkeypatch):
    """Runs whose verdict nobody asks about are calibrated once, over a fifth of a second after one of settling."""
    monkeypatch.setattr(network_calibration, "settled_duration_s", lambda _: 1.2)
    monkeypatch.setattr(emulated_run, "calibrate", functools.partial(emulated_run.calibrate, attempts=1))
