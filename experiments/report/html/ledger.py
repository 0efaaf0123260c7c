"""Transactions of tracked files: how many there were to be and how many were confirmed, over time (Figure 7.6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from experiments.documents import numerals
from experiments.records.retention import RetentionRecord
from experiments.report.cells import Cell
from experiments.report.html.scales import Axis, time_axis

POINTS = 240


@dataclass(frozen=True)
class Ledger:
    """Both counts over time as SVG points in a box of 1000 x 100, the time axis, and what the record says of them."""

    asked: str
    confirmed: str
    axis: Axis
    record: RetentionRecord
    confirmed_after: str


def ledger(cell: Cell) -> Ledger | None:
    """Those of the run that is drawn; None where nothing was tracked."""
    record, sent = cell.record.retention, cell.transactions
    if record is None or sent.is_empty():
        return None
    asked, confirmed = (sorted(sent[name].drop_nulls().to_list()) for name in ("asked_s", "confirmed_s"))
    axis = time_axis(max([*asked, *confirmed]))
    took = "-"
    if record.confirmed_after_s is not None:
        low, median, high = map(numerals.number, record.confirmed_after_s)
        took = f"{median} s ({low} to {high})"
    return Ledger(_steps(asked, axis, len(sent)), _steps(confirmed, axis, len(sent)), axis, record, took)


def _steps(times_s: Iterable[float], axis: Axis, most: int) -> str:
    """How many times are past, over time."""
    past = list(times_s)
    every = max(1, len(past) // POINTS)
    points = [(0.0, 100.0)]
    for number, time_s in list(enumerate(past, 1))[::-every][::-1]:
        x = 10 * axis.percent(time_s)
        points += [(x, points[-1][1]), (x, 100 * (1 - number / most))]
    points.append((1000.0, points[-1][1]))
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
