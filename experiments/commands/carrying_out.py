"""Runs that a command does into a folder: to their end, and then what came out, or how to go on after a stop."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from experiments.analysis.likeness import MixedRunsError
from experiments.documents.atomic import write_text
from experiments.documents.terminal import print_aside, print_line
from experiments.errors import REFUSALS
from experiments.records.ownership import RATE_DIVISORS, give_to_caller
from experiments.records.results_folder import ResultsFolder


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
            print_aside(f"failed: {problem}")
        shown = _shown(path, show)
    except MixedRunsError:
        print_line(console, f"results  {path}")
        raise
    except (KeyboardInterrupt, SystemExit):
        print_line(console, f"stopped; `{command} --resume {path}` does what is left")
        raise
    finally:
        give_to_caller(path, RATE_DIVISORS)
    return 0 if shown and not problems else 1


def show_experiment(folder: ResultsFolder, *, allow_mixed: bool, as_json: bool, console: Console) -> None:
    """Print what came out of an experiment and write the report."""
    from experiments.analysis import comparison
    from experiments.report.html.build import write_report
    from experiments.report.terminal import table

    records = folder.records()
    if not records:
        return
    result = comparison.compare(records, allow_mixed)
    if as_json:
        print(comparison.to_json(result))
    else:
        console.print(table.render(result))
    report = write_report(folder.path, allow_mixed)
    print_line(console, f"results  {folder.path}\nreport   {report}")


def _shown(path: Path, show: Callable[[], None]) -> bool:
    """Whether what came out could be shown; a fault of the program in that does not hide that the runs are done."""
    try:
        show()
    except (*REFUSALS, OSError):
        raise
    except Exception as error:
        write_text(path / "failure.txt", traceback.format_exc())
        what = f"{type(error).__name__}: {error}; {path / 'failure.txt'} has more, `report {path}` tries again"
        print_aside(f"error: the runs are done, but cannot be shown: {what}")
        return False
    return True
