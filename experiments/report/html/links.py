"""What the links carried: lines over time, a heat map of all of them, and the mean of each."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from experiments.report.cells import Cell
from experiments.report.palette import HEAT
from topologies.topology import Direction, Topology

if TYPE_CHECKING:
    import polars as pl

POINTS = 240
COLUMNS = 160
HEIGHT = 100
WINDOWS = 6
"""Drawings of the network over time."""

_ARROW: Mapping[str, str] = {"up": "\N{UPWARDS ARROW}", "down": "\N{DOWNWARDS ARROW}"}


@dataclass(frozen=True)
class Line:
    """Mean and largest utilisation of the up-links over time, as SVG points and path in a box of 1000 x 100."""

    mean: str
    area: str
    mean_share: float
    peak_share: float


@dataclass(frozen=True)
class HeatMap:
    """Utilisation of all links: an image of one pixel a link and time bin, and its groups of rows with their number."""

    image: str
    rows: int
    groups: tuple[tuple[str, int], ...]


def rated(cell: Cell, end_s: float) -> pl.DataFrame:
    """Readings from the first submission up to `end_s` that have a rate; a link's first one has none."""
    import polars as pl

    return cell.links.filter(pl.col("time_s").is_between(0, end_s)).drop_nulls("utilisation")


def uplink_line(cell: Cell, end_s: float) -> Line | None:
    """Utilisation of the links between switches; None when there are none or they were not sampled."""
    import polars as pl

    uplinks = [link.id for link in cell.record.network.uplinks]
    samples = rated(cell, end_s).filter(pl.col("link").is_in(uplinks))
    if samples.is_empty():
        return None
    bins = _binned(samples, end_s, POINTS)
    over_time = bins.group_by("bin").agg(pl.col("mean").mean(), pl.col("mean").max().alias("peak")).sort("bin")
    x = [round((slot + 0.5) * 1000 / POINTS, 1) for slot in over_time["bin"]]
    mean = [round(HEIGHT * (1 - min(1.0, value)), 1) for value in over_time["mean"]]
    peak = [round(HEIGHT * (1 - min(1.0, value)), 1) for value in over_time["peak"]]
    points = " ".join(f"{a:g},{b:g}" for a, b in zip(x, mean, strict=True))
    outline = [f"{a:g} {b:g}" for a, b in zip(x, peak, strict=True)] + [
        f"{a:g} {b:g}" for a, b in zip(reversed(x), reversed(mean), strict=True)
    ]
    return Line(points, f"M{'L'.join(outline)}z", _float(samples["utilisation"].mean()), _float(bins["mean"].max()))


def heat_map(cell: Cell, end_s: float) -> HeatMap | None:
    """All directions of all links over time; None when they were not sampled."""
    samples = rated(cell, end_s)
    if samples.is_empty():
        return None
    groups = row_groups(cell.record.network)
    row_of = {key: row for row, key in enumerate(key for _, keys in groups for key in keys)}
    values = np.full((len(row_of), COLUMNS), np.nan)
    for link, direction, column, mean in _binned(samples, end_s, COLUMNS).iter_rows():
        if (link, direction) in row_of:
            values[row_of[link, direction], column] = mean
    return HeatMap(image(_filled(values)), len(row_of), tuple((label, len(keys)) for label, keys in groups))


def row_groups(topology: Topology) -> list[tuple[str, list[tuple[str, Direction]]]]:
    """Rows of the heat map: up-links by edge switch and direction, then the hosts' links."""
    directions: tuple[Direction, Direction] = ("up", "down")
    groups: list[tuple[str, list[tuple[str, Direction]]]] = []
    for direction in directions:
        for switch in topology.switches:
            keys = [(link.id, direction) for link in topology.uplinks if link.a.node == switch.name]
            if keys:
                groups.append((f"{switch.name} {_ARROW[direction]}", keys))
    for direction in directions:
        keys = [(topology.host_link[host.name].id, direction) for host in topology.hosts]
        groups.append((f"hosts {_ARROW[direction]}", keys))
    return groups


def windows(end_s: float) -> tuple[tuple[float, float], ...]:
    """Begin and end of `WINDOWS` equal parts of the time up to `end_s`."""
    return tuple((end_s * part / WINDOWS, end_s * (part + 1) / WINDOWS) for part in range(WINDOWS))


def mean_utilisation(cell: Cell, begin_s: float = 0.0, end_s: float | None = None) -> dict[tuple[str, str], float]:
    """Mean utilisation of each link and direction in a span of time, by default up to the last job's end."""
    import polars as pl

    last_s = cell.end_s if end_s is None else min(end_s, cell.end_s)
    means = (
        cell.links.filter((pl.col("time_s") > begin_s) & (pl.col("time_s") <= last_s))
        .group_by("link", "direction")
        .agg(pl.col("utilisation").mean())
    )
    return {(link, direction): mean for link, direction, mean in means.iter_rows() if mean is not None}


def image(values: npt.NDArray[np.float64]) -> str:
    """Shares from 0 to 1 as a PNG of one pixel each, as a data URI; what is not a number is transparent."""
    import matplotlib
    from matplotlib.image import imsave

    pixels = matplotlib.colormaps[HEAT](np.clip(values, 0, 1), bytes=True)
    pixels[np.isnan(values)] = 0
    buffer = io.BytesIO()
    imsave(buffer, np.ascontiguousarray(pixels), format="png")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _binned(samples: pl.DataFrame, end_s: float, bins: int) -> pl.DataFrame:
    """Mean utilisation by link, direction and time bin."""
    import polars as pl

    slot = (pl.col("time_s") / max(end_s, 1e-9) * bins).floor().clip(0, bins - 1).cast(pl.Int64)
    return samples.group_by("link", "direction", slot.alias("bin")).agg(pl.col("utilisation").mean().alias("mean"))


def _filled(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Bins between two samples get the later one's value, because a sample is about the interval that ends with it."""
    filled: npt.NDArray[np.float64] = values.copy()
    for column in range(values.shape[1] - 2, -1, -1):
        empty = np.isnan(filled[:, column])
        filled[empty, column] = filled[empty, column + 1]
    return filled


def _float(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
