"""Loops over arrays, compiled by numba where it is installed: what it compiled is kept for the next start.

Plain Python runs the same functions with the same results.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_type_hints

import numpy as np
import numpy.typing as npt

from placement.compiling import COMPILED, compiler

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

E = TypeVar("E", bound=NamedTuple)

_TYPES = {Floats: np.float64, Ints: np.int64, Bools: np.bool_}


if COMPILED:
    import numba
    from numba.core import cgutils
    from numba.extending import intrinsic

    _numba: Any = numba
    carray = _numba.carray

    def _pointer(typing_context: Any, address: Any) -> Any:  # noqa: ANN401 - as numba has them
        def make(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:  # noqa: ANN401
            return builder.inttoptr(arguments[0], cgutils.voidptr_t)

        return numba.types.voidptr(numba.types.int64), make

    pointer: Any = intrinsic(_pointer)


compiled = compiler(Path(__file__).parent)
"""Decorates loops, with those that they call before them."""


def record_type(kind: type[NamedTuple]) -> np.dtype[Any]:
    """Of an entry with the fields of a class, which are arrays."""
    types = get_type_hints(kind)
    return np.dtype([(name, _TYPES[types[name]]) for name in kind._fields], align=True)


def entries(kind: type[E], size: int) -> E:
    """Arrays of so many zeros for the fields of a class, which are arrays; they lie in one array of records."""
    records = np.zeros(size, record_type(kind))
    fields: Any = [records[name] for name in kind._fields]
    return kind._make(fields)


def more_entries(these: E, size: int) -> E:
    """The same entries and zeros behind them, so many together."""
    more = entries(type(these), size)
    for old, new in zip(these, more, strict=True):
        new[: len(old)] = old
    return more


def addresses(parts: Iterable[Any]) -> Ints:
    """Where arrays and entries lie in memory, and their shapes, for `carray`: shape (parts, 3).

    A compiled loop takes one array of numbers in a tenth of the time that it takes many arrays in.
    """
    table = []
    for part in parts:
        array: Any = part if isinstance(part, np.ndarray) else part[0].base
        table.append((array.ctypes.data, *array.shape, 1)[:3])
    return np.array(table)
