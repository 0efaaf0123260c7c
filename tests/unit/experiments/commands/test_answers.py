"""Errors of the request or the machine are told in a line; those of the program are not hidden."""

import errno
import importlib
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import experiments
import placement
import topologies
import workloads
from experiments.commands.answers import answer
from experiments.errors import REFUSALS
from tests.unit.experiments.synthetic import results


def raising(error):
    def action():
        raise error

    return action


@pytest.mark.parametrize("refusal", REFUSALS)
def test_what_a_room_refuses_is_a_line_each(refusal, capsys):
    assert answer(raising(refusal("slots: 9: too many\nseed: -1: too few"))) == 2
    assert capsys.readouterr().err == "error: slots: 9: too many\nerror: seed: -1: too few\n"


def test_a_program_that_is_missing_is_not_taken_for_a_path(capsys):
    assert answer(lambda: subprocess.call(["ovs-nosuch"])) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ovs-nosuch: No such file or directory; this program is not installed")
    assert "doctor" in told


def test_a_file_that_is_missing_asks_for_another(tmp_path, capsys):
    assert answer(lambda: len((tmp_path / "nothing").read_text())) == 2
    assert "nothing: No such file or directory; give another path" in capsys.readouterr().err


SHORT_AND_LONG = (["completion", "tcsh"], ["schema"])
"""Commands that print less than Python buffers, and more."""


def printing_to(output, words):
    program = f"from experiments.commands.main import main; raise SystemExit(main({words}))"
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONUNBUFFERED": ""},
        stdout=output,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", SHORT_AND_LONG, ids=" ".join)
def test_a_full_disk_is_a_line(words):
    with Path("/dev/full").open("w") as full:
        said = printing_to(full, words)
    assert (said.returncode, said.stderr) == (2, "error: No space left on device; make room, or write elsewhere\n")


@pytest.mark.parametrize("words", SHORT_AND_LONG, ids=" ".join)
def test_a_reader_that_went_away_is_told_nothing(words):
    reader, writer = os.pipe()
    os.close(reader)
    said = printing_to(writer, words)
    os.close(writer)
    assert (said.returncode, said.stderr) == (1, "")


@pytest.mark.parametrize(
    "surroundings", [{"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}, {"COLUMNS": "20"}]
)
def test_a_poor_terminal_gets_a_worse_table(tmp_path, surroundings):
    folder = results(tmp_path, "repeats=1", "strategies=[default, {name: neawa, label: 'näher [/x]'}]").path
    program = f"from experiments.commands.main import main; raise SystemExit(main(['show', {str(folder)!r}]))"
    said = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **surroundings}, capture_output=True, check=False
    )
    assert (said.returncode, said.stderr) == (0, b"")
    assert b"modelled" in said.stdout


@pytest.mark.parametrize(
    ("number", "file"),
    [
        *((number, ()) for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)),
        *((number, ("report.html",)) for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENAMETOOLONG)),
    ],
)
def test_what_a_disk_does_not_take_is_a_line(number, file, capsys):
    assert answer(raising(OSError(number, os.strerror(number), *file))) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {''.join(f'{name}: ' for name in file)}{os.strerror(number)}; ")


def test_an_error_of_the_program_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        answer(lambda: 1 // 0)


def test_every_error_of_a_room_is_one_that_commands_tell():
    modules = [
        importlib.import_module(found.name)
        for room in (topologies, placement, workloads, experiments)
        for found in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")
    ]
    errors = {
        error
        for module in modules
        for error in vars(module).values()
        if isinstance(error, type) and issubclass(error, Exception) and error.__module__ == module.__name__
    }
    assert len(errors) > 20
    assert {error for error in errors if not issubclass(error, REFUSALS)} == set()
