"""Figures for papers and slides: job times, reductions and up-link use as PDF, PNG and SVG, on white."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.analysis.comparison import NetworkComparison
from experiments.analysis.estimates import Spread
from experiments.documents.atomic import atomic_file
from experiments.documents.nofollow import make_folder
from experiments.report import kinds
from experiments.report.cells import Evidence, Network
from experiments.report.html.links import rated
from experiments.report.palette import strategy_colour, strategy_dashes, strategy_hatch

FORMATS = ("pdf", "png", "svg")
STYLE: dict[Any, Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#d9dee4",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "text.parse_math": False,  # names may have dollars and backslashes
    "svg.fonttype": "none",
    "svg.hashsalt": "placement-testbed",
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
}


def write(evidence: Evidence, folder: Path) -> tuple[Path, ...]:
    """Write all figures that the runs have data for; returns their paths."""
    mark = kinds.mark(evidence.comparison.kinds)
    make_folder(folder)
    written: list[Path] = []
    with matplotlib.rc_context(STYLE):
        for summary, network in zip(evidence.comparison.networks, evidence.networks, strict=True):
            if not network.cells:
                continue
            suffix = "" if network.blocking_factor is None else f"-bf{network.blocking_factor:g}"
            written += save(_job_times(summary, network), folder / f"job-times{suffix}", mark)
            uplinks = _uplinks(network)
            if uplinks is not None:
                written += save(uplinks, folder / f"uplinks{suffix}", mark)
        changes = _changes(evidence)
        if changes is not None:
            written += save(changes, folder / "reductions", mark)
    return tuple(written)


def _job_times(summary: NetworkComparison, network: Network) -> Figure:
    figure = Figure(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    jobs = network.job_ids
    width = 0.8 / len(summary.strategies)
    places = {cell.strategy: cell.index for cell in network.cells}
    for number, strategy in enumerate(summary.strategies):
        spreads = {job.job_id: job.completion_time_s for job in strategy.jobs}
        x = [index + (number - (len(summary.strategies) - 1) / 2) * width for index in range(len(jobs))]
        found = [spreads.get(job_id) for job_id in jobs]
        heights = [spread.median if spread else 0.0 for spread in found]
        index = places[strategy.strategy]
        axes.bar(x, heights, width * 0.9, label=strategy.strategy, **bar_style(index))
        if any(spread and spread.count > 1 for spread in found):
            axes.errorbar(x, heights, yerr=whiskers(found), fmt="none", ecolor="#1a1d21", elinewidth=0.9, capsize=2)
    axes.set_xticks(range(len(jobs)), jobs)
    axes.grid(visible=False, axis="x")
    axes.set_ylabel("completion time, modelled s")
    figure.legend(loc="outside upper left", ncols=4)
    return figure


def bar_style(index: int) -> dict[str, Any]:
    """Colour and hatching of a strategy's bars."""
    return {"color": strategy_colour(index), "hatch": strategy_hatch(index), "edgecolor": "white", "linewidth": 0}


def line_style(index: int) -> dict[str, Any]:
    """Colour and dashes of a strategy's lines."""
    return {
        "color": strategy_colour(index),
        "linestyle": (0, strategy_dashes(index)) if strategy_dashes(index) else "-",
    }


def whiskers(found: Sequence[Spread | None]) -> list[list[float]]:
    """How far each spread reaches below and above its median."""
    below = [spread.median - spread.low if spread else 0.0 for spread in found]
    above = [spread.high - spread.median if spread else 0.0 for spread in found]
    return [below, above]


def _changes(evidence: Evidence) -> Figure | None:
    rows = [
        (network.blocking_factor, strategy.strategy, strategy.reduction)
        for network in evidence.comparison.networks
        for strategy in network.strategies
    ]
    rows = [row for row in rows if row[2] is not None]
    if not rows:
        return None
    places = {cell.strategy: cell.index for network in evidence.networks for cell in network.cells}
    figure = Figure(figsize=(6.4, 0.7 + 0.3 * len(rows)), layout="constrained")
    axes = figure.subplots()
    for y, (_, strategy, found) in enumerate(rows):
        assert found is not None
        colour = strategy_colour(places[strategy])
        if found.low is not None and found.high is not None:
            axes.plot([-100 * found.high, -100 * found.low], [y, y], color=colour, linewidth=2)
        axes.plot([-100 * found.estimate], [y], "o", color=colour, markersize=6)
    axes.axvline(0, color="#1a1d21", linewidth=0.9)
    labels = [name if factor is None else f"{name}, bf {factor:g}" for factor, name, _ in rows]
    axes.set_yticks(range(len(rows)), labels)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"summed completion time against {evidence.comparison.networks[0].baseline}, % (95 % interval)")
    return figure


def _uplinks(network: Network) -> Figure | None:
    figure = Figure(figsize=(6.4, 2.6), layout="constrained")
    axes: Axes = figure.subplots()
    drawn = False
    for cell in network.cells:
        uplinks = [link.id for link in cell.record.network.uplinks]
        samples = rated(cell, network.end_s).filter(pl.col("link").is_in(uplinks))
        if samples.is_empty():
            continue
        slot = (pl.col("time_s") / max(network.end_s, 1e-9) * 200).floor().cast(pl.Int64).alias("bin")
        over_time = samples.group_by(slot).agg(pl.col("time_s").mean(), pl.col("utilisation").mean()).sort("bin")
        percent = 100 * np.asarray(over_time["utilisation"].to_list())
        axes.plot(over_time["time_s"].to_list(), percent, linewidth=1.3, label=cell.strategy, **line_style(cell.index))
        drawn = True
    axes.set_xlabel("modelled s since the first submission")
    axes.set_ylabel("mean up-link use, %")
    axes.set_ylim(0, 100)
    axes.set_xlim(0, None)
    if not drawn:
        return None
    figure.legend(loc="outside upper left", ncols=4)
    return figure


def save(figure: Figure, stem: Path, mark: str) -> list[Path]:
    """Write a figure in all formats, without the time of day and with a mark below it, if any; returns their paths."""
    if mark:
        figure.supxlabel(mark, x=0.99, ha="right", fontsize=9)
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in FORMATS]
    undated = {"pdf": {"CreationDate": None}, "png": {}, "svg": {"Date": None}}
    for path in paths:
        with atomic_file(path) as file:
            figure.savefig(file, format=path.suffix[1:], metadata=undated[path.suffix[1:]])
    return paths
