import os

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
def _environment():
    """What a test changes of the environment is put back: it would be another's fault, in some orders of the tests.

    Libraries set variables when they are first imported, so a change is no fault as such.
    """
    before = dict(os.environ)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    for name, text in before.items():
        if os.environ.get(name) != text:
            os.environ[name] = text


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
