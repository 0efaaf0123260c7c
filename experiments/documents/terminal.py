"""Text on a terminal: what others wrote does not steer it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import Any, Final

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

_KEPT = "\t\n"
_CONTROLS: Final = dict.fromkeys({*range(0x20), *range(0x7F, 0xA0)} - {*map(ord, _KEPT)}, "\N{REPLACEMENT CHARACTER}")
"""C0 and C1 of ECMA-48 and DEL; escape sequences begin with some of them."""
_COLUMNS_OF_FILES: Final = 160
"""How wide tables may be in what is no terminal, unless COLUMNS says otherwise; Rich would fold them to 80."""


def printable(text: str) -> str:
    """A text with its control characters replaced, but for tabs and ends of lines."""
    return text.translate(_CONTROLS)


class TextConsole(Console):
    """A console on which texts are `printable`, whatever they are part of; styles and movements are its own."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        if not (self.is_terminal or "width" in options or "COLUMNS" in os.environ):
            self.width = _COLUMNS_OF_FILES

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of something that can be shown."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable(segment.text))


def print_aside(text: str) -> None:
    """Print a text, `printable`, on standard error."""
    print(printable(text), file=sys.stderr)


def print_line(console: Console, text: str) -> None:
    """Print a text as it is: brackets are no markup, and a path is not folded."""
    console.print(text, highlight=False, markup=False, soft_wrap=True)
