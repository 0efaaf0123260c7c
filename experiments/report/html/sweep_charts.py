"""The panels of a sweep and its published figures as positions in per cent of a chart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from experiments.analysis import estimate_text
from experiments.analysis.estimates import Reduction, Spread
from experiments.analysis.sweep_results import PublishedReductionResult
from experiments.documents import numerals
from experiments.report.html.scales import Axis, axis, change_axis
from experiments.report.html.times import Bar, BarChart, ChangesChart, changes_chart
from experiments.report.palette import strategy_dashes, strategy_variable
from experiments.report.sweep_panels import Panel, Row

_EDGE = 5.0
"""Per cent of the width between the outermost values and the edges of a panel."""


@dataclass(frozen=True)
class Spot:
    """One measured value: its place from the left and the top, and the ends of its spread."""

    x: float
    y: float
    low: float
    high: float
    text: str


@dataclass(frozen=True)
class Line:
    """One strategy's values from left to right; `dashes` are lengths of dashes and gaps, none of a solid line."""

    strategy: str
    colour: str
    dashes: tuple[int, ...]
    spots: tuple[Spot, ...]


@dataclass(frozen=True)
class LineChart:
    """Lines over numbers; `ticks` are places from the top and times, `labels` places from the left and values."""

    title: str
    ticks: tuple[tuple[float, str], ...]
    labels: tuple[tuple[float, str], ...]
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class GroupChart:
    """Bars for names."""

    title: str
    bars: BarChart


@dataclass(frozen=True)
class PublishedMark:
    """One published change and the measured one, in per cent of the axis; None where nothing was measured.

    `doubtful` says that the measured one is of doubtful runs.
    """

    name: str
    published: float
    estimate: float | None
    low: float | None
    high: float | None
    text: str
    doubtful: bool


@dataclass(frozen=True)
class PublishedChart:
    """Published changes beside measured ones on one axis of per cent; `zero` is where that axis is 0."""

    axis: Axis
    zero: float
    marks: tuple[PublishedMark, ...]


def chart(panel: Panel, places: Mapping[str, int]) -> LineChart | GroupChart:
    """A panel as lines where its key has numbers, as groups of bars where it has names."""
    ends = [spread.high for column in panel.series.values() for spread in column if spread]
    scale = axis(0, max(ends, default=1.0))
    if panel.positions is None:
        return GroupChart(panel.title, BarChart(scale, tuple(_groups(panel, places, scale))))
    x = [round(_EDGE + (100 - 2 * _EDGE) * position, 2) for position in panel.positions]
    lines = tuple(
        Line(
            label,
            strategy_variable(places[label]),
            strategy_dashes(places[label]),
            _spots(panel.labels, x, column, scale),
        )
        for label, column in panel.series.items()
    )
    ticks = tuple((round(100 - position, 2), label) for position, label in scale.labels())
    return LineChart(panel.title, ticks, _apart(zip(x, panel.labels, strict=True)), lines)


def _spots(labels: Sequence[str], x: Sequence[float], column: Sequence[Spread | None], scale: Axis) -> tuple[Spot, ...]:
    return tuple(
        Spot(
            x=position,
            y=round(100 - scale.percent(spread.median), 2),
            low=round(100 - scale.percent(spread.low), 2),
            high=round(100 - scale.percent(spread.high), 2),
            text=f"{label}: {estimate_text.spread(spread, ' s')}",
        )
        for label, position, spread in zip(labels, x, column, strict=True)
        if spread is not None
    )


def _apart(labels: Iterable[tuple[float, str]]) -> tuple[tuple[float, str], ...]:
    """Those labels that do not run into the one before, on the narrowest screen."""
    shown: list[tuple[float, str]] = []
    for x, label in labels:
        if not shown or x - shown[-1][0] >= 3 + 1.3 * (len(label) + len(shown[-1][1])):
            shown.append((x, label))
    return tuple(shown)


def _groups(panel: Panel, places: Mapping[str, int], scale: Axis) -> Iterator[tuple[str, tuple[Bar, ...]]]:
    for index, name in enumerate(panel.labels):
        found = [(label, spread) for label, column in panel.series.items() if (spread := column[index])]
        yield name, tuple(_bar(label, spread, places[label], scale) for label, spread in found)


def _bar(label: str, spread: Spread, index: int, scale: Axis) -> Bar:
    median, low, high = (scale.percent(value) for value in (spread.median, spread.low, spread.high))
    return Bar(label, strategy_variable(index), median, low, high, (), None, "", estimate_text.spread(spread, " s"), "")


def changes(found: Sequence[Row], places: Mapping[str, int]) -> ChangesChart | None:
    """Change of the summed time against the baseline at every point; None when there is nothing to compare."""
    return changes_chart([(row.name, places[s.strategy], s) for row in found for s in row.network.strategies])


def published(entries: Sequence[PublishedReductionResult]) -> PublishedChart | None:
    """Published changes beside measured ones; None when nothing was published."""
    if not entries:
        return None
    scale = change_axis(
        [Reduction(entry.published, None, None, 1) for entry in entries]
        + [entry.measured for entry in entries if entry.measured is not None]
    )
    return PublishedChart(scale, scale.percent(0), tuple(_mark(entry, scale) for entry in entries))


def _mark(entry: PublishedReductionResult, scale: Axis) -> PublishedMark:
    estimate = low = high = None
    if entry.measured is not None:
        estimate = scale.percent(-100 * entry.measured.estimate)
        low, high = (
            None if end is None else scale.percent(-100 * end) for end in (entry.measured.high, entry.measured.low)
        )
    text = f"published {change(entry.published)}, measured {estimate_text.reduction(entry.measured)}"
    text += ", of doubtful runs" if entry.doubtful else ""
    text += ", of simulated runs" if entry.simulated else ""
    where = scale.percent(-100 * entry.published)
    return PublishedMark(entry_name(entry), where, estimate, low, high, text, entry.doubtful)


def entry_name(entry: PublishedReductionResult) -> str:
    """What a published figure is about: values, strategy, jobs, and whether it is a mean."""
    return ", ".join([numerals.varied(entry.values), entry.strategy, *entry.about])


def change(share: float) -> str:
    """A published reduction as a change."""
    return estimate_text.reduction(Reduction(share, None, None, 1))
