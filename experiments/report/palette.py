"""Colours that stay apart for colour-blind readers, on light and on dark paper."""

from __future__ import annotations

import functools
from typing import NamedTuple


class Tint(NamedTuple):
    """One colour for light paper and one for dark paper."""

    light: str
    dark: str


STRATEGIES = (
    Tint("#6b7280", "#a3adba"),
    Tint("#4181c3", "#2b8bb1"),
    Tint("#d35e4f", "#fa8e65"),
    Tint("#106519", "#777d23"),
    Tint("#681a43", "#e7b3fd"),
    Tint("#b47e13", "#caa119"),
    Tint("#393788", "#746cd3"),
)
"""Grey for the baseline and six more.

Found by search: at least 3:1 against either paper, and at least 20 apart (CIE 1976) to all readers, protanopes,
deuteranopes and tritanopes among them.
"""

DASHES = ((), (6, 4), (2, 3))
HATCHES = ("", "///", "...")
"""What tells strategies apart that share a colour, once there are more strategies than colours."""

JOBS = (
    Tint("#5e49b6", "#5468da"),
    Tint("#166140", "#4ca67b"),
    Tint("#928828", "#18f4fb"),
    Tint("#db4e80", "#f8965a"),
    Tint("#aa60aa", "#a15d89"),
    Tint("#7e2164", "#ca4746"),
    Tint("#4f4a03", "#adedcd"),
    Tint("#120016", "#9299cf"),
)
"""Found in the same way; where they are drawn, jobs are also named."""

HEAT = "cividis"
"""Colour map of utilisations: even in lightness, the same to all readers."""


def strategy_variable(index: int) -> str:
    """CSS variable that holds the colour of a strategy."""
    return f"var(--strategy-{index % len(STRATEGIES)})"


def strategy_colour(index: int) -> str:
    """Colour of a strategy on light paper."""
    return STRATEGIES[index % len(STRATEGIES)].light


def strategy_dashes(index: int) -> tuple[int, ...]:
    """Lengths of the dashes and gaps of a strategy's lines; none where they are solid."""
    return DASHES[index // len(STRATEGIES) % len(DASHES)]


def strategy_hatch(index: int) -> str:
    """Hatching of a strategy's bars, as Matplotlib has it."""
    return HATCHES[index // len(STRATEGIES) % len(HATCHES)]


def job_variable(index: int) -> str:
    """CSS variable that holds the colour of a job."""
    return f"var(--job-{index % len(JOBS)})"


def heat_colour(share: float) -> str:
    """Colour of a utilisation from 0 to 1."""
    colours = _heat()
    return colours[min(len(colours) - 1, int(max(0.0, share) * len(colours)))]


@functools.cache
def _heat() -> tuple[str, ...]:
    import matplotlib

    colours = matplotlib.colormaps[HEAT]
    parts = [colours(step) for step in range(colours.N)]
    return tuple(f"#{round(255 * r):02x}{round(255 * g):02x}{round(255 * b):02x}" for r, g, b, _ in parts)


def ink_on(colour: str) -> str:
    """Black or white, whichever stands out more on a colour (WCAG 2, at least 4.5:1 on any)."""
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in channels]
    luminance = sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return "#000000" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#ffffff"
