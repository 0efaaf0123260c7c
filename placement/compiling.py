"""Functions compiled by numba, where it is installed: what it compiled is kept for the next start."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

COMPILED = importlib.util.find_spec("numba") is not None

F = TypeVar("F", bound=Callable[..., Any])


def folder_of(sources: Path, kept: str = "") -> str:
    """Where to keep what is compiled of the sources below a folder, below another one if there is one for such things.

    numba would take what it compiled before as long as the file of a function is the same, whatever has changed in
    those of the functions that it calls; so each state of all files has a folder of its own. So has each user,
    as numba leaves alone what it may not write.
    """
    content = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(sources.rglob("*.py")))).hexdigest()
    return str(Path(kept or sources / "__pycache__") / f"compiled-{content[:16]}-{os.getuid()}")


def compiler(sources: Path, **options: Any) -> Callable[[F], F]:
    """A decorator that compiles functions of the sources below a folder, with numba's options; those that a function
    calls stand before it. Without numba it leaves them as they are.
    """
    if not COMPILED:
        return lambda function: function
    import numba

    settings: Any = numba.config
    folder = folder_of(sources, settings.CACHE_DIR)

    def compiled(function: F) -> F:
        before, settings.CACHE_DIR = settings.CACHE_DIR, folder
        fast: Any = numba.njit(**options)(function)
        try:
            fast.enable_caching()
        except RuntimeError:  # nowhere to keep it: it is compiled anew with every start
            pass
        finally:
            settings.CACHE_DIR = before
        return fast  # type: ignore[no-any-return]

    return compiled
