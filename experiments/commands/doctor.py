"""`doctor`: what this machine has, what will be used, and what is missing."""

from __future__ import annotations

import argparse

from experiments.commands import options
from experiments.documents.terminal import TextConsole

SUMMARY = "what this machine has, what will be used, what is missing"
EXAMPLES = ("doctor --json",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    options.add_json(parser)


def run(*, as_json: bool) -> int:
    """Look at the machine and print the findings; 1 when the testbed cannot run on it."""
    from experiments.machine import inspection, readiness

    findings = readiness.examine(inspection.gather())
    if as_json:
        print(readiness.to_json(findings))
    else:
        TextConsole().print(readiness.render(findings))
    return 0 if readiness.can_run(findings) else 1
