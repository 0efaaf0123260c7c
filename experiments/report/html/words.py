"""What the result is, in sentences."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.analysis.comparison import Comparison, NetworkComparison, StrategySummary
from experiments.documents import numerals
from experiments.report.html.scales import Axis


def headlines(comparison: Comparison) -> tuple[tuple[str, str], ...]:
    """One sentence for every strategy on every network, with the certainty that the runs allow, and its strategy."""
    return tuple(
        (_sentence(network, summary), summary.strategy)
        for network in comparison.networks
        for summary in network.strategies
        if summary.reduction is not None
    )


@dataclass(frozen=True)
class FailureMark:
    """A failure that the specification asked for: what it was, and where it begins and ends in per cent of an axis."""

    title: str
    marks: tuple[float, ...]


def failure_marks(failures: Iterable[Mapping[str, Any]], axis: Axis) -> tuple[FailureMark, ...]:
    """The failures of a record's specification on a time axis."""
    marks = []
    for failure in failures:
        times = [failure["at_s"]]
        title = f"{failure['link'] or failure['host']} down at {numerals.seconds(times[0])}"
        if failure["restore_after_s"] is not None:
            times.append(times[0] + failure["restore_after_s"])
            title += f", back at {numerals.seconds(times[1])}"
        marks.append(FailureMark(title, tuple(axis.percent(time) for time in times if time <= axis.high)))
    return tuple(marks)


def _sentence(network: NetworkComparison, summary: StrategySummary) -> str:
    found = summary.reduction
    assert found is not None
    where = "" if network.blocking_factor is None else f" at blocking factor {network.blocking_factor:g}"
    size = f"{abs(100 * found.estimate):.1f} % {'less' if found.estimate >= 0 else 'more'} summed job time"
    who = f"{summary.strategy} took {size} than {network.baseline}{where}"
    if found.low is None or found.high is None:
        claim = f"{who} in a single repeat, which cannot tell a difference from chance."
    elif found.outcome == "no difference shown":
        claim = f"{who}, which shows no difference: the 95 % interval {_interval(found.low, found.high)} includes 0."
    else:
        claim = f"{who} (95 % interval {_interval(found.low, found.high)}, {found.pairs} paired repeats)."
    if not summary.reduction_doubtful:
        return claim
    return f"{claim} {'Its' if summary.doubtful else f'The {network.baseline}'} runs are doubtful."


def _interval(low: float, high: float) -> str:
    ends = [f"{100 * -end:+.1f}".replace("-", numerals.MINUS) for end in (high, low)]
    return f"{ends[0]} to {ends[1]} %"
