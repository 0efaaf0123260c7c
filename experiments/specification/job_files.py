"""Profiles and schedules of one's own, in YAML files."""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from pathlib import Path

from experiments.documents import yaml_document
from workloads.profiles import Profile, load_profile, parse_profile
from workloads.schedule import Submission, parse_schedule


def is_path(name: str) -> bool:
    """Whether a name of a profile, a schedule or the like is the path of a file."""
    return name.endswith((".yaml", ".yml"))


def profile(name_or_path: str) -> Profile:
    """The profile in a file, or the one of that name that comes with the testbed.

    Raises:
        ProfileError: there is no such profile, or the file describes none.
        SpecificationError: the file cannot be read, or is not YAML.
    """
    if not is_path(name_or_path):
        return load_profile(name_or_path)
    path = Path(name_or_path)
    try:
        found = path.stat()
    except OSError:
        return _profile(path, 0, 0)  # which says what is wrong with it
    return _profile(path, found.st_mtime_ns, found.st_size)


@functools.lru_cache(maxsize=1024)
def _profile(path: Path, _changed_ns: int, _size_bytes: int) -> Profile:
    """The profile in a file, which many jobs share, read once as long as it stays as it is."""
    return parse_profile(yaml_document.content(path), path.name)


def schedule(path: Path) -> tuple[Submission, ...]:
    """The submissions that a file asks for (docs/workloads.md); paths of profiles in it start at its folder.

    Raises:
        ScheduleError: see `parse_schedule`.
        SpecificationError: the file cannot be read, or is not YAML.
    """
    return tuple(
        replace(one, profile=os.path.normpath(path.parent / name)) if is_path(name := str(one.profile)) else one
        for one in parse_schedule(yaml_document.content(path))
    )
