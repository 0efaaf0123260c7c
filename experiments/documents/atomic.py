"""Files that appear complete or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from experiments.documents import nofollow


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes its place at `path` when the block ends, and never when it raises.

    Survives a crash of the machine: content and folder entry are synchronised to disk.

    Raises:
        FileError: a part of the path is a link.
        OSError: it cannot be written.
    """
    temporary = f".{path.name}.{secrets.token_hex(4)}"
    with nofollow.folder(path.parent) as folder:
        handle = nofollow.open_in(folder, temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, path, mode=0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(handle)
                os.fchmod(handle, 0o644)
            os.replace(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            raise
        os.fsync(folder)


def write_text(path: Path, text: str) -> None:
    """Write a whole text file, atomically; what UTF-8 cannot hold, such as odd names of files, is escaped."""
    with atomic_file(path) as file:
        file.write(text.encode(errors="backslashreplace"))
