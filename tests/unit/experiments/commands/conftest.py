"""What tests of commands share."""

import os

import pytest
import yaml

from experiments.commands.main import main


@pytest.fixture
def refused(capsys, tmp_path, monkeypatch):
    """Ask for something that cannot be done; gives the lines of the answer without their `error: `."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # nothing is emulated, whoever runs the tests

    def ask(*words, document=None):
        if document is not None:
            path = tmp_path / "wanted.yaml"
            path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
            words = (*words, "--spec", str(path))
        assert main(list(words)) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert "Traceback" not in err
        lines = err.splitlines()
        assert lines
        assert all(line.startswith("error: ") for line in lines), err
        return [line.removeprefix("error: ") for line in lines]

    return ask
