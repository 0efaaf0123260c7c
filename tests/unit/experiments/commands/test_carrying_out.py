import io

import pytest
from rich.console import Console

from experiments.analysis.likeness import MixedRunsError
from experiments.commands.carrying_out import carry_out


def test_what_failed_is_told_also_when_the_rest_cannot_be_compared(tmp_path, capsys):
    def finish():
        raise MixedRunsError("runs differ in versions")

    with pytest.raises(MixedRunsError):
        carry_out("run", tmp_path, lambda: ["r00: no route to h3"], finish, Console())
    told = capsys.readouterr()
    assert told.err == "failed: r00: no route to h3\n"
    assert str(tmp_path) in told.out


def test_runs_that_are_done_are_not_lost_to_a_report_that_fails(tmp_path, capsys):
    assert carry_out("run", tmp_path, lambda: [], lambda: print(1 // 0), Console()) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: the runs are done, but cannot be shown: ZeroDivisionError")
    assert f"`report {tmp_path}` tries again" in line
    assert "ZeroDivisionError" in (tmp_path / "failure.txt").read_text()


def test_a_folder_whose_name_looks_like_markup_is_named_as_it_is(tmp_path):
    def stop():
        raise KeyboardInterrupt

    folder = tmp_path / "[bold]x["
    folder.mkdir()
    told = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        carry_out("run", folder, lambda: [], stop, Console(file=told, width=20))
    assert told.getvalue() == f"stopped; `run --resume {folder}` does what is left\n"
