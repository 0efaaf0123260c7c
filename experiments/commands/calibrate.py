"""`calibrate`: plan against measurement, link by link and for all up-links at once."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from experiments.commands import options
from experiments.commands.answers import answer_isolated
from experiments.commands.measuring import measuring
from experiments.commands.options import Description
from experiments.documents.terminal import TextConsole

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from experiments.runs.network_calibration import AggregateMeasurement, LinkMeasurement
    from experiments.runs.progress import OnProgress
    from experiments.runs.standing_network import StandingNetwork
    from experiments.specification.resolved_run import ResolvedRun

SUMMARY = "measure every link alone, then all up-links at once"
EXAMPLES = ("sudo calibrate --blocking-factor 5 --quick",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    options.add_description(parser)
    options.add_port(parser)
    parser.add_argument("--quick", action="store_true", help="only all up-links at once")
    options.add_printing(parser, "the measurements")


def run(*, http_port: int, quick: bool, quiet: bool, as_json: bool, **described: Unpack[Description]) -> int:
    """Calibrate the network of what is described and print the result; 1 when it is out of tolerance.

    Raises:
        SpecificationError: there is more than one.
    """
    options.check_port(http_port)
    first = options.only_network(**described)
    return answer_isolated(lambda: _calibrate(first, http_port, quick, as_json, quiet))


def _calibrate(run: ResolvedRun, http_port: int, quick: bool, as_json: bool, quiet: bool) -> int:
    from experiments.runs.network_calibration import AGGREGATE_TOLERANCE, LINK_TOLERANCE

    with measuring(run, "calibration", http_port, quiet or as_json) as (standing, divisor, scratch, on_progress):
        links, together = _measure(run, standing, divisor, scratch, quick, on_progress)
    if as_json:
        document = {"rate_divisor": divisor, "links": [asdict(link) for link in links], "all_uplinks": asdict(together)}
        print(json.dumps(document, indent=1))
    else:
        _print(TextConsole(), divisor, links, together)
    worst = max((abs(link.error) for link in links), default=0.0)
    return int(worst > LINK_TOLERANCE or together.shortfall > AGGREGATE_TOLERANCE)


def _measure(
    run: ResolvedRun,
    standing: StandingNetwork,
    divisor: float,
    scratch: Path,
    quick: bool,
    on_progress: OnProgress,
) -> tuple[list[LinkMeasurement], AggregateMeasurement]:
    from experiments.runs import network_calibration

    with standing.lent(run, divisor, scratch / "controller.log", on_progress) as (network, control):
        links = [] if quick else list(network_calibration.links_alone(network, progress=on_progress))
        on_progress("all up-links at once")
        duration_s = 4 * network_calibration.settled_duration_s(network.topology)
        return links, network_calibration.all_uplinks(
            network, lambda *flow: control.path(network.topology, *flow), duration_s, flows_per_host=32
        )


def _print(console: Console, divisor: float, links: list[LinkMeasurement], together: AggregateMeasurement) -> None:
    from experiments.runs.network_calibration import AGGREGATE_TOLERANCE, LINK_TOLERANCE

    if links:
        table = Table(title=f"Each link alone, rates divided by {divisor:g}")
        for title in ("Link, up", "Link, down"):
            table.add_column(title, overflow="fold")
        for title in ("Plan, Mbit/s", "Measured, Mbit/s", "Error"):
            table.add_column(title, justify="right")
        for link in links:
            style = "" if abs(link.error) <= LINK_TOLERANCE else "bold red"
            figures = (f"{link.planned_mbps:.3f}", f"{link.measured_mbps:.3f}", f"{link.error:+.2%}")
            table.add_row(link.up, link.down, *figures, style=style)
        console.print(table)
        worst = max(links, key=lambda link: abs(link.error))
        again = f"{sum(link.attempt > 1 for link in links)} of {len(links)} were measured twice"
        console.print(f"worst link {worst.error:+.2%} (tolerance {LINK_TOLERANCE:.0%}); {again}", highlight=False)
    console.print(
        f"all up-links at once: {together.flows} connections on {together.loaded_directions} of "
        f"{together.uplink_directions} up-link directions carry {together.measured_mbps:.1f} Mbit/s on the wire; "
        f"max-min fair {together.fair_mbps:.1f} ({together.error:+.2%}, tolerance {AGGREGATE_TOLERANCE:.0%})",
        highlight=False,
    )
