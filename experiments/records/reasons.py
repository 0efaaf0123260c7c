"""Why a run did not go on: the user's stop, or what went wrong."""

from __future__ import annotations

import signal


def stop_behind(error: BaseException | None) -> KeyboardInterrupt | SystemExit | None:
    """The user's stop, if an error is one or came up while one was heeded."""
    while error is not None and not isinstance(error, KeyboardInterrupt | SystemExit):
        error = error.__context__
    return error


def reason(error: BaseException) -> str:
    """Why a run ended that an error ended, in a line.

    A signal is known by the exit code that `topologies.emulated.isolation` makes of it, and that the reader of the
    output went away, such as `head`, by the error upon which Rich asks to exit.
    """
    stop = stop_behind(error)
    if isinstance(stop, KeyboardInterrupt):
        return "stopped by the user"
    if stop is not None and isinstance(stop.__context__, BrokenPipeError):
        return "stopped, for the reader of the output went away"
    if stop is not None and isinstance(stop.code, int) and stop.code - 128 in signal.valid_signals():
        return f"stopped by {signal.Signals(stop.code - 128).name}"
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}" if message else type(error).__name__
