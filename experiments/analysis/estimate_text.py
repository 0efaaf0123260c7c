"""Estimates as people read them: a median with its spread, a change with its interval."""

from __future__ import annotations

from experiments.analysis.estimates import Reduction, Spread
from experiments.analysis.predictions import FarOff, Predicted
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


def figure_range(value: tuple[float | None, float, float | None] | None) -> str:
    """A median, with the least and the most in brackets where they are known and differ."""
    if value is None:
        return "-"
    low, median, high = value
    if low is None or high is None or low == high:
        return numerals.figure(median)
    return f"{numerals.figure(median)} ({numerals.figure(low)}..{numerals.figure(high)})"


def predicted(value: Predicted | None, unit: str = "") -> str:
    """What the twin says of a time: its mean, and its interval in brackets."""
    if value is None:
        return "-"
    return f"{numerals.number(value.mean_s)}{unit} ({numerals.number(value.low_s)}..{numerals.number(value.high_s)})"


def predicted_briefly(value: Predicted | None) -> str:
    """The same, with half of the interval's width as a share of the mean."""
    if value is None:
        return "-"
    return f"{numerals.number(value.mean_s)} ±{numerals.share((value.high_s - value.low_s) / 2 / value.mean_s)}"


def far_off(found: FarOff) -> str:
    """A job that took much longer or less than the twin says, and where that comes from."""
    direction = "more" if found.deviation > 0 else "less"
    text = (
        f"{found.run_id}: {found.job_id} took {numerals.seconds(found.time_s)}, {abs(found.deviation):.1f} standard "
        f"deviations {direction} than the twin's {numerals.seconds(found.predicted_s)}"
    )
    if found.stage is None:
        return text
    text += f"; its stage {found.stage} took {numerals.seconds(abs(found.stage_longer_s))} {direction}"
    uses = [
        f"{link.link} {link.direction} was used by {numerals.share(link.utilisation)}, not "
        f"{numerals.share(link.predicted_utilisation)}" + (f" ({link.drops} drops)" if link.drops else "")
        for link in found.links
    ]
    return "; ".join([text, *uses])


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
