"""What a network can carry at most when its flows share it fairly."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

LinkKey = TypeVar("LinkKey", bound=Hashable)


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
    links = list(dict.fromkeys(link for path in paths for link in path))
    for flow, path in enumerate(paths):
        if not path:
            raise ValueError(f"paths[{flow}]: empty; a flow within one node has no rate to compute")
    position = {link: row for row, link in enumerate(links)}
    crosses = np.zeros((len(links), len(paths)), dtype=bool)
    for flow, path in enumerate(paths):
        crosses[[position[link] for link in path], flow] = True
    free = np.array([capacities[link] for link in links], dtype=np.float64)
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
