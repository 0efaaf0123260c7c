"""Who started the testbed, and whether anybody else could change a file that it is about to trust."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from pathlib import Path

_ACCESS_LIST = "system.posix_acl_access"


def caller() -> tuple[int, int] | None:
    """User and group who called sudo; None without it."""
    user, group = os.environ.get("SUDO_UID", ""), os.environ.get("SUDO_GID", "")
    if os.geteuid() != 0 or not (user.isdecimal() and group.isdecimal()):
        return None
    return int(user), int(group)


def others_access(path: Path) -> str | None:
    """Why somebody else than root and the caller could change what is read from a file, and the remedy; None when
    nobody could.

    The file counts, every folder on the way to it, links, and where they lead. In a folder with the sticky bit, such as
    /tmp, others can add files but not replace those that are not theirs.
    """
    trusted = {0, os.geteuid(), *(caller() or ())[:1]}
    return next(filter(None, (_writer(each, trusted) for each in dict.fromkeys(_way_to(path.absolute())))), None)


def code_for_all(root: Path) -> str | None:
    """Why others than their owners could change the packages in a folder, and the remedy; None when nobody could.

    Whose they are does not count, nor what is above them: whoever starts a program trusts those who own it.
    """
    packages = (package.parent for package in sorted(root.glob("*/__init__.py")))
    modules = (path for package in packages for path in (package, *package.rglob("*")))
    for path in (root, *(path for path in modules if path.suffix == ".py" or path.is_dir())):
        with contextlib.suppress(FileNotFoundError):
            found = path.stat()
            if opened := _opened(path, found, {0, os.geteuid(), found.st_uid}):
                return f"{opened[1]}; `chmod -R {opened[0]}-w {root}`"
    return None


def _way_to(path: Path) -> Iterator[Path]:
    """What has to stay as it is for a path to lead to the same file."""
    for each in (path, *path.parents):
        yield each
        if each.is_symlink():
            yield from _way_to(each.parent / each.readlink())


def _writer(path: Path, trusted: set[int]) -> str | None:
    found = path.stat()
    copy = "copy it to where nobody but you can write"
    for owner in (path.lstat().st_uid, found.st_uid):
        if owner not in trusted:
            return f"{path} belongs to {_user(owner)}; {copy}"
    if opened := _opened(path, found, trusted):
        return f"{opened[1]}; `chmod {opened[0]}-w {path}`, or {copy}"
    return None


def _opened(path: Path, found: os.stat_result, trusted: set[int]) -> tuple[str, str] | None:
    """To whom else a file, or the files in a folder, are given to write: as `chmod` names them, and in words."""
    if stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_ISVTX:
        return None
    if found.st_mode & stat.S_IWOTH:
        return "o", f"everybody can write {path}"
    if found.st_mode & stat.S_IWGRP and (_has_access_list(path) or not set(_members(found.st_gid)) <= trusted):
        return "g", f"others of group {_group(found.st_gid)} can write {path}"
    return None


def _members(group: int) -> Iterator[int]:
    """Users of a group; one that nobody knows may have any."""
    try:
        names = grp.getgrgid(group).gr_mem
    except KeyError:
        yield -1
        return
    yield from (user.pw_uid for user in pwd.getpwall() if user.pw_gid == group or user.pw_name in names)


def _has_access_list(path: Path) -> bool:
    with contextlib.suppress(OSError):  # a file system without them
        return _ACCESS_LIST in os.listxattr(path)
    return False


def _user(number: int) -> str:
    try:
        return f"user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"user {number}"


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
