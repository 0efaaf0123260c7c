"""When blocks come: at fixed intervals, or at random as proof of work finds them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Literal

import numpy as np

Intervals = Literal["fixed", "exponential"]


def block_times(mean_s: float, intervals: Intervals, rng: np.random.Generator, start_s: float = 0.0) -> Iterator[float]:
    """Times of blocks without end, seconds.

    Args:
        mean_s: between blocks.
        intervals: fixed, or exponential: whether a block comes does not depend on how long ago the last one did.
        rng: of exponential intervals.
        start_s: after which the first one comes.
    """
    gaps = (float(rng.exponential(mean_s)) if intervals == "exponential" else mean_s for _ in itertools.count())
    return itertools.islice(itertools.accumulate(gaps, initial=start_s), 1, None)


def expected_confirmation_s(mean_s: float, confirmations: int) -> float:
    """How long a transaction takes to be confirmed, by the thesis's equation 7.1: `ct = bt c + bt / 2`."""
    return mean_s * confirmations + mean_s / 2
