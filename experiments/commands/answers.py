"""How errors of commands come back: a line each on standard error, and exit code 2."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import traceback
from collections.abc import Callable

from experiments.documents.terminal import print_aside
from experiments.errors import REFUSALS

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)
"""Why a file, or standard output, cannot take what is written."""


def answer(action: Callable[[], int]) -> int:
    """Exit code of an action whose errors are told in a line each."""
    try:
        code = action()
        sys.stdout.flush()  # what cannot be written is told here
        return code
    except BrokenPipeError:
        _let_go_of_output()
        return 1
    except OSError as error:
        if error.filename is None and not isinstance(error, PermissionError) and error.errno not in _NO_ROOM:
            raise
        _let_go_of_output()
        what = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
        print_aside(f"error: {what}; {_remedy(error)}")
    except REFUSALS as error:
        for line in str(error).splitlines():
            print_aside(f"error: {line}")
    return 2


def answer_isolated(action: Callable[[], int]) -> int:
    """Exit code of an action in namespaces of its own, which is a process of its own."""
    from topologies.emulated import isolation

    return isolation.run(lambda: answer(action))


def _let_go_of_output() -> None:
    """Drop what standard output does not take: Python would try again at its end, and complain in words of its own."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _remedy(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return "start again with sudo, or choose another"
    if error.errno in _NO_ROOM:
        return "make room, or write elsewhere"
    frames = traceback.extract_tb(error.__traceback__)
    if frames and frames[-1].filename == subprocess.__file__:
        return "this program is not installed; `run_testbed.py doctor` says what is missing"
    return "give another path, or make it first"
