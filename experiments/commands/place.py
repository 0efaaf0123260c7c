"""`place`: where blocks and containers would go under each strategy, without running anything."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from experiments.commands import options
from experiments.commands.options import Description
from experiments.documents.terminal import TextConsole

if TYPE_CHECKING:
    from typing_extensions import Unpack

SUMMARY = "show where blocks and containers would go; needs no root"
EXAMPLES = ("place --strategy default neawa --workload mixed-mid",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    options.add_description(parser)
    options.add_json(parser)


def run(*, as_json: bool, **described: Unpack[Description]) -> int:
    """Print the placements on the first network of what is described."""
    from experiments.analysis import dry_run
    from experiments.report.terminal import placements

    document = dry_run.placements(options.specification(**described))
    if as_json:
        print(json.dumps(document, indent=1))
    else:
        placements.show(document, TextConsole())
    return 0
