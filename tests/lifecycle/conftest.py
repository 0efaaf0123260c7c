import os
import signal

import pytest

from tests.lifecycle.foreign import foreign
from tests.lifecycle.testbed import Machine, nobody_else
from topologies.emulated import isolation


def pytest_configure():
    """Whoever ends these tests does not want somebody else's things to stay for ever."""
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", returncode=143))


def pytest_collection_modifyitems(items):
    """These tests start and kill testbeds: as root, and not inside of one."""
    if os.geteuid() != 0:
        pytest.exit("lifecycle tests: they start testbeds, which takes root; start again with sudo", returncode=2)
    try:
        isolation.current()
    except isolation.IsolationError:
        return
    pytest.exit(
        "lifecycle tests: they start testbeds themselves; run them outside of topologies.emulated.isolation",
        returncode=2,
    )


@pytest.fixture(scope="session")
def somebody_else(tmp_path_factory):
    with foreign(tmp_path_factory.mktemp("foreign")) as things:
        yield things


@pytest.fixture
def before(somebody_else):
    """The machine with somebody else's things on it, before a testbed starts."""
    with nobody_else():
        return Machine.now()
