"""What the containers and nodes of a run used, second by second, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from experiments.records.results_folder import RunFolder

_BARS = " ▁▂▃▄▅▆▇█"
_WIDTH = 20
_LEAST_WIDTH = 4
_BESIDE_USES = 42  # columns of a terminal that keys and memory take
_BESIDE_BARS = 8
_USES = ("cpu_s", "disk_bytes", "sent_bytes", "received_bytes")
_TITLES = ("CPU", "disk", "sent", "received")


def render(run: RunFolder, job: str | None = None, columns: int = 160) -> RenderableType:
    """A picture of each container's and each node's CPU, disk and network over the run, and the memory they held.

    Every line is a sparkline scaled to its largest value, which stands behind it: cores in use, modelled MB/s. Memory
    is the most that was held at once: by the model, and by a node's agent in truth. Containers are those of one job,
    or all. Samples from before the first submission, while data is loaded, are left out. On few `columns` sparklines
    are shorter, or left out.
    """
    width = min(_WIDTH, (columns - _BESIDE_USES) // len(_USES) - _BESIDE_BARS)
    samples = run.events().filter((pl.col("kind") == "sample") & (pl.col("time_s") >= 0))
    if samples.is_empty():
        if run.record().kind == "simulated":
            return "no samples: the run was simulated, and samples are of the agents that an emulated run has"
        return "no samples; the run ended before the agents reported"
    end_s = float(samples.select(pl.col("time_s").max()).item())
    nodes = _table("Nodes", ("node",))
    nodes.add_column("agent\nMB", justify="right")
    for (host,), rows in samples.filter(pl.col("job").is_null()).group_by("host", maintain_order=True):
        nodes.add_row(str(host), *_lines(rows, end_s, width), _most(rows, "agent_memory_bytes", 1e6))
    containers = _table("Containers", ("job", "container", "node"))
    of_jobs = samples.filter(pl.col("job").is_not_null() if job is None else pl.col("job") == job)
    keys = ("job", "container", "host")
    for key, rows in of_jobs.sort("job", "container", "time_s").group_by(*keys, maintain_order=True):
        containers.add_row(*(escape(str(part)) for part in key), *_lines(rows, end_s, width))
    return Group(nodes, containers)


def sparkline(
    times_s: Sequence[float], amounts: Sequence[float], end_s: float, width: int = _WIDTH
) -> tuple[str, float]:
    """Bars of the amounts, summed over `width` equal spans from 0 to `end_s`, and the largest sum per second."""
    span_s = end_s / width if end_s > 0 else 1.0
    sums = [0.0] * width
    for time_s, amount in zip(times_s, amounts, strict=True):
        sums[min(width - 1, max(0, int(time_s / span_s)))] += amount
    top = max(sums)
    steps = len(_BARS) - 1
    return "".join(_BARS[round(steps * value / top) if top else 0] for value in sums), top / span_s


def _lines(rows: pl.DataFrame, end_s: float, width: int) -> list[str]:
    cells = []
    for use in _USES:
        bars, top = sparkline(rows["time_s"].to_list(), rows[use].fill_null(0).to_list(), end_s, max(1, width))
        largest = f"{top:.1f}" if use == "cpu_s" else f"{top / 1e6:.0f}"
        cells.append(f"{bars} {largest}" if width >= _LEAST_WIDTH else largest)
    return [*cells, _most(rows, "memory_bytes", 1e9)]


def _most(rows: pl.DataFrame, column: str, unit: float) -> str:
    return f"{rows.select(pl.col(column).max().fill_null(0)).item() / unit:.1f}"


def _table(title: str, keys: Sequence[str]) -> Table:
    table = Table(*keys, title=title, title_justify="left", box=None)
    for name, unit in zip(_TITLES, ("cores", "MB/s", "MB/s", "MB/s"), strict=True):
        table.add_column(f"{name}\n{unit}", no_wrap=True)
    table.add_column("memory\nGB", justify="right")
    return table
