import os

import pytest
from rich.console import Console

from experiments.analysis.comparison import MixedRunsError
from experiments.commands.carrying_out import carry_out, give_to_caller


def test_what_failed_is_told_also_when_the_rest_cannot_be_compared(tmp_path, capsys):
    def finish():
        raise MixedRunsError("runs differ in versions")

    with pytest.raises(MixedRunsError):
        carry_out("run", tmp_path, lambda: ["r00: no route to h3"], finish, Console())
    told = capsys.readouterr()
    assert told.err == "failed: r00: no route to h3\n"
    assert str(tmp_path) in told.out


def test_a_folder_of_others_is_not_handed_over(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(os, "chown", lambda path, *_, **__: given.append(path))
    monkeypatch.setenv("SUDO_UID", "1000")
    monkeypatch.setenv("SUDO_GID", "1000")
    path = tmp_path / "results" / "run"
    (path / "runs").mkdir(parents=True)
    give_to_caller(path)
    assert set(given) == {path.parent, path, path / "runs"}
    given.clear()
    (path.parent / "of-somebody-else").mkdir()
    give_to_caller(path)
    assert set(given) == {path, path / "runs"}
