"""`calibrate-volumes`: the shuffle factor of each job from a sweep over factors, and the sweep that uses them."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.commands import options
from experiments.documents.nofollow import followed
from experiments.documents.terminal import TextConsole, print_line

SUMMARY = "find the factor on each job's shuffle volume that gives the published reductions"
EXAMPLES = ("calibrate-volumes results/20260101T120000-table-6.2-factors --write calibrated.yaml",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("folder", type=followed, help="results folder of the sweep table-6.2-factors")
    parser.add_argument(
        "--write", type=followed, metavar="SWEEP.yaml", help="write table-6.2-calibrated with the factors"
    )
    options.add_allow_mixed(parser)


def run(*, folder: Path, write: Path | None, allow_mixed: bool) -> int:
    """Print the factors that a results folder gives; write the sweep that uses them.

    Raises:
        RecordError: it does not hold the results of a sweep over shuffle factors, or a point has none.
        MixedRunsError: the runs cannot be compared, and `allow_mixed` is not set.
    """
    from experiments.analysis import shuffle_volumes
    from experiments.documents.atomic import write_text
    from experiments.records.sweep_folder import SweepFolder
    from experiments.report.terminal import volumes
    from experiments.specification import sweep_file

    published = sweep_file.load(shuffle_volumes.PUBLISHED)
    fits = shuffle_volumes.fit_all(SweepFolder.open(folder), published, allow_mixed)
    console = TextConsole()
    console.print(volumes.measurements(fits))
    console.print(volumes.factors(fits))
    if write is not None:
        write_text(write, sweep_file.dump(shuffle_volumes.calibrated(fits)))
        print_line(console, str(write))
    return 0
