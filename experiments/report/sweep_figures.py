"""Figures of a sweep as PDF, PNG and SVG, on white: summed times, and published figures beside measured ones."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.analysis.sweep_results import PublishedReductionResult
from experiments.documents.nofollow import make_folder
from experiments.report.figures import STYLE, bar_style, line_style, save, whiskers
from experiments.report.html.sweep_charts import entry_name
from experiments.report.palette import strategy_colour
from experiments.report.sweep_panels import Panel

_COLUMNS = 3
_CHARACTERS = 40  # that a panel has room for below its axis
_SLANTED = 16  # characters of the longest label that is not upright
_INCHES = 0.075  # of a character


def write(
    panels: Sequence[Panel],
    key: str,
    places: Mapping[str, int],
    published: Sequence[PublishedReductionResult],
    folder: Path,
    mark: str,
) -> tuple[Path, ...]:
    """Write all figures that there are values for, with a mark below each, if any; returns their paths."""
    make_folder(folder)
    written: list[Path] = []
    with matplotlib.rc_context(STYLE):
        if panels:
            written += save(_times(panels, key, places), folder / "summed-times", mark)
        if published:
            written += save(_published(published), folder / "published", mark)
    return tuple(written)


def _times(panels: Sequence[Panel], key: str, places: Mapping[str, int]) -> Figure:
    columns = min(_COLUMNS, len(panels))
    height = math.ceil(len(panels) / columns)
    width = max(4.8, 3.2 * columns)
    longest = max(len(label) for panel in panels for label in panel.labels)
    upright = longest > _SLANTED
    figure = Figure(figsize=(width, 0.5 + (2.6 + _INCHES * longest * upright) * height), layout="constrained")
    grid = figure.subplots(height, columns, squeeze=False)
    for index, panel in enumerate(panels):
        axes = grid[index // columns][index % columns]
        _panel(axes, panel, places, upright)
        axes.set_title(panel.title, fontsize=9)
        axes.set_xlabel(key)
    for index in range(len(panels), height * columns):
        grid[index // columns][index % columns].set_axis_off()
    figure.supylabel("sum of completion times, modelled s", fontsize=9)
    shown = [zip(*axes.get_legend_handles_labels(), strict=True) for axes in grid.flat]
    handles = {label: handle for pairs in shown for handle, label in pairs}
    beside = max(1, int(width / (0.6 + _INCHES * max(map(len, handles)))))
    figure.legend(list(handles.values()), list(handles), loc="outside upper left", ncols=beside)
    return figure


def _panel(axes: Axes, panel: Panel, places: Mapping[str, int], upright: bool) -> None:
    for number, (label, column) in enumerate(panel.series.items()):
        heights = [spread.median if spread else math.nan for spread in column]
        if panel.positions is None:
            width = 0.8 / len(panel.series)
            x = [index + (number - (len(panel.series) - 1) / 2) * width for index in range(len(column))]
            axes.bar(x, heights, width * 0.9, label=label, **bar_style(places[label]))
            axes.errorbar(x, heights, yerr=whiskers(column), fmt="none", ecolor="#1a1d21", elinewidth=0.9, capsize=2)
        else:
            ends, style = whiskers(column), line_style(places[label])
            axes.errorbar(panel.positions, heights, yerr=ends, marker="o", capsize=2, label=label, **style)
    axes.set_xticks(list(panel.positions or range(len(panel.labels))), list(panel.labels))
    if upright:
        axes.tick_params(axis="x", rotation=90)
    elif sum(len(label) + 2 for label in panel.labels) > _CHARACTERS:
        for text in axes.get_xticklabels():
            text.set(rotation=35, ha="right", rotation_mode="anchor")
    axes.set_ylim(0, None)
    axes.grid(visible=False, axis="x")


def _published(entries: Sequence[PublishedReductionResult]) -> Figure:
    figure = Figure(figsize=(6.4, 0.9 + 0.32 * len(entries)), layout="constrained")
    axes = figure.subplots()
    for y, entry in enumerate(entries):
        axes.plot([-100 * entry.published], [y], "D", color=strategy_colour(2), label="published")
        if entry.measured is not None:
            if entry.measured.low is not None and entry.measured.high is not None:
                ends = [-100 * entry.measured.high, -100 * entry.measured.low]
                axes.plot(ends, [y, y], color=strategy_colour(1), linewidth=2)
            how = "simulated" if entry.simulated else "measured"
            fill, of = ("none", f"{how}, doubtful") if entry.doubtful else ("full", f"{how}, 95 % interval")
            axes.plot([-100 * entry.measured.estimate], [y], "o", color=strategy_colour(1), fillstyle=fill, label=of)
    axes.axvline(0, color="#1a1d21", linewidth=0.9)
    axes.set_yticks(range(len(entries)), [entry_name(entry) for entry in entries])
    axes.set_ylim(len(entries) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("change of completion time, %")
    lines, labels = axes.get_legend_handles_labels()
    told = dict(zip(labels, lines, strict=True))
    figure.legend(told.values(), told.keys(), loc="outside upper left", ncols=3)
    return figure
