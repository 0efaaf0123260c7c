"""`compare`: runs of several results folders side by side."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from experiments.commands import options
from experiments.commands.options import EXAMPLE_FOLDER
from experiments.documents.nofollow import followed
from experiments.documents.terminal import TextConsole

SUMMARY = "put the runs of several results folders side by side"
EXAMPLES = (f"compare {EXAMPLE_FOLDER} results/20260102T090000-thesis",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "folders", type=followed, nargs="+", metavar="FOLDER", help="results folders; the first is the reference"
    )
    options.add_allow_mixed(parser, "although machines, versions or divisors differ")
    options.add_json(parser)


def run(*, folders: Sequence[Path], allow_mixed: bool, as_json: bool) -> int:
    """Print how the later folders' times differ from the first one's.

    Raises:
        RecordError, SpecificationError: a folder cannot be read.
        MixedRunsError: this compares no like with like, and `allow_mixed` is not set.
    """
    from experiments.analysis import side_by_side
    from experiments.records.results_folder import ResultsFolder
    from experiments.report.terminal.side_by_side import render

    found = side_by_side.compare_folders(
        [side_by_side.read(ResultsFolder.open(folder)) for folder in folders], allow_mixed
    )
    if as_json:
        print(side_by_side.to_json(found))
    else:
        TextConsole().print(render(found))
    return 0
