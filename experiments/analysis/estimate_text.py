"""Estimates as people read them: a median with its spread, a change with its interval."""

from __future__ import annotations

from experiments.analysis.estimates import Reduction, Spread
from experiments.documents import numerals


def share_of(value: Spread | None) -> str:
    """The median of a share, or a dash where there is none."""
    return numerals.share(value.median) if value else "-"


def spread(value: Spread | None, unit: str = "") -> str:
    """A median, with its spread in brackets when it has one."""
    if value is None:
        return "-"
    text = f"{numerals.number(value.median)}{unit}"
    return text if value.count == 1 else f"{text} ({numerals.number(value.low)}..{numerals.number(value.high)})"


def reduction(value: Reduction | None) -> str:
    """A change in per cent of the baseline, less with a minus, and its interval in brackets."""
    if value is None:
        return "-"
    text = f"{_change(value.estimate)} %"
    if value.low is None or value.high is None:
        return text
    return f"{text} ({_change(value.high)}..{_change(value.low)})"


def _change(reduced: float) -> str:
    change = -100 * reduced
    text = f"{abs(change):.1f}"
    return text if not float(text) else f"{numerals.MINUS if change < 0 else '+'}{text}"
