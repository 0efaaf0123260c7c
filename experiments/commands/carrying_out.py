"""Runs that a command does into a folder: to their end, and then what came out, or how to go on after a stop."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from experiments.analysis.likeness import MixedRunsError
from experiments.documents.terminal import printable
from experiments.records.ownership import give_to_caller
from experiments.runs.rate_divisor import CACHE


def carry_out(
    command: str, path: Path, work: Callable[[], list[str]], show: Callable[[], None], console: Console
) -> int:
    """Do runs into a folder and show what came out, or how to go on after a stop; 1 when a run failed.

    Args:
        command: which `--resume` continues.
        path: the folder.
        work: does them and returns what went wrong, a line for each failed run.
        show: shows what came out.
        console: takes the news.
    """
    try:
        problems = work()
        for problem in problems:
            print(printable(f"failed: {problem}"), file=sys.stderr)
        show()
    except MixedRunsError:
        console.print(f"results  {path}", highlight=False, soft_wrap=True)
        raise
    except (KeyboardInterrupt, SystemExit):
        console.print(f"stopped; `{command} --resume {path}` does what is left", highlight=False, soft_wrap=True)
        raise
    finally:
        give_to_caller(path, CACHE)
    return 1 if problems else 0
