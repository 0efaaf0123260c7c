"""`traffic`: the traffic patterns of Hedera's evaluation, against what TCP should make of the paths they take."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from experiments.commands import options
from experiments.commands.answers import answer_isolated
from experiments.commands.measuring import measuring
from experiments.commands.options import Description
from experiments.documents.diagnostics import nearest
from experiments.documents.terminal import TextConsole
from experiments.errors import RequestError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from experiments.runs.traffic_run import PatternMeasurement
    from experiments.specification.resolved_run import ResolvedRun
    from topologies.traffic import Pairs

SUMMARY = "send Hedera's twenty traffic patterns, and compare with what TCP makes of the paths"
EXAMPLES = (
    "sudo traffic",
    "sudo traffic --pattern stride1 stride8 --seconds 20",
    "sudo traffic --spec thesis --blocking-factor 5",
)
TOLERANCE = 0.05


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    options.add_description(parser)
    options.add_port(parser)
    parser.add_argument("--pattern", nargs="+", metavar="NAME", help="only these [all]")
    parser.add_argument("--seconds", type=int, default=12, help="how long to send each pattern [12]")
    options.add_printing(parser, "the measurements")


def run(
    *,
    http_port: int,
    pattern: Sequence[str] | None,
    seconds: int,
    quiet: bool,
    as_json: bool,
    **described: Unpack[Description],
) -> int:
    """Measure the patterns on the network of what is described, Hedera's unless it is said; 1 when one is out of
    tolerance or doubtful.

    Raises:
        RequestError: no such pattern, or a time too short to measure.
        SpecificationError: there is more than one network.
    """
    from topologies.traffic import hedera

    options.check_port(http_port)
    if not 3 <= seconds <= 3600:
        raise RequestError(f"--seconds {seconds}: give 3 to 3600")
    described["spec"] = described["spec"] or "hedera"
    first = options.only_network(**described)
    patterns = _chosen(hedera(first.topology, first.seed), pattern)
    return answer_isolated(lambda: _measure_all(first, patterns, http_port, seconds, as_json, quiet))


def _chosen(patterns: Mapping[str, Pairs], names: Sequence[str] | None) -> dict[str, Pairs]:
    """The patterns of these names, or all that the network is large enough for."""
    for name in names or ():
        if name not in patterns:
            raise RequestError(f"--pattern {name}: {nearest(name, patterns)}")
        if not patterns[name]:
            raise RequestError(f"--pattern {name}: the network has too few hosts for it; choose another")
    return {name: pairs for name, pairs in patterns.items() if pairs and (not names or name in names)}


def _measure_all(
    run: ResolvedRun, patterns: Mapping[str, Pairs], http_port: int, seconds: int, as_json: bool, quiet: bool
) -> int:
    from experiments.runs.traffic_run import measure
    from workloads.scale import Scale

    found = []
    with measuring(run, "traffic", http_port, quiet or as_json) as (standing, divisor, scratch, on_progress):
        scale = Scale(divisor, run.specification.scale.volume_divisor_for(divisor))
        with standing.lent(run, divisor, scratch / "controller.log", on_progress) as (network, control):
            for number, one in enumerate(patterns.items(), 1):
                on_progress(f"{one[0]}, {number} of {len(patterns)}")
                found.append(measure(run, network, control, scale, one, seconds, scratch / "probe.log"))
    if as_json:
        rows = [{**asdict(one), "error": one.error, "fidelity": one.fidelity.model_dump()} for one in found]
        print(json.dumps({"rate_divisor": divisor, "patterns": rows}, indent=1))
    else:
        _print(TextConsole(), divisor, found)
    return int(not all(map(_holds, found)))


def _holds(one: PatternMeasurement) -> bool:
    return abs(one.error) <= TOLERANCE and one.fidelity.verdict == "trusted"


def _print(console: Console, divisor: float, found: Sequence[PatternMeasurement]) -> None:
    table = Table(
        title=f"Received by all hosts together, Gbit/s of the modelled network (rates divided by {divisor:g})"
    )
    table.add_column("Pattern", overflow="fold")
    for title in ("Connections", "Non-blocking", "Max-min fair", "TCP", "Measured", "Error"):
        table.add_column(title, justify="right")
    table.add_column("Verdict", overflow="fold")
    for one in found:
        rates = (f"{rate / 1000:.2f}" for rate in (one.ideal_mbps, one.fair_mbps, one.expected_mbps, one.measured_mbps))
        said = "; ".join((one.fidelity.verdict, *one.fidelity.reasons))
        style = "" if _holds(one) else "bold red"
        table.add_row(one.pattern, str(one.connections), *rates, f"{one.error:+.1%}", said, style=style)
    console.print(table)
    near = sum(abs(one.error) <= TOLERANCE for one in found)
    trusted = sum(one.fidelity.verdict == "trusted" for one in found)
    console.print(f"{near} of {len(found)} within {TOLERANCE:.0%} of TCP's rates, {trusted} trusted", highlight=False)
