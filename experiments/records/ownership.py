"""Whose the results are: under sudo they belong to the user who called it, and nothing else changes hands."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from experiments.documents.caller import caller


def make_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, for the caller; a folder that is there stays whose it is."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    owner = caller()
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        if owner is not None:
            os.chown(folder, *owner, follow_symlinks=False)


def give_to_caller(path: Path, *beside: str) -> None:
    """Hand a folder that was made under sudo, all that lies in it, and some files beside it to the caller.

    Symbolic links are not followed. A file that has a second name, which may lie anywhere, stays whose it is.
    """
    owner = caller()
    if owner is None:
        return
    for _, _, names, folder in os.fwalk(path):
        os.fchown(folder, *owner)
        for name in names:
            _give_file(name, folder, owner)
    parent = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for name in beside:
            _give_file(name, parent, owner)
    finally:
        os.close(parent)


def _give_file(name: str, folder: int, owner: tuple[int, int]) -> None:
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return  # a link, or gone
    try:
        found = os.fstat(file)
        if stat.S_ISREG(found.st_mode) and found.st_nlink == 1:
            os.fchown(file, *owner)
    finally:
        os.close(file)
