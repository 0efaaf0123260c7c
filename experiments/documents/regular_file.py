"""Files that others may have written, read whole and within limits."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from experiments.errors import ExperimentError

MOST_BYTES = 256 * 2**20
"""More than any file that is read whole."""


class FileError(ExperimentError, ValueError):
    """A file that cannot be read; the message names it and the remedy."""


def read_bytes(path: Path) -> bytes:
    """The content of a regular file.

    Raises:
        FileError: it is missing, no regular file (a pipe would be waited for), or too long.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise FileError(f"{path}: not a regular file; give a file")
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({error.strerror}); give a file that is there") from error
    if len(content) > MOST_BYTES:
        raise FileError(f"{path}: longer than {MOST_BYTES // 2**20} MiB; this is no file of the testbed's")
    return content


def read_text(path: Path) -> str:
    """The text in a regular file.

    Raises:
        FileError: see `read_bytes`, or it is not UTF-8.
    """
    try:
        return read_bytes(path).decode("utf-8")
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: byte {error.start} is not UTF-8; save it as UTF-8") from error
