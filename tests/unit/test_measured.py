"""A measurement is repeated until it holds, told every time, and fails when it never does."""

import pytest

pytest_plugins = ["pytester"]

TEST = """
import pytest

@pytest.mark.measured
def test_rate(measured):
    values = iter({values})
    for trial in measured():
        trial.expect_near("rate", next(values), 100, 0.02)
{more}
"""


@pytest.fixture
def outcome(pytester):
    """Runs a test that measures some values, one a trial."""
    pytester.makeini("[pytest]\nmarkers = measured\naddopts = --strict-markers -p no:cacheprovider")
    pytester.makeconftest("from tests.conftest import *")

    def run(values, more=""):
        pytester.makepyfile(TEST.format(values=values, more=more))
        return pytester.runpytest_inprocess()

    return run


def test_a_measurement_that_holds_is_not_repeated(outcome):
    result = outcome([101])
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*::test_rate: rate 101 (at least 98, at most 102)"])
    result.stdout.no_fnmatch_line("measured again: *")


def test_a_measurement_that_misses_is_repeated_and_every_figure_is_told(outcome):
    result = outcome([90, 103, 98.5])
    result.assert_outcomes(passed=1)
    bounds = "(at least 98, at most 102)"
    told = f"rate 90 {bounds} missed; rate 103 {bounds} missed; rate 98.5 {bounds}"
    result.stdout.fnmatch_lines([f"measured again: *::test_rate: {told}"])


def test_a_measurement_that_misses_three_times_fails_with_every_figure(outcome):
    result = outcome([90, 91, 92, 100])
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*missed 3 times: rate 90 *; rate 91 *; rate 92 *"])


def test_what_is_true_or_false_is_not_repeated(outcome):
    result = outcome([100, 100, 100], "        assert False, 'a byte is lost'")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*a byte is lost*"])
    result.stdout.no_fnmatch_line("*measured again*")


@pytest.mark.parametrize(
    ("body", "message"),
    [("    pass", "held no figure"), ("    trial.expect('rate', 1)", "within no bounds")],
)
def test_a_trial_that_cannot_fail_fails(outcome, body, message):
    more = f"    for trial in measured():\n    {body}"
    result = outcome([100], more)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*{message}*"])
