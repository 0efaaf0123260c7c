"""Job times and reductions as rows of a chart: positions in per cent, and the same figures as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.analysis import estimate_text
from experiments.analysis.comparison import Comparison, NetworkComparison, StrategySummary
from experiments.analysis.estimates import Reduction, Spread
from experiments.analysis.pairing import summed_time_s
from experiments.analysis.predictions import Predicted
from experiments.report.cells import Cell, Network
from experiments.report.html.scales import Axis, axis, change_axis
from experiments.report.palette import strategy_variable


@dataclass(frozen=True)
class Bar:
    """One strategy's time: median, spread and every repeat, in per cent of the axis.

    `twin` is the twin's range with its mean in the middle, and `said` the same as text.
    """

    strategy: str
    colour: str
    median: float
    low: float
    high: float
    dots: tuple[float, ...]
    twin: tuple[float, float, float] | None
    said: str
    text: str
    change: str


@dataclass(frozen=True)
class BarChart:
    """Groups of bars, one group a job, on a common axis."""

    axis: Axis
    groups: tuple[tuple[str, tuple[Bar, ...]], ...]


@dataclass(frozen=True)
class Change:
    """One strategy's change of the summed time against the baseline, in per cent of the axis."""

    strategy: str
    colour: str
    estimate: float
    low: float | None
    high: float | None
    text: str
    outcome: str


@dataclass(frozen=True)
class ChangesChart:
    """Changes by network on one axis of per cent; `zero` is where that axis is 0."""

    axis: Axis
    zero: float
    groups: tuple[tuple[str, tuple[Change, ...]], ...]


def job_times(summary: NetworkComparison, network: Network) -> BarChart:
    """Completion time of every job under every strategy."""
    cells = {cell.strategy: cell for cell in network.cells}
    times = {
        (cell.strategy, job_id): [
            job.completion_time_s or 0.0 for record in cell.used for job in record.jobs if job.job_id == job_id
        ]
        for cell in network.cells
        for job_id in network.job_ids
    }
    said = [job.predicted.high_s for s in summary.strategies for job in s.jobs if job.predicted]
    scale = axis(0, max((time for values in (*times.values(), said) for time in values), default=1.0))
    groups = []
    for job_id in network.job_ids:
        found = [(s.strategy, job) for s in summary.strategies for job in s.jobs if job.job_id == job_id]
        bars = [
            _bar(cells[strategy], job.completion_time_s, job.predicted, times[strategy, job_id], scale, job.reduction)
            for strategy, job in found
        ]
        groups.append((job_id, tuple(bars)))
    return BarChart(scale, tuple(groups))


def summed_times(summary: NetworkComparison, network: Network) -> BarChart:
    """Sum of the completion times of all jobs under every strategy."""
    cells = {cell.strategy: cell for cell in network.cells}
    times = {cell.strategy: [summed_time_s(record) for record in cell.used] for cell in network.cells}
    said = [s.predicted.high_s for s in summary.strategies if s.predicted]
    scale = axis(0, max((time for values in (*times.values(), said) for time in values), default=1.0))
    bars = [
        _bar(cells[s.strategy], s.summed_time_s, s.predicted, times[s.strategy], scale, s.reduction)
        for s in summary.strategies
    ]
    return BarChart(scale, (("Sum of all jobs", tuple(bars)),))


def changes(comparison: Comparison, networks: Sequence[Network]) -> ChangesChart | None:
    """Change of the summed time against the baseline on every network; None when there is nothing to compare."""
    places = {cell.strategy: cell.index for network in networks for cell in network.cells}
    return changes_chart(
        [
            (network_name(network.blocking_factor), places[summary.strategy], summary)
            for network in comparison.networks
            for summary in network.strategies
        ]
    )


def changes_chart(rows: Sequence[tuple[str, int, StrategySummary]]) -> ChangesChart | None:
    """Changes in groups; of each the name of its group, the number of its strategy, and its figures."""
    shown = [(name, index, s, s.reduction) for name, index, s in rows if s.reduction is not None]
    if not shown:
        return None
    scale = change_axis([found for *_, found in shown])
    groups: dict[str, list[Change]] = {}
    for name, index, strategy, found in shown:
        low, high = (None if end is None else scale.percent(-100 * end) for end in (found.high, found.low))
        colour = strategy_variable(index)
        outcome = "doubtful" if strategy.reduction_doubtful else found.outcome
        text = estimate_text.reduction(found)
        change = Change(strategy.strategy, colour, scale.percent(-100 * found.estimate), low, high, text, outcome)
        groups.setdefault(name, []).append(change)
    return ChangesChart(scale, scale.percent(0), tuple((name, tuple(group)) for name, group in groups.items()))


def network_name(blocking_factor: float | None) -> str:
    """How a network is called in headings."""
    return "One network" if blocking_factor is None else f"Blocking factor {blocking_factor:g}"


def _bar(
    cell: Cell,
    spread: Spread,
    predicted: Predicted | None,
    times: Sequence[float],
    scale: Axis,
    change: Reduction | None,
) -> Bar:
    low, median, high = (scale.percent(value) for value in (spread.low, spread.median, spread.high))
    dots = tuple(scale.percent(time) for time in times) if len(times) > 1 else ()
    text, against = estimate_text.spread(spread, " s"), estimate_text.reduction(change) if change else ""
    twin, said = None, ""
    if predicted is not None:
        twin = scale.percent(predicted.low_s), scale.percent(predicted.mean_s), scale.percent(predicted.high_s)
        said = f"twin {estimate_text.predicted(predicted)}"
    return Bar(cell.strategy, strategy_variable(cell.index), median, low, high, dots, twin, said, text, against)
