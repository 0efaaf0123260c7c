"""Loops over arrays, compiled by numba where it is installed: what it compiled is kept for the next start.

Plain Python runs the same functions with the same results.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
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


def folder_of(sources: Path, kept: str = "") -> str:
    """Where to keep what is compiled of the sources in a folder, below another one if there is one for such things.

    numba would take what it compiled before as long as the file of a function is the same, whatever has changed in
    those of the functions that it calls; so each state of all files has a folder of its own. So has each user,
    as numba leaves alone what it may not write.
    """
    content = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(sources.glob("*.py")))).hexdigest()
    return str(Path(kept or sources / "__pycache__") / f"compiled-{content[:16]}-{os.getuid()}")


if COMPILED:
    import numba

    settings: Any = numba.config
    settings.CACHE_DIR = folder_of(Path(__file__).parent, settings.CACHE_DIR)


def compiled(function: F) -> F:
    """The function, compiled; those that it calls stand before it."""
    if not COMPILED:
        return function
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
