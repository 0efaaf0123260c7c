import functools
from pathlib import Path

import pytest

from experiments.runs import emulated_run, network_calibration
from tests.emulation.running_controller import connected
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


@pytest.fixture
def short_calibration(monkeypatch):
    """Runs whose verdict nobody asks about are calibrated once, over a fifth of a second after one of settling."""
    monkeypatch.setattr(network_calibration, "settled_duration_s", lambda _: 1.2)
    monkeypatch.setattr(emulated_run, "calibrate", functools.partial(emulated_run.calibrate, attempts=1))
