"""What a person sees while runs go on: one line that moves on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Say = Callable[[str], None]


class Reporter:
    """Shows how far an experiment is; `quiet` shows nothing."""

    def __init__(self, console: Console, quiet: bool = False) -> None:
        self._console = console
        self._quiet = quiet

    @contextlib.contextmanager
    def runs(self, count: int) -> Iterator[Callable[[str], contextlib.AbstractContextManager[Say]]]:
        """Show the progress of `count` runs; gives a function that opens one by its name and takes its news."""
        if self._quiet:
            yield lambda _: contextlib.nullcontext(lambda _: None)
        elif self._console.is_terminal:
            with _bar(self._console) as bar:
                task = bar.add_task("", total=count, run="", news="")
                yield lambda name: _on_bar(bar, task, name)
        else:
            yield self._in_lines

    @contextlib.contextmanager
    def _in_lines(self, name: str) -> Iterator[Say]:
        begin = time.monotonic()

        def say(news: str) -> None:
            line = f"{time.monotonic() - begin:6.1f} s  {name}: {news}"
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)

        yield say


def _bar(console: Console) -> Progress:
    columns = (
        TextColumn("{task.fields[run]}", style="bold", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[news]}", markup=False),
    )
    return Progress(*columns, console=console, transient=True)


@contextlib.contextmanager
def _on_bar(bar: Progress, task: int, name: str) -> Iterator[Say]:
    bar.update(task, run=name, news="")  # type: ignore[arg-type]
    yield lambda news: bar.update(task, news=news)  # type: ignore[arg-type]
    bar.advance(task)  # type: ignore[arg-type]
