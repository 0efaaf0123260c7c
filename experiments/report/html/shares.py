"""Who sent to whom, where reads were served, what placements cost, and how far a run can be trusted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from experiments.documents import numerals
from experiments.records.record import ReadBytes
from experiments.report.cells import Cell
from experiments.report.html.links import image
from experiments.report.palette import heat_colour, ink_on

_MOST_NUMBERS = 12


@dataclass(frozen=True)
class Matrix:
    """Bytes by sender (row) and receiver; cells of a colour and a text, or one image when there are many hosts.

    `total` is what all of them sent, `most` what the end of the colour scale stands for.
    """

    hosts: tuple[str, ...]
    rows: tuple[tuple[tuple[str, str, str], ...], ...]
    image: str
    unit: str
    total: str
    most: str


@dataclass(frozen=True)
class Locality:
    """Where the input of a job, or of all, was read from: shares in per cent and the bytes as text."""

    label: str
    local: float
    rack: float
    remote: float
    text: str


def traffic(cell: Cell, largest: int) -> Matrix | None:
    """The traffic matrix on a colour scale up to `largest` bytes; None when it was not recorded.

    The diagonal is what stayed on a host: it has a figure but neither a colour nor a part in the total.
    """
    matrix = cell.record.traffic_matrix
    if matrix is None:
        return None
    factor, unit = next(((f, u) for f, u in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")) if largest >= f), (1, "B"))
    values = np.array(matrix.bytes, dtype=np.float64)
    np.fill_diagonal(values, 0)
    total, most = numerals.size(float(values.sum())), numerals.size(largest)
    scale = max(1, largest)
    if len(matrix.hosts) > _MOST_NUMBERS:
        return Matrix(matrix.hosts, (), image(np.where(values > 0, values / scale, np.nan)), unit, total, most)
    rows = tuple(
        tuple(
            _tile(value, scale, factor) if value and i != j else ("none", "", _figure(value / factor) if value else "0")
            for j, value in enumerate(row)
        )
        for i, row in enumerate(matrix.bytes)
    )
    return Matrix(matrix.hosts, rows, "", unit, total, most)


def largest_cell(cells: tuple[Cell, ...]) -> int:
    """The largest number of bytes from one host to another over some runs."""
    matrices = [cell.record.traffic_matrix for cell in cells]
    return max(
        (
            value
            for matrix in matrices
            if matrix
            for i, row in enumerate(matrix.bytes)
            for j, value in enumerate(row)
            if i != j
        ),
        default=0,
    )


def locality(cell: Cell) -> tuple[Locality, ...]:
    """Where each job read its input from, and all of them together."""
    jobs = [(job.job_id, job.read_bytes) for job in cell.record.jobs]
    whole = ReadBytes(
        local=sum(read.local for _, read in jobs),
        rack=sum(read.rack for _, read in jobs),
        remote=sum(read.remote for _, read in jobs),
    )
    return tuple(_locality(label, read) for label, read in [("all jobs", whole), *jobs] if read.total)


def cost_terms(cells: tuple[Cell, ...]) -> tuple[str, ...]:
    """Names of the cost terms that any job has, the total last."""
    names = dict.fromkeys(name for cell in cells for job in cell.record.jobs for name in job.cost_terms)
    return tuple(sorted(names, key=lambda name: (name == "total", list(names).index(name))))


def fidelity_line(cell: Cell, column: str) -> str:
    """One column of the fidelity samples over wall time, a share of 1, as SVG points in a box of 1000 x 100."""
    frame = cell.fidelity.drop_nulls(column).sort("time_wall_s")
    if frame.height < 2:
        return ""
    frame = frame.gather_every(max(1, frame.height // 240))
    end = max(1e-9, frame["time_wall_s"].to_list()[-1])
    rows = frame.select("time_wall_s", column).iter_rows()
    return " ".join(f"{1000 * time / end:.0f},{100 * (1 - min(1.0, max(0.0, value))):.1f}" for time, value in rows)


def _locality(label: str, read: ReadBytes) -> Locality:
    local, rack, remote = (round(100 * part / read.total, 2) for part in (read.local, read.rack, read.remote))
    parts = ((read.local, "own node"), (read.rack, "same rack"), (read.remote, "other rack"))
    text = ", ".join(f"{numerals.share(part / read.total)} {where}" for part, where in parts)
    return Locality(label, local, rack, remote, f"{numerals.size(read.total)}: {text}")


def _tile(value: int, scale: int, factor: int) -> tuple[str, str, str]:
    """Colour, colour of the text, and text of one cell."""
    colour = heat_colour(value / scale)
    return colour, ink_on(colour), _figure(value / factor)


def _figure(value: float) -> str:
    return f"{value:.0f}" if value >= 9.95 or not value else f"{value:.1f}"
