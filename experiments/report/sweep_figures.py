"""Figures of a sweep as PDF, PNG and SVG, on white: summed times, and published figures beside measured ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.report.figures import STYLE, save, whiskers
from experiments.report.palette import STRATEGIES
from experiments.report.sweep_charts import entry_name
from experiments.report.sweep_panels import Panel
from experiments.sweep_results import PublishedReductionResult

_COLUMNS = 3
_CHARACTERS = 40  # that a panel has room for below its axis


def write(
    panels: Sequence[Panel],
    key: str,
    places: Mapping[str, int],
    published: Sequence[PublishedReductionResult],
    folder: Path,
) -> tuple[Path, ...]:
    """Write all figures that there are values for; returns their paths."""
    folder.mkdir(exist_ok=True)
    written: list[Path] = []
    with matplotlib.rc_context(STYLE):
        if panels:
            written += save(_times(panels, key, places), folder / "summed-times")
        if published:
            written += save(_published(published), folder / "published")
    return tuple(written)


def _times(panels: Sequence[Panel], key: str, places: Mapping[str, int]) -> Figure:
    columns = min(_COLUMNS, len(panels))
    height = math.ceil(len(panels) / columns)
    figure = Figure(figsize=(max(4.8, 3.2 * columns), 0.5 + 2.6 * height), layout="constrained")
    grid = figure.subplots(height, columns, squeeze=False)
    for place, panel in enumerate(panels):
        axes = grid[place // columns][place % columns]
        _panel(axes, panel, places)
        axes.set_title(panel.title, fontsize=9)
        axes.set_xlabel(key)
    for place in range(len(panels), height * columns):
        grid[place // columns][place % columns].set_axis_off()
    figure.supylabel("sum of completion times, modelled s", fontsize=9)
    shown = [zip(*axes.get_legend_handles_labels(), strict=True) for axes in grid.flat]
    handles = {label: handle for pairs in shown for handle, label in pairs}
    figure.legend(list(handles.values()), list(handles), loc="outside upper left", ncols=6)
    return figure


def _panel(axes: Axes, panel: Panel, places: Mapping[str, int]) -> None:
    for number, (label, column) in enumerate(panel.series.items()):
        colour = STRATEGIES[places[label] % len(STRATEGIES)].light
        heights = [spread.median if spread else math.nan for spread in column]
        if panel.positions is None:
            width = 0.8 / len(panel.series)
            x = [place + (number - (len(panel.series) - 1) / 2) * width for place in range(len(column))]
            axes.bar(x, heights, width * 0.9, color=colour, label=label)
            axes.errorbar(x, heights, yerr=whiskers(column), fmt="none", ecolor="#1a1d21", elinewidth=0.9, capsize=2)
        else:
            axes.errorbar(
                panel.positions, heights, yerr=whiskers(column), color=colour, marker="o", capsize=2, label=label
            )
    axes.set_xticks(list(panel.positions or range(len(panel.labels))), list(panel.labels))
    if sum(len(label) + 2 for label in panel.labels) > _CHARACTERS:
        for text in axes.get_xticklabels():
            text.set(rotation=35, ha="right", rotation_mode="anchor")
    axes.set_ylim(0, None)
    axes.grid(visible=False, axis="x")


def _published(entries: Sequence[PublishedReductionResult]) -> Figure:
    figure = Figure(figsize=(6.4, 0.9 + 0.32 * len(entries)), layout="constrained")
    axes = figure.subplots()
    for y, entry in enumerate(entries):
        told = {} if y else {"published": "published", "measured": "measured, 95 % interval"}
        axes.plot([-100 * entry.published], [y], "D", color=STRATEGIES[2].light, label=told.get("published"))
        if entry.measured is not None:
            if entry.measured.low is not None and entry.measured.high is not None:
                ends = [-100 * entry.measured.high, -100 * entry.measured.low]
                axes.plot(ends, [y, y], color=STRATEGIES[1].light, linewidth=2)
            axes.plot([-100 * entry.measured.estimate], [y], "o", color=STRATEGIES[1].light, label=told.get("measured"))
    axes.axvline(0, color="#1a1d21", linewidth=0.9)
    axes.set_yticks(range(len(entries)), [entry_name(entry) for entry in entries])
    axes.set_ylim(len(entries) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("summed completion time against the first strategy, %")
    figure.legend(loc="outside upper left", ncols=2)
    return figure
