"""Profiles and schedules of one's own, in YAML files."""

from __future__ import annotations

import functools
import os
from dataclasses import replace
from pathlib import Path

from experiments.documents import yaml_document
from experiments.specification.schedule_file import Schedule
from workloads.profiles import Profile, load_profile
from workloads.schedule import Submission


def is_path(name: str) -> bool:
    """Whether a name of a profile, a schedule or the like is the path of a file."""
    return name.endswith((".yaml", ".yml"))


def profile(name_or_path: str) -> Profile:
    """The profile in a file, or the one of that name that comes with the testbed.

    Raises:
        ProfileError: there is no such profile.
        SpecificationError: the file cannot be read, or describes none.
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
    return yaml_document.parse(yaml_document.text_of(path), path.name).validated(Profile)


def schedule(path: Path) -> tuple[Submission, ...]:
    """The submissions that a file asks for (docs/workloads.md); paths of profiles in it start at its folder.

    Raises:
        ScheduleError: a job is submitted too late.
        SpecificationError: the file cannot be read, or is no schedule.
    """
    document = yaml_document.parse(yaml_document.text_of(path), path.name, listed="jobs")
    return tuple(
        replace(one, profile=os.path.normpath(path.parent / name)) if is_path(name := str(one.profile)) else one
        for one in document.validated(Schedule).submissions()
    )
