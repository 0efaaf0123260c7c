"""What the charts of a sweep show: summed times over one varied key, a panel for every value of the others."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.analysis.comparison import NetworkComparison
from experiments.analysis.estimates import Spread
from experiments.analysis.sweep_results import PointResult, SweepResults
from experiments.documents import numerals
from experiments.documents.quantities import parse_bytes

NETWORK = "topology.blocking_factor"
_LOGARITHMIC_FROM = 8
"""From this ratio of the largest to the smallest value on, an axis is logarithmic."""


@dataclass(frozen=True)
class Row:
    """One network at one point, by its values; the network is one of them where a point has several."""

    point: PointResult
    network: NetworkComparison
    values: dict[str, Any]

    @property
    def name(self) -> str:
        """The values in words; a key is named when there are several."""
        return numerals.varied(self.values)


@dataclass(frozen=True)
class Panel:
    """Summed times, modelled seconds, of every strategy over the values of one key.

    Attributes:
        title: values of the other keys; empty when nothing else varies.
        labels: the values on the horizontal axis as texts.
        positions: the same as numbers from 0 to 1; None when they are names.
        series: by strategy, a spread for every value; None where nothing was measured.
    """

    title: str
    labels: tuple[str, ...]
    positions: tuple[float, ...] | None
    series: Mapping[str, tuple[Spread | None, ...]]


def rows(results: SweepResults) -> tuple[Row, ...]:
    """All networks of all points that have figures."""
    compared = [(point, point.comparison.networks) for point in results.points if point.comparison is not None]
    several = any(len(networks) > 1 for _, networks in compared)
    return tuple(
        Row(point, network, _values(point.values, network.blocking_factor, several))
        for point, networks in compared
        for network in networks
        if network.strategies
    )


def strategies(found: Sequence[Row]) -> dict[str, int]:
    """Number of every strategy, which decides on its colour; baselines come first."""
    labels = [row.network.baseline for row in found] + [s.strategy for row in found for s in row.network.strategies]
    return {label: index for index, label in enumerate(dict.fromkeys(labels))}


def horizontal_key(found: Sequence[Row]) -> str:
    """The key along which the panels run: the one with most numbers, else the innermost."""
    keys = list(dict.fromkeys(key for row in found for key in row.values))
    values = {key: _distinct(row.values.get(key) for row in found) for key in keys}
    numeric = [key for key in keys if len(values[key]) > 1 and all(number(value) is not None for value in values[key])]
    return max(numeric, key=lambda key: len(values[key])) if numeric else keys[-1]


def panels(found: Sequence[Row]) -> tuple[Panel, ...]:
    """The panels of some rows, in their order; none of none."""
    if not found:
        return ()
    key = horizontal_key(found)
    groups: dict[str, list[Row]] = {}
    for row in found:
        rest = {name: value for name, value in row.values.items() if name != key}
        groups.setdefault(numerals.varied(rest) if rest else "", []).append(row)
    return tuple(_panel(title, group, key) for title, group in groups.items())


def _panel(title: str, group: Sequence[Row], key: str) -> Panel:
    group = sorted(group, key=lambda row: number(row.values[key]) or 0)  # stable: names stay as they are
    numbers = [number(row.values[key]) for row in group]
    series = {}
    for label in dict.fromkeys(summary.strategy for row in group for summary in row.network.strategies):
        found = [{summary.strategy: summary.summed_time_s for summary in row.network.strategies} for row in group]
        series[label] = tuple(column.get(label) for column in found)
    return Panel(title, tuple(numerals.as_written(row.values[key]) for row in group), _positions(numbers), series)


def _positions(numbers: Sequence[float | None]) -> tuple[float, ...] | None:
    known = [value for value in numbers if value is not None]
    if len(known) < len(numbers) or len(set(known)) < 2:
        return None
    if min(known) > 0 and max(known) / min(known) >= _LOGARITHMIC_FROM:
        known = [math.log(value) for value in known]
    return tuple((value - min(known)) / (max(known) - min(known)) for value in known)


def number(value: object) -> float | None:
    """A varied value as a number, such as 5 or 250 GB; None of a name."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    if isinstance(value, str):
        try:
            return float(parse_bytes(value))
        except ValueError:
            return None
    return number(value[0]) if isinstance(value, (list, tuple)) and len(value) == 1 else None


def _values(values: Mapping[str, Any], factor: float | None, several: bool) -> dict[str, Any]:
    return {**values, NETWORK: factor} if several and NETWORK not in values else dict(values)


def _distinct(values: Any) -> list[Any]:  # noqa: ANN401 - anything that YAML can hold, hashable or not
    found: list[Any] = []
    for value in values:
        if value not in found:
            found.append(value)
    return found
