"""`report`: the report of a folder once more."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.commands import options
from experiments.commands.options import EXAMPLE_FOLDER
from experiments.documents.nofollow import followed

SUMMARY = "make the report of a results folder again"
EXAMPLES = (f"report {EXAMPLE_FOLDER}",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("folder", type=followed, help="results folder, or the folder of one run")
    options.add_allow_mixed(parser)


def run(*, folder: Path, allow_mixed: bool) -> int:
    """Write the report and print where it is."""
    from experiments.records.sweep_folder import SweepFolder
    from experiments.report.html.build import write_report
    from experiments.report.html.sweep_build import write_sweep_report

    write = write_sweep_report if SweepFolder.is_at(folder) else write_report
    print(write(folder, allow_mixed))
    return 0
