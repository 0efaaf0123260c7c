"""Loops over arrays, compiled by numba where it is installed: what it compiled is kept for the next start.

Plain Python runs the same functions with the same results.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

COMPILED = importlib.util.find_spec("numba") is not None

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The function, compiled; those that it calls stand before it."""
    if not COMPILED:
        return function
    import numba

    fast: Any = numba.njit(cache=True)(function)
    return fast  # type: ignore[no-any-return]
