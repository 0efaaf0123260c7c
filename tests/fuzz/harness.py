"""Does a command in a process of its own, within limits, and says what fell short."""

from __future__ import annotations

import ctypes
import os
import re
import resource
import select
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.analysis import side_by_side, sweep_results  # noqa: F401 - imported once, for all children
from experiments.commands.main import main
from experiments.report.html import build, sweep_build  # noqa: F401

TIME_LIMIT_S = 10
MEMORY_LIMIT_BYTES = 10**9
_HARD_MEMORY_LIMIT_BYTES = 3 * 10**9
_UNCAUGHT = 70
_PR_SET_PDEATHSIG = 1
_PROJECT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Answer:
    """What a command did; `fault` says in a few words where it fell short, None if nowhere."""

    exit_code: int
    output: str
    fault: str | None


def ask(words: Sequence[str], folder: Path, prepare: Callable[[], object]) -> Answer:
    """Do a command of the command line with a folder as its working directory, in a child of this process.

    The child has this process's imports, so a call costs its own work only: nothing that starts threads may have been
    used here before. `prepare` is done in the child, too.
    """
    said = folder / ".said"
    child = os.fork()
    if child == 0:
        _become(words, folder, said, prepare)
    handle = os.pidfd_open(child)
    try:
        in_time = bool(select.select([handle], [], [], 2 * TIME_LIMIT_S)[0])
        if not in_time:
            os.killpg(child, signal.SIGKILL)
        _, status, usage = os.wait4(child, 0)
    finally:
        os.close(handle)
    output = said.read_text(encoding="utf-8", errors="replace")
    code = os.waitstatus_to_exitcode(status)
    return Answer(code, output, _fault(code, output, in_time, usage))


def _become(words: Sequence[str], folder: Path, said: Path, prepare: Callable[[], object]) -> None:
    """Turn this child into the program: never returns."""
    code = _UNCAUGHT
    try:
        os.setsid()
        _die_with_parent()
        out = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        prepare()
        os.chdir(folder)
        resource.setrlimit(resource.RLIMIT_CPU, (TIME_LIMIT_S, TIME_LIMIT_S))
        resource.setrlimit(resource.RLIMIT_DATA, (_HARD_MEMORY_LIMIT_BYTES, _HARD_MEMORY_LIMIT_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        code = main(words)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _die_with_parent() -> None:
    """Be killed when the process that forked this one ends (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _fault(code: int, output: str, in_time: bool, usage: resource.struct_rusage) -> str | None:
    if not in_time or code == -signal.SIGXCPU:
        return f"hang: over {TIME_LIMIT_S} s of CPU or twice that on the wall"
    if usage.ru_maxrss * 1024 > MEMORY_LIMIT_BYTES:
        return f"memory: {usage.ru_maxrss * 1024 / 1e9:.1f} GB"
    if "Traceback (most recent call last)" in output or "panicked at" in output:
        return f"traceback: {_innermost(output)}"
    if code not in (0, 1, 2):
        return f"exit code {code}"
    return None


def _innermost(output: str) -> str:
    """The deepest line of the project's own in a traceback, and the exception."""
    lines = re.findall(rf'File "{re.escape(str(_PROJECT))}/([^"]+)", line (\d+)', output)
    own = [place for place in lines if not place[0].startswith(("tests/", ".venv"))]
    where = ":".join(own[-1]) if own else "nowhere in the project"
    return f"{where} {output.strip().splitlines()[-1][:160]}"
