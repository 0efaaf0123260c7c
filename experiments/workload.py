"""The jobs of an experiment: the schedule that its specification names, or the list that it holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from experiments.specification import Specification, SubmissionSpec
from workloads import schedule
from workloads.profiles import load_profile
from workloads.schedule import Submission


def submissions(specification: Specification) -> tuple[Submission, ...]:
    """Which job is submitted when, in order of time.

    Raises:
        ScheduleError: there is no such schedule.
        ProfileError: there are shuffle factors, and no such profile as one of the jobs'.
        OSError: its file cannot be read.
    """
    factors = specification.workload.shuffle_factors
    planned = _planned(specification)
    return tuple(_with_factor(submission, factors) for submission in planned) if factors else planned


def _planned(specification: Specification) -> tuple[Submission, ...]:
    name = specification.workload.preset
    if name is None:
        return _listed(specification.workload.jobs)
    return schedule.load_schedule(name) if name.endswith((".yaml", ".yml")) else schedule.preset(name)


def _with_factor(submission: Submission, factors: Mapping[str, float]) -> Submission:
    """The submission with the shuffle factor of its profile, unless it has its own."""
    profile = load_profile(submission.profile).name
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
        given = {name: getattr(job, name) for name in ("input_bytes", "containers", "shuffle_factor")}
        overrides = {name: value for name, value in given.items() if value is not None}
        listed.append(Submission(job_id, job.profile, job.at_s, overrides))
    return tuple(sorted(listed, key=lambda submission: submission.at_s))
