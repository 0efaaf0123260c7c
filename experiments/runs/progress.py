"""What a person sees while runs go on: one line that moves on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from experiments.documents.terminal import print_line

OnProgress = Callable[[str], None]


class Show(Protocol):
    """Opens a run by its name and gives what takes its news.

    `began_s` is when it began on the clock of `time.monotonic`, now if left out: on several machines, when the runs
    before it had ended.
    """

    def __call__(self, name: str, began_s: float | None = None, /) -> contextlib.AbstractContextManager[OnProgress]:
        """Open a run."""


class Reporter:
    """Shows how far an experiment is; `quiet` shows nothing."""

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet

    @contextlib.contextmanager
    def runs(self, count: int) -> Iterator[Show]:
        """Show the progress of `count` runs; gives what opens one of them."""
        if self._quiet:
            yield lambda *_: contextlib.nullcontext(lambda _: None)
        elif self._console.is_terminal:
            with _bar(self._console) as bar:
                task = bar.add_task("", total=count, run="", news="", durations_s=(), began_s=time.monotonic())
                yield lambda name, began_s=None: _on_bar(bar, task, name, began_s)
        else:
            yield self._in_lines

    @contextlib.contextmanager
    def _in_lines(self, name: str, began_s: float | None = None) -> Iterator[OnProgress]:
        begin = time.monotonic() if began_s is None else began_s

        def on_progress(news: str) -> None:
            line = f"{time.monotonic() - begin:6.1f} s  {name}: {news}"
            print_line(self._console, line)

        yield on_progress


def time_left_s(durations_s: Sequence[float], left: int, elapsed_s: float) -> float | None:
    """Wall seconds that `left` runs will take, the first of which began `elapsed_s` ago.

    Runs differ a lot, and there are few: each is taken to last as long as the median of those that have ended.

    Returns:
        None as long as none has ended.
    """
    if not durations_s or left < 1:
        return None
    usual_s = statistics.median(durations_s)
    return (left - 1) * usual_s + max(0.0, usual_s - elapsed_s)


class _TimeLeft(ProgressColumn):
    """What `time_left_s` says of the runs on the bar."""

    def render(self, task: Task) -> Text:
        left = 0 if task.total is None else round(task.total - task.completed)
        estimate_s = time_left_s(task.fields["durations_s"], left, time.monotonic() - task.fields["began_s"])
        if estimate_s is None:
            return Text("")
        minutes = math.ceil(estimate_s / 60)
        return Text(f"~{minutes} min left" if minutes < 100 else f"~{math.ceil(minutes / 60)} h left")


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("{task.fields[run]}", style="bold", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        _TimeLeft(),
        TextColumn("{task.fields[news]}", markup=False),
    )
    return Progress(*columns, console=console, transient=True)


@contextlib.contextmanager
def _on_bar(bar: Progress, task: TaskID, name: str, began_s: float | None) -> Iterator[OnProgress]:
    began_s = time.monotonic() if began_s is None else began_s
    shown = bar.tasks[task]
    total = max(shown.total or 0, shown.completed + 1)  # a doubtful run is done again, which nobody could foresee
    bar.update(task, run=name, news="", began_s=began_s, total=total)
    yield lambda news: bar.update(task, news=news)
    now_s = time.monotonic()
    bar.update(task, advance=1, durations_s=(*shown.fields["durations_s"], now_s - began_s), began_s=now_s)
