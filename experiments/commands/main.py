"""The command line: which commands there are, and how their answers and errors come back."""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from experiments.commands.answers import answer
from experiments.documents.caller import code_for_all
from experiments.documents.terminal import print_aside

_ROOT = Path(__file__).parents[2]

COMMANDS: Mapping[str, str] = {
    "run": "run",
    "simulate": "simulate",
    "sweep": "sweep",
    "calibrate": "calibrate",
    "traffic": "traffic",
    "calibrate-volumes": "calibrate_volumes",
    "calibrate-weights": "calibrate_weights",
    "place": "place",
    "import": "import_trace",
    "import-network": "import_network",
    "report": "report",
    "show": "show",
    "retention": "retention",
    "compare": "compare",
    "doctor": "doctor",
    "clean": "clean",
    "completion": "completion",
    "export-mlflow": "export_mlflow",
    "schema": "schema",
}
"""Commands, and the modules that do them."""

EXAMPLES = """examples:
  sudo python run_testbed.py                                 the thesis's experiment
  sudo python run_testbed.py --blocking-factor 1 2 5 10      at several blocking factors
  sudo python run_testbed.py run --strategy default neawa --repeats 5 --seed 7
  sudo python run_testbed.py run --spec my-experiment.yaml --output results
  python run_testbed.py simulate --repeats 200               the same by simulation, without root
  sudo python run_testbed.py calibrate
  python run_testbed.py report results/20260101T120000-thesis
"""
EXIT_CODES = """exit codes:
  0        all is well
  1        a run failed, or a check found something
  2        the request was wrong or the machine is not ready for it
  128 + N  signal N ended it, such as 130 for Ctrl-C
"""


class Command(Protocol):
    """What the module of a command has; what only doing it needs is imported by `run`.

    Attributes:
        SUMMARY: what it does, as a line of help.
        EXAMPLES: what may follow `python run_testbed.py`, behind `sudo ` where it takes root.
        add_arguments: adds its arguments to a parser.
        run: does it with their values, by name, and returns the exit code.
    """

    SUMMARY: str
    EXAMPLES: Sequence[str]
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[..., int]


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments ask; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help")):
        words.insert(0, "run")
    command, values = parse(words)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a locale without a letter loses the letter, not the result
    if os.geteuid() == 0 and (reason := code_for_all(_ROOT)):
        print_aside(f"error: root runs no code that others can change: {reason}")
        return 2
    try:
        return answer(lambda: _module(command).run(**values))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def parse(words: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The command that some words name, and the values of its arguments."""
    values = vars(parser().parse_args(words))
    del values["no_install"]  # for whoever started this
    return values.pop("command"), values


def parser() -> argparse.ArgumentParser:
    """The parser; the options it gives hold the command's name as `command`."""
    whole = argparse.ArgumentParser(
        prog="run_testbed.py",
        description="Measures how much it matters where datablocks and containers go, on an emulated network.",
        epilog=f"{EXAMPLES}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--no-install", action="store_true", help="install nothing; say what is missing and stop")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND")
    for name in COMMANDS:
        command = _module(name)
        summary = command.SUMMARY
        one = commands.add_parser(
            name,
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
            epilog=f"{_examples(command.EXAMPLES)}\n{EXIT_CODES}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.set_defaults(command=name)
        command.add_arguments(one)
    return whole


def _module(command: str) -> Command:
    return cast("Command", importlib.import_module(f"experiments.commands.{COMMANDS[command]}"))


def _examples(examples: Sequence[str]) -> str:
    lines = []
    for example in examples:
        words = example.removeprefix("sudo ")
        lines.append(f"  {example.removesuffix(words)}python run_testbed.py {words}\n")
    return f"example{'s' if len(lines) > 1 else ''}:\n{''.join(lines)}"
