"""Completion scripts: a shell that reads one offers commands, options and names."""

import shlex
import subprocess
import sys

import pytest

from experiments.commands.completion import SHELLS, script
from experiments.commands.main import COMMANDS, main
from placement import strategy_names
from workloads.schedule import preset_names


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """Ask bash what may follow some words, the last of which is incomplete."""
    path = tmp_path_factory.mktemp("completion") / "run_testbed.py"
    path.write_text(script("bash"))

    def ask(*words):
        line = shlex.join(["./run_testbed.py", *words])
        asked = (
            f"source {shlex.quote(str(path))}; COMP_WORDS=({line}); COMP_CWORD={len(words)}; "
            '_shtab_run_testbed_py; printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(["bash", "-c", asked], capture_output=True, text=True, check=True, cwd=path.parent)
        return set(done.stdout.split())

    return ask


def test_commands_are_offered(complete):
    assert set(COMMANDS) <= complete("")
    assert complete("compa") == {"compare"}


def test_options_of_a_command_are_offered(complete):
    assert {"--json", "--allow-mixed"} <= complete("compare", "--")
    assert "--allow-mixed" not in complete("place", "--")


def test_names_are_offered(complete):
    assert set(strategy_names()) <= complete("run", "--strategy", "")
    assert {name for name in preset_names() if name.startswith("mixed")} <= complete("run", "--workload", "mixed")
    assert "thesis" in complete("run", "--spec", "th")
    assert complete("completion", "z") == {"zsh"}


def test_files_are_offered_where_a_name_may_be_a_file(complete):
    assert complete("run", "--spec", "run_") == {"run_testbed.py"}


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_has_a_script(capsys, shell):
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    assert all(command in text for command in COMMANDS)


def test_other_commands_start_without_it():
    code = "import sys, experiments.commands.main; sys.exit('shtab' in sys.modules or 'mlflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
