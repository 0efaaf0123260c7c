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
