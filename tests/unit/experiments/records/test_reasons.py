"""Records say what happened, not by what the program was told."""

import io
import signal

import pytest
from rich.console import Console

from experiments.records.reasons import reason, stop_behind


def raised(function):
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - any
        function()
    return caught.value


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_is_named(name):
    assert reason(SystemExit(128 + signal.Signals[name])) == f"stopped by {name}"


def test_ctrl_c_is_the_users_stop():
    assert reason(KeyboardInterrupt()) == "stopped by the user"


def test_a_reader_that_went_away_is_told_as_that(monkeypatch):
    class Gone(io.StringIO):
        def write(self, _):
            raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("os.dup2", lambda *_: None)  # of Rich, onto this process's own output
    error = raised(lambda: Console(file=Gone()).print("news"))
    assert isinstance(error, SystemExit)
    assert reason(error) == "stopped, for the reader of the output went away"


@pytest.mark.parametrize("code", [0, 1, 2, 128, 4711, None, "a message"])
def test_other_exits_stay_what_they_are(code):
    assert reason(SystemExit(code)).startswith("SystemExit")


def test_errors_while_a_stop_is_heeded_are_the_stops():
    def clean_up_badly():
        try:
            raise SystemExit(128 + signal.SIGTERM)
        finally:
            raise OSError("teardown")

    error = raised(clean_up_badly)
    assert reason(error) == "stopped by SIGTERM"
    assert stop_behind(error) is error.__context__


def test_an_error_is_its_type_and_its_message_in_one_line():
    assert reason(TimeoutError("no route\nto h3")) == "TimeoutError: no route to h3"
    assert reason(TimeoutError()) == "TimeoutError"
    assert stop_behind(TimeoutError()) is None
