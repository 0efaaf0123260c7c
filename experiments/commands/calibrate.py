"""`calibrate`: plan against measurement, link by link and for all up-links at once."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from experiments.documents.diagnostics import SpecificationError, problem
from experiments.runs import emulated_run, network_calibration
from experiments.runs.controller_process import listen
from experiments.runs.emulated_run import Conditions
from experiments.runs.network_calibration import (
    AGGREGATE_TOLERANCE,
    LINK_TOLERANCE,
    AggregateMeasurement,
    LinkMeasurement,
)
from experiments.runs.progress import Say
from experiments.runs.rate_divisor import choose_divisor
from experiments.specification import plan
from experiments.specification.model import Specification
from experiments.specification.plan import Run
from topologies.emulated import isolation


def calibrate(specification: Specification, http_port: int, quick: bool, as_json: bool, quiet: bool = False) -> int:
    """Calibrate the network of a specification and print the result; 1 when it is out of tolerance.

    Raises:
        SpecificationError: there is more than one.
    """
    if len(specification.topology.factors) > 1:
        hint = "one network is calibrated at a time; give one, such as --blocking-factor 5"
        raise SpecificationError([problem(("topology", "blocking_factor"), list(specification.topology.factors), hint)])
    run = plan.resolve(specification)[0]
    with (
        tempfile.TemporaryDirectory() as scratch,
        listen(isolation.current(), http_port) as listener,
        Console(stderr=True, quiet=quiet or as_json).status("starting") as status,
    ):
        divisor = choose_divisor(run, listener, Path(scratch), status.update)
        links, together = _measure(run, Conditions(listener, divisor), Path(scratch), quick, status.update)
    if as_json:
        document = {"rate_divisor": divisor, "links": [asdict(link) for link in links], "all_uplinks": asdict(together)}
        print(json.dumps(document, indent=1))
    else:
        _print(Console(), divisor, links, together)
    worst = max((abs(link.error) for link in links), default=0.0)
    return int(worst > LINK_TOLERANCE or together.shortfall > AGGREGATE_TOLERANCE)


def _measure(
    run: Run, conditions: Conditions, scratch: Path, quick: bool, say: Say
) -> tuple[list[LinkMeasurement], AggregateMeasurement]:
    with emulated_run.network_with_controller(run, scratch / "controller.log", conditions, say) as (network, control):
        links = [] if quick else list(network_calibration.links_alone(network, progress=say))
        say("all up-links at once")
        duration_s = 4 * network_calibration.settled_duration_s(network.topology)
        return links, network_calibration.all_uplinks(
            network, lambda *flow: control.path(network.topology, *flow), duration_s, flows_per_host=32
        )


def _print(console: Console, divisor: float, links: list[LinkMeasurement], together: AggregateMeasurement) -> None:
    if links:
        table = Table("Link, up", "Link, down", title=f"Each link alone, rates divided by {divisor:g}")
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
