"""`import`: a recorded trace becomes a specification that runs."""

from __future__ import annotations

import argparse
from pathlib import Path

SUMMARY = "turn a recorded trace into a specification that runs"
EXAMPLES = ("import application_1 --output q3.yaml",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("trace", type=Path, help="Spark event log, Hadoop job trace (MRemu), or coflow benchmark")
    parser.add_argument(
        "--format", dest="trace_format", choices=("auto", "spark", "mremu", "coflow"), default="auto", help="[auto]"
    )
    parser.add_argument("--output", type=Path, metavar="SPEC.yaml", help="where to write it [./NAME.yaml]")


def run(*, trace: Path, trace_format: str, output: Path | None) -> int:
    """Import the trace and print what was written."""
    from experiments.specification.imported import import_file

    for path in import_file(trace, trace_format, output):
        print(path)
    return 0
