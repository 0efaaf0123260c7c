"""Whose the results are: under sudo they belong to the user who called it, and nothing else changes hands."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from experiments.documents import nofollow
from experiments.documents.caller import caller

RATE_DIVISORS = ".rate-divisors.json"
"""Beside results folders: the rate divisors that have been found for networks on this machine."""


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, for the caller; a folder that is there stays whose it is."""
    owner = caller()

    def give(folder: int) -> None:
        if owner is not None:
            os.chown(".", *owner, dir_fd=folder, follow_symlinks=False)

    nofollow.make_folder(path, give)


def give_to_caller(path: Path, *beside: str) -> None:
    """Hand what root owns of a folder that was made under sudo, and some files beside it, to the caller.

    Links are not followed. A file that has a second name, which may lie anywhere, stays whose it is. Folders come after
    what is in them: until then nobody can put something else into its place.

    Raises:
        FileError: a part of the path has become a link.
    """
    owner = caller()
    if owner is None:
        return
    with nofollow.folder(path) as top:
        for _, _, names, folder in os.fwalk(".", topdown=False, dir_fd=top):
            for name in names:
                _give_file(name, folder, owner)
            if os.fstat(folder).st_uid == os.getuid():
                os.fchown(folder, *owner)
    with nofollow.folder(path.parent) as parent:
        for name in beside:
            _give_file(name, parent, owner)


def _give_file(name: str, folder: int, owner: tuple[int, int]) -> None:
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return  # a link, or gone
    try:
        found = os.fstat(file)
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1 and found.st_uid == os.getuid():
            os.fchown(file, *owner)
    finally:
        os.close(file)
