"""Colours that stay apart for colour-blind readers, on light and on dark paper."""

from __future__ import annotations

from typing import NamedTuple


class Tint(NamedTuple):
    """One colour for light paper and one for dark paper."""

    light: str
    dark: str


STRATEGIES = (
    Tint("#6b7280", "#a3adba"),
    Tint("#0072b2", "#56b4e9"),
    Tint("#d55e00", "#f08a4b"),
    Tint("#009e73", "#2fc79a"),
    Tint("#b0568a", "#dd9bbf"),
    Tint("#a87400", "#e6b23c"),
    Tint("#3b4a9f", "#93a0f0"),
)
"""Grey for the baseline, then the colours of Okabe and Ito, adjusted to a contrast of 3:1 on either paper."""

JOBS = (
    *("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee"),
    *("#aa3377", "#bbbbbb", "#ee7733", "#44aa99", "#999933"),
)
"""Paul Tol's bright scheme and three more; jobs are also named where they are drawn."""

HEAT = "cividis"
"""Colour map of utilisations: even in lightness, the same to all readers."""


def strategy_variable(place: int) -> str:
    """CSS variable that holds the colour of a strategy."""
    return f"var(--strategy-{place % len(STRATEGIES)})"


def job_colour(place: int) -> str:
    """Colour of a job."""
    return JOBS[place % len(JOBS)]


def heat_colour(share: float) -> str:
    """Colour of a utilisation from 0 to 1."""
    import matplotlib

    red, green, blue, _ = matplotlib.colormaps[HEAT](min(1.0, max(0.0, share)))
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


def ink_on(colour: str) -> str:
    """Black or white, whichever stands out more on a colour (WCAG 2, at least 4.5:1 on any)."""
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    luminance = sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return "#000000" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#ffffff"
