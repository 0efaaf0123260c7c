"""`completion`: a script that completes commands, options and names in a shell, made from the command line's parser."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.documents.nofollow import followed

SUMMARY = "print a script that completes commands, options and names in a shell"
EXAMPLES = ("completion bash > ~/.local/share/bash-completion/completions/run_testbed.py",)
SHELLS = ("bash", "zsh", "tcsh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("shell", choices=SHELLS, help="the shell")


def run(*, shell: str) -> int:
    """Print the script of a shell."""
    print(script(shell))
    return 0


def script(shell: str) -> str:
    """The script for one of `SHELLS`; a shell that has read it completes `run_testbed.py`."""
    import shtab

    from experiments.commands.main import parser as make_parser

    names = _names()
    parser = make_parser()
    for action in _actions(parser):
        how = _how(action, names)
        if how is not None:
            action.complete = how  # type: ignore[attr-defined]  # where shtab looks
    return str(shtab.complete(parser, shell, preamble=_preambles(names)[shell]))


def _names() -> dict[str, Sequence[str]]:
    """What may follow an option, by the name under which the parser stores it."""
    from experiments.specification import specification_file, sweep_file
    from placement import strategy_names
    from workloads import profiles, schedule

    return {
        "spec": specification_file.preset_names(),
        "sweep": sweep_file.preset_names(),
        "strategy": strategy_names(),
        "workload": schedule.preset_names(),
        "profile": profiles.profile_names(),
    }


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                yield from _actions(command)
        else:
            yield action


def _how(action: argparse.Action, names: Mapping[str, Sequence[str]]) -> Any:  # noqa: ANN401 - shtab's own table
    """How shtab is to complete an argument; None where it finds out by itself or nothing can be completed."""
    import shtab

    if action.dest in names:
        return {"bash": _function(action.dest), "zsh": _function(action.dest), "tcsh": "f"}
    if action.type in (Path, followed):
        return shtab.DIRECTORY if "folder" in f"{action.metavar or action.dest}".lower() else shtab.FILE
    return None


def _preambles(names: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Functions that complete a name or a file, which may stand wherever a name may."""
    bash, zsh = [], []
    for key, known in names.items():
        words = shlex.quote(" ".join(known))
        bash.append(f'{_function(key)}() {{\n  compgen -W {words} -- "$1"\n  compgen -f -- "$1"\n}}')
        zsh.append(f"{_function(key)}() {{\n  _alternative 'names:name:({' '.join(known)})' 'files:file:_files'\n}}")
    return {"bash": "\n".join(bash), "zsh": "\n".join(zsh), "tcsh": ""}


def _function(key: str) -> str:
    return f"_testbed_name_or_file_{key}"
