"""Files and folders of results, reached without following links.

Root writes into folders of whoever called sudo, who may put a link into them at any time. Links on the way to what a
user names are therefore followed once (`followed`); from then on every part of a path is opened in the folder before it
(openat(2) with O_NOFOLLOW), and a part that is a link is an error.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from experiments.errors import ExperimentError

MOST_BYTES = 256 * 2**20
"""Of a file that is read whole."""
_ON_THE_WAY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY  # not every system has the first


class FileError(ExperimentError):
    """A file that is not of the kind that it has to be; the message names it and the remedy."""


def followed(path: str | Path) -> Path:
    """What a path leads to; the path itself when there is no link on it.

    A link that leads nowhere stays one, and is refused when it is used.
    """
    path = Path(path)
    there = next((folder for folder in (path, *path.parents) if os.path.exists(folder)), Path())  # noqa: PTH110 - never raises
    real = there.resolve() / path.relative_to(there)
    return path if str(real) == os.path.abspath(path) else real  # noqa: PTH100 - does not follow links


@contextlib.contextmanager
def folder(path: Path) -> Iterator[int]:
    """The descriptor of a folder, for `dir_fd` and the like.

    Raises:
        FileError: a part of the path is a link.
        OSError: a part is missing or may not be entered.
    """
    way = _walk(path, None)
    try:
        descriptor = open_in(way, ".", os.O_RDONLY | os.O_DIRECTORY, path)
    finally:
        os.close(way)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def make_folder(path: Path, made: Callable[[int], None] = lambda _: None) -> None:
    """Make a folder and those above it that are missing; `made` takes the descriptor of each that was.

    Raises:
        FileError: a part of the path is a link.
        OSError: a part cannot be made or may not be entered.
    """
    os.close(_walk(path, made))


def make_new_folder(path: Path) -> None:
    """Make a folder that must not be there.

    Raises:
        FileExistsError: it is.
        FileError, OSError: as from `folder`, or it cannot be made.
    """
    with folder(path.parent) as parent:
        _make(path, parent)


def open_in(folder: int, name: str, flags: int, path: Path, mode: int = 0o644) -> int:
    """The descriptor of a file in an open folder; `path` names it in errors.

    Raises:
        FileError: it is a link.
        OSError: it cannot be opened.
    """
    try:
        return os.open(name, flags | os.O_NOFOLLOW, mode, dir_fd=folder)
    except OSError as error:
        if _is_link(name, folder):
            remedy = "give what it leads to, or put that into its place"
            raise FileError(f"{path}: a symbolic link, and results are not reached through one; {remedy}") from None
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextlib.contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """A file to read.

    Raises:
        FileError: it, or a part of its path, is a link, or it is a pipe or a device.
        OSError: it cannot be opened.
    """
    with folder(path.parent) as parent:
        descriptor = open_in(parent, path.name, os.O_RDONLY | os.O_NONBLOCK, path)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise FileError(f"{path}: no regular file; put one into its place")
    with os.fdopen(descriptor, "rb") as file:
        yield file


def read_bytes(path: Path) -> bytes:
    """The content of a file; see `reading`.

    Raises:
        FileError: it is longer than `MOST_BYTES`, too.
    """
    with reading(path) as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise FileError(f"{path}: longer than {MOST_BYTES // 2**20} MiB; the testbed writes none of this size")
    return content


def read_text(path: Path) -> str:
    """The text in a file; see `read_bytes`.

    Raises:
        FileError: it is not UTF-8, too.
    """
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as error:
        raise FileError(f"{path}: not a text in UTF-8 ({error.reason}); give it as it was written") from error


@contextlib.contextmanager
def appending(path: Path) -> Iterator[BinaryIO]:
    """A file to write at the end of, which is made when it is not there.

    Raises:
        FileError: it, or a part of its path, is a link, it has a second name, or it is a pipe or a device.
        OSError: it cannot be opened.
    """
    with folder(path.parent) as parent:
        descriptor = open_in(parent, path.name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, path)
    with os.fdopen(descriptor, "ab") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise FileError(f"{path}: no regular file, or one with a second name; remove it")
        yield file


def _walk(path: Path, made: Callable[[int], None] | None) -> int:
    """The descriptor of a folder, to go on from; missing ones are made if there is something to give them to."""
    descriptor = os.open("/" if path.is_absolute() else ".", _ON_THE_WAY)
    for place in reversed([path, *path.parents][:-1]):
        try:
            below = _enter(place, descriptor, made)
        finally:
            os.close(descriptor)
        descriptor = below
    return descriptor


def _enter(place: Path, parent: int, made: Callable[[int], None] | None) -> int:
    """The descriptor of a folder that lies in an open one."""
    try:
        return open_in(parent, place.name, _ON_THE_WAY, place)
    except FileNotFoundError:
        if made is None:
            raise
    with contextlib.suppress(FileExistsError):  # another process made it meanwhile
        _make(place, parent)
    descriptor = open_in(parent, place.name, _ON_THE_WAY, place)
    made(descriptor)
    return descriptor


def _make(place: Path, parent: int) -> None:
    try:
        os.mkdir(place.name, dir_fd=parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(place)) from error


def _is_link(name: str, folder: int) -> bool:
    try:
        return stat.S_ISLNK(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except (OSError, ValueError):
        return False
