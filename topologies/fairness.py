"""What a network can carry at most when its flows share it fairly."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

LinkKey = TypeVar("LinkKey", bound=Hashable)

_ROUNDS = 5000


def max_min_rates(paths: Sequence[Sequence[LinkKey]], capacities: Mapping[LinkKey, float]) -> npt.NDArray[np.float64]:
    """Max-min fair rates by progressive filling (Bertsekas and Gallager, Data Networks, 6.5.2).

    All flows grow at one speed; when a link is full, its flows stop growing. Links carry nothing but these flows.

    Args:
        paths: for every flow the directed links that it crosses, at least one.
        capacities: of every link, in any unit.

    Returns:
        Rate of every flow, in the unit of the capacities, shape (flows,).

    Raises:
        ValueError: a flow crosses no link.
        KeyError: a link without a capacity.
    """
    crosses, free = _crossings(paths, capacities)
    rates = np.zeros(len(paths))
    growing = np.ones(len(paths), dtype=bool)
    while growing.any():
        count = (crosses & growing).sum(axis=1)
        step = np.min(free[count > 0] / count[count > 0])
        rates[growing] += step
        free -= step * count
        full = (count > 0) & (free <= 1e-9 * np.maximum(1.0, rates.max()))
        growing &= ~crosses[full].any(axis=0)
    return rates


def alpha_fair_rates(
    paths: Sequence[Sequence[LinkKey]], capacities: Mapping[LinkKey, float], alpha: float = 2.0
) -> npt.NDArray[np.float64]:
    """Rates that maximise the sum of `x^(1 - alpha) / (1 - alpha)` (Mo and Walrand, IEEE/ACM ToN 8(5), 2000).

    With `alpha` 2 they are those of TCP whose rate goes with the loss rate to the power of -1/2, as Reno's does and
    CUBIC's in its Reno-friendly region (RFC 9438, 4.3), if round trips are alike: connections that cross several full
    links get less than their max-min fair rate, and all together carry more.

    Args:
        paths: for every flow the directed links that it crosses, at least one.
        capacities: of every link, in any unit.
        alpha: at least 1.

    Returns:
        Rate of every flow, in the unit of the capacities, shape (flows,).

    Raises:
        ValueError: a flow crosses no link.
        KeyError: a link without a capacity.
    """
    crosses, capacity = _crossings(paths, capacities)
    if not paths:
        return np.zeros(0)
    prices = capacity**-alpha
    for _ in range(_ROUNDS):
        rates = (prices @ crosses) ** (-1 / alpha)
        load = crosses @ rates / capacity
        prices = prices * load  # rises where a link is over-full, and vanishes where it is not filled
    return rates / max(1.0, float(load.max()))


def _crossings(
    paths: Sequence[Sequence[LinkKey]], capacities: Mapping[LinkKey, float]
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Which flow crosses which link, shape (links, flows), and the capacities of these links."""
    links = list(dict.fromkeys(link for path in paths for link in path))
    for flow, path in enumerate(paths):
        if not path:
            raise ValueError(f"paths[{flow}]: empty; a flow within one node has no rate to compute")
    position = {link: row for row, link in enumerate(links)}
    crosses = np.zeros((len(links), len(paths)), dtype=bool)
    for flow, path in enumerate(paths):
        crosses[[position[link] for link in path], flow] = True
    return crosses, np.array([capacities[link] for link in links], dtype=np.float64)
