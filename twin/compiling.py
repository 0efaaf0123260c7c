"""Loops over arrays, compiled by numba where it is installed: what it compiled is kept for the next start.

Plain Python runs the same functions with the same results.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, get_type_hints

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

COMPILED = importlib.util.find_spec("numba") is not None

F = TypeVar("F", bound=Callable[..., Any])
E = TypeVar("E", bound=NamedTuple)

_TYPES = {Floats: np.float64, Ints: np.int64, Bools: np.bool_}


def compiled(function: F) -> F:
    """The function, compiled; those that it calls stand before it."""
    if not COMPILED:
        return function
    import numba

    fast: Any = numba.njit(cache=True)(function)
    return fast  # type: ignore[no-any-return]


def entries(kind: type[E], size: int) -> E:
    """Arrays of so many zeros for the fields of a class, which are arrays; they lie in one array of records."""
    types = get_type_hints(kind)
    records = np.zeros(size, np.dtype([(name, _TYPES[types[name]]) for name in kind._fields], align=True))
    fields: Any = [records[name] for name in kind._fields]
    return kind._make(fields)


def more_entries(these: E, size: int) -> E:
    """The same entries and zeros behind them, so many together."""
    more = entries(type(these), size)
    for old, new in zip(these, more, strict=True):
        new[: len(old)] = old
    return more


def as_records(these: E) -> E:
    """The same entries for a compiled loop, which takes one array of records in less time than several arrays."""
    if not COMPILED:
        return these
    records: Any = these[0].base.view(np.recarray)
    return records  # type: ignore[no-any-return]
