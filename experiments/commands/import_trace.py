"""`import`: a recorded trace becomes a specification that runs."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "turn a recorded trace into a specification that runs"
EXAMPLES = ("import application_1 --output q3.yaml",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    known = "Spark event log, Hadoop job history (.jhist), MRemu job, or coflow trace"
    parser.add_argument("trace", type=Path, help=known)
    formats = ("auto", "spark", "jhist", "mremu", "coflow")
    parser.add_argument("--format", dest="trace_format", choices=formats, default="auto", help="[auto]")
    parser.add_argument("--output", type=Path, metavar="SPEC.yaml", help="where to write it [./NAME.yaml]")
    parser.add_argument("--force", action="store_true", help="replace files that are there")


def run(*, trace: Path, trace_format: str, output: Path | None, force: bool) -> int:
    """Import the trace, print what was written, and say what is missing in it."""
    from experiments.documents.terminal import print_aside
    from experiments.specification.imported import import_file

    def notice(note: str) -> None:
        print_aside(f"note: {note}")

    for path in import_file(trace, trace_format, output, force, notice):
        print(path)
    return 0
