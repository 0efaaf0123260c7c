"""Draws of one item from several, each as likely."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


def pick(rng: np.random.Generator, items: Sequence[Item]) -> Item:
    """One of the items, each as likely."""
    return items[int(rng.random() * len(items))]


def pick_where(rng: np.random.Generator, items: Sequence[Item], suits: Callable[[Item], bool]) -> Item | None:
    """One of the items that suit, each as likely; None when none does."""
    for _ in range(8 if items else 0):  # mostly a draw suits at once; only else are all items looked through
        item = pick(rng, items)
        if suits(item):
            return item
    suitable = [item for item in items if suits(item)]
    return pick(rng, suitable) if suitable else None
