import pytest

from tests.measured import AGAIN, Measurements

_LINES = pytest.StashKey[list[str]]()


@pytest.fixture
def measured(request):
    """Repeats a measurement until it holds; its test is marked `measured`."""
    assert request.node.get_closest_marker("measured"), "mark the test as measured"
    measurements = Measurements()
    yield measurements
    request.config.stash.setdefault(_LINES, []).extend(measurements.lines(request.node.nodeid))


def pytest_terminal_summary(terminalreporter, config):
    """Tell every figure that was measured, those last that needed more than one trial."""
    lines = config.stash.get(_LINES, [])
    if lines:
        terminalreporter.section("measurements")
    for line in sorted(lines, key=lambda line: line.startswith(AGAIN)):
        terminalreporter.line(line)
