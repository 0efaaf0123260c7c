"""What others wrote is shown, and does nothing to the terminal."""

import io
import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from experiments.documents.terminal import TextConsole, print_aside, printable

HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31mred\r\x08\x7f"


def controls(text):
    return {letter for letter in text if unicodedata.category(letter) == "Cc"} - {"\n", "\t"}


@given(st.text())
def test_control_characters_are_replaced_one_by_one_and_nothing_else(text):
    shown = printable(text)
    assert not controls(shown)
    assert len(shown) == len(text)
    assert all(new == old or old in controls(text) for new, old in zip(shown, text, strict=True))


def in_table(text):
    table = Table("name", title=escape(text))
    table.add_row(escape(text))
    return table


@pytest.mark.parametrize("made", [str, Text, escape, in_table])
def test_no_control_character_of_a_text_reaches_the_terminal_but_styles_do(made):
    written = io.StringIO()
    TextConsole(file=written, width=80).print(made(HOSTILE), style="red")
    assert "owned" in written.getvalue()
    assert not controls(written.getvalue())
    coloured = io.StringIO()
    TextConsole(file=coloured, width=80, force_terminal=True, color_system="standard").print(made(HOSTILE), style="red")
    assert not any(part in coloured.getvalue() for part in ("\x1b]", "\x1b[2J", "\x07", "\x9b"))
    assert "\x1b[31m" in coloured.getvalue()


def test_nor_one_of_an_error(capsys):
    print_aside(HOSTILE)
    said = capsys.readouterr().err
    assert "owned" in said
    assert not controls(said)


@pytest.mark.parametrize(
    ("columns", "options", "width"),
    [
        (None, {}, 160),
        ("40", {}, 40),
        ("40", {"width": 60}, 60),
        (None, {"width": 60}, 60),
        ("40", {"force_terminal": True}, 40),
    ],
)
def test_files_take_wide_tables_unless_it_is_said_otherwise(monkeypatch, columns, options, width):
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    assert TextConsole(file=io.StringIO(), **options).width == width


def test_a_terminal_has_its_own_width_whatever_files_have(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("os.get_terminal_size", lambda _: os.terminal_size((90, 24)))
    monkeypatch.setenv("TERM", "xterm")
    assert TextConsole(file=io.StringIO(), force_terminal=True).width == 90
    assert TextConsole(file=io.StringIO()).width == 160
