"""The jobs of an experiment: the schedule that its specification names, or the list that it holds."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from experiments.specification import job_files, specification_file
from experiments.specification.job_files import is_path
from experiments.specification.jobs import SubmissionSpec
from experiments.specification.model import Specification
from workloads import schedule
from workloads.profiles import profile_names
from workloads.schedule import Submission


def submissions(specification: Specification) -> tuple[Submission, ...]:
    """Which job is submitted when, in order of time.

    Raises:
        ScheduleError: there is no such schedule.
        ProfileError: there is no such profile as one of the jobs'.
        SpecificationError: a file cannot be read.
    """
    factors = specification.workload.shuffle_factors
    own = specification.workload.profiles
    found = tuple(
        replace(one, profile=own.get(name := str(one.profile)) or job_files.profile(name))
        for one in planned(specification)
    )
    return tuple(_with_factor(submission, factors) for submission in found) if factors else found


def self_contained(specification: Specification) -> Specification:
    """The specification with the content of the schedule and the profiles that it names by path: it is the same when
    their files are gone. Its folder stays where strategies of one's own need it.

    Raises:
        ScheduleError, ProfileError: they cannot be followed.
        SpecificationError: the schedule has a job that a specification cannot have, or a file cannot be read.
    """
    if specification.folder is not None and not any(":" in strategy.name for strategy in specification.strategies):
        return _with_files(specification).model_copy(update={"folder": None})
    return _with_files(specification)


def _with_files(specification: Specification) -> Specification:
    named = planned(specification)
    paths = list(dict.fromkeys(path for one in named if is_path(path := str(one.profile))))
    if not paths and not is_path(specification.workload.preset or ""):
        return specification
    taken, names = {*profile_names(), *specification.workload.profiles}, {}
    for path in paths:
        candidates = (Path(path).stem + (f"-{number}" if number > 1 else "") for number in itertools.count(1))
        names[path] = next(name for name in candidates if name not in taken)
        taken.add(names[path])
    read = {names[path]: job_files.profile(path).document() for path in paths}
    document = specification.model_dump(mode="json")
    document["workload"] |= {
        "preset": None,
        "profiles": document["workload"]["profiles"] | read,
        "jobs": [
            {"profile": names.get(str(one.profile), one.profile), "job_id": one.job_id, "at_s": one.at_s}
            | {"reads": dict(one.reads)}
            | dict(one.overrides)
            for one in named
        ],
    }
    return specification_file.parse(document)


def planned(specification: Specification) -> tuple[Submission, ...]:
    """Which job is submitted when, with its profile by name and without the factors that are given by profile.

    Paths start at the specification's folder, or at the current one when it has none.

    Raises:
        ScheduleError: there is no such schedule.
        SpecificationError: its file cannot be read.
    """
    name, folder = specification.workload.preset, Path(specification.folder or "")
    if name is not None:
        return job_files.schedule(folder / name) if is_path(name) else schedule.preset(name)
    listed = _listed(specification.workload.jobs)
    return tuple(
        replace(one, profile=os.path.normpath(folder / str(one.profile))) if is_path(str(one.profile)) else one
        for one in listed
    )


def _with_factor(submission: Submission, factors: Mapping[str, float]) -> Submission:
    """The submission with the shuffle factor of its profile, unless it has its own."""
    profile = submission.loaded.name
    if profile not in factors or "shuffle_factor" in submission.overrides:
        return submission
    return replace(submission, overrides={**submission.overrides, "shuffle_factor": factors[profile]})


def _listed(jobs: tuple[SubmissionSpec, ...]) -> tuple[Submission, ...]:
    """The jobs of an inline workload; those without an id get their profile's name and how many of it there are."""
    taken = {job.job_id for job in jobs}
    counts: dict[str, int] = {}
    listed: list[Submission] = []
    for job in jobs:
        job_id, stem = job.job_id, Path(job.profile).stem
        while job_id is None or (job.job_id is None and job_id in taken):
            counts[stem] = counts.get(stem, 0) + 1
            job_id = f"{stem}-{counts[stem]}"
        listed.append(Submission(job_id, job.profile, job.at_s, job.overrides, job.reads))
    return tuple(sorted(listed, key=lambda submission: submission.at_s))
