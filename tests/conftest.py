import os
from pathlib import Path

import pytest

from tests.measured import AGAIN, Measurements

_PROPERTY = "measured"


@pytest.fixture
def measured(request):
    """Repeats a measurement until it holds; its test is marked `measured`."""
    assert request.node.get_closest_marker("measured"), "mark the test as measured"
    measurements = Measurements()
    yield measurements
    for line in measurements.lines(request.node.nodeid):
        request.node.user_properties.append((_PROPERTY, line))


@pytest.fixture(autouse=True)
def _the_process_stays_as_it_was():
    """What a test changes of the process would be another's fault, and only in some orders of the tests."""
    before = _process()
    yield
    changed = before ^ _process()
    assert not changed, "the environment or the working directory was left changed"


def _process():
    environment = {(name, text) for name, text in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return {("the working directory", str(Path.cwd())), *environment}


class Told:
    """Every figure that was measured, told at the end, those last that needed more than one trial."""

    def __init__(self):
        self.lines = []

    def pytest_runtest_logreport(self, report):
        if report.when == "teardown":
            self.lines += [text for name, text in report.user_properties if name == _PROPERTY]

    def pytest_terminal_summary(self, terminalreporter):
        if self.lines:
            terminalreporter.section("measurements")
        for line in sorted(self.lines, key=lambda line: line.startswith(AGAIN)):
            terminalreporter.line(line)


def pytest_configure(config):
    config.pluginmanager.register(Told())
