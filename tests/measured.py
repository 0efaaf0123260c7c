"""Figures held against a tolerance: measured up to three times, told every time, and failing only if all three miss.

On a machine that others use, any single measurement can be spoilt. What is true or false is asserted beside it as ever,
and one failure of it is a failure.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

TRIALS = 3
AGAIN = "measured again: "
"""How the line of a test begins that needed more than one trial."""


@dataclass(frozen=True)
class Figure:
    """A measured value and between what it must lie."""

    name: str
    value: float
    at_least: float
    at_most: float

    @property
    def holds(self) -> bool:
        """Whether the value is within its bounds."""
        return self.at_least <= self.value <= self.at_most

    def __str__(self) -> str:
        bounds = [f"at least {self.at_least:.4g}"] if math.isfinite(self.at_least) else []
        bounds += [f"at most {self.at_most:.4g}"] if math.isfinite(self.at_most) else []
        return f"{self.name} {self.value:.4g} ({', '.join(bounds)})" + ("" if self.holds else " missed")


@dataclass
class Trial:
    """One measurement and its figures."""

    figures: list[Figure] = field(default_factory=list)

    def expect(self, name: str, value: float, at_least: float = -math.inf, at_most: float = math.inf) -> None:
        """Hold a figure against bounds."""
        assert math.isfinite(at_least) or math.isfinite(at_most), f"{name}: any value is within no bounds"
        self.figures.append(Figure(name, float(value), at_least, at_most))

    def expect_near(self, name: str, value: float, expected: float, relative: float) -> None:
        """Hold a figure against an expected value above 0, with a relative tolerance."""
        self.expect(name, value, expected * (1 - relative), expected * (1 + relative))

    @property
    def holds(self) -> bool:
        """Whether all figures are within their bounds."""
        return all(figure.holds for figure in self.figures)

    def __str__(self) -> str:
        return ", ".join(map(str, self.figures))


@dataclass
class Measurements:
    """The measurements of one test; `for trial in measured():` repeats one until it holds."""

    series: list[list[Trial]] = field(default_factory=list)

    def __call__(self) -> Iterator[Trial]:
        """Trials of one measurement: the loop's body measures and holds the figures against their bounds."""
        trials: list[Trial] = []
        self.series.append(trials)
        for _ in range(TRIALS):
            trials.append(Trial())
            yield trials[-1]
            assert trials[-1].figures, "the trial held no figure against anything"
            if trials[-1].holds:
                return
        pytest.fail(f"missed {TRIALS} times: " + "; ".join(map(str, trials)))

    def lines(self, test: str) -> list[str]:
        """A line for each measurement, with every figure of every trial."""
        return [
            (AGAIN if len(trials) > 1 else "") + f"{test}: " + "; ".join(map(str, trials))
            for trials in self.series
            if trials
        ]
