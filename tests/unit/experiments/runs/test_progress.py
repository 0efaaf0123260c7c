"""News of runs are shown as they are: unbroken lines where nobody watches, a moving line where somebody does."""

import io
import time

import pytest
from rich.console import Console

from experiments.runs.progress import Reporter, time_left_s

NEWS = "failed: " + "a long reason [1, 5] [red] " * 10


def shown(terminal=False, quiet=False):
    written = io.StringIO()
    console = Console(file=written, width=60, force_terminal=terminal)
    with Reporter(console, quiet).runs(2) as show:
        for name in ("r00-default", "r00-neawa"):
            with show(name) as on_progress:
                on_progress(NEWS)
    return written.getvalue()


def test_lines_are_neither_broken_nor_interpreted():
    lines = shown().splitlines()
    assert len(lines) == 2
    assert all(line.endswith(NEWS) for line in lines)
    assert "r00-default: " in lines[0]
    assert "r00-neawa: " in lines[1]


def test_quiet_shows_nothing():
    assert shown(quiet=True) == shown(terminal=True, quiet=True) == ""


def test_a_terminal_gets_one_line_that_moves():
    assert "\x1b[2K" in shown(terminal=True)  # the line is cleared and written again
    assert "a long reason [1, 5] [red]" in shown(terminal=True)


@pytest.mark.parametrize("terminal", [False, True])
def test_an_error_inside_of_a_run_comes_through(terminal):
    console = Console(file=io.StringIO(), force_terminal=terminal)
    with pytest.raises(RuntimeError, match="broken"), Reporter(console).runs(1) as show, show("r00"):
        raise RuntimeError("broken")


def test_the_time_left_follows_from_the_runs_that_have_ended():
    assert time_left_s([], 3, 10) is None
    assert time_left_s([60, 70, 600], 1, 0) == 70  # one slow run does not spoil it
    assert time_left_s([60], 4, 20) == 3 * 60 + 40
    assert time_left_s([60], 4, 500) == 3 * 60  # nothing is known of a run that takes longer than the others
    assert time_left_s([60], 0, 0) is None


@pytest.mark.parametrize(("ended", "told"), [((), False), (("r00",), True)])
def test_a_terminal_is_told_the_time_left_once_a_run_has_ended(ended, told):
    written = io.StringIO()
    with Reporter(Console(file=written, width=100, force_terminal=True)).runs(3) as show:
        for name in ended:
            with show(name):
                pass
    assert ("min left" in written.getvalue()) == told


def test_a_run_that_began_elsewhere_has_lasted_since_then():
    """What a cluster's runs take is known when they have come back."""
    written = io.StringIO()
    terminal = Console(file=written, width=100, force_terminal=True)
    began_s = time.monotonic() - 590  # two more like this are 1180 s, and what it takes to come here
    with Reporter(terminal).runs(3) as show, show("r00", began_s):
        pass
    assert "~20 min left" in written.getvalue()


def test_runs_that_are_done_again_do_not_overfill_the_bar():
    written = io.StringIO()
    with Reporter(Console(file=written, width=100, force_terminal=True)).runs(1) as show:
        for name in ("r00", "r00-again"):
            with show(name):
                pass
    assert "2/2" in written.getvalue()
    assert "2/1" not in written.getvalue()
