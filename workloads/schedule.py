"""When which job is submitted, and the schedules of the thesis."""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from workloads.errors import WorkloadError
from workloads.job import Job, JobError, Result
from workloads.profiles import Profile, load_profile

INTERVAL_S = 10.0
"""Modelled seconds between submissions in the thesis (6.4.2)."""

_KINDS = {"kmeans": "kmeans", "cc": "connected-components", "q3": "tpch-q3", "q10": "tpch-q10"}
_MIXED = {
    "mixed-high": ("kmeans", "connected-components", "tpch-q3", "tpch-q10", "tpch-q10"),
    "mixed-mid": ("kmeans", "connected-components", "tpch-q3"),
}
_SAME = {"high": 5, "mid": 3}
MOST_JOBS = 10_000
LATEST_S = 10_000_000.0
"""Modelled seconds, some 115 days, after which nothing is scheduled."""
OVERRIDES = ("input_bytes", "containers", "shuffle_factor")
"""What a job may have instead of its profile's."""
_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")


class ScheduleError(WorkloadError, ValueError):
    """A schedule that cannot be followed; the message names the field, the value and the remedy."""


@dataclass(frozen=True)
class Submission:
    """One job at one time.

    Attributes:
        job_id: Unique in the schedule; letters, digits, dots, dashes and underscores.
        profile: Name of a profile that comes with the testbed, or the profile itself.
        at_s: Modelled seconds since the start of the schedule.
        overrides: `input_bytes` and `containers`, instead of the profile's, and `shuffle_factor` on its volumes.
        reads: Results of jobs before it that it reads instead of files of its own: `JOB`, or `JOB/STAGE`, by the name
            of the file in its profile.

    Raises:
        ScheduleError: a malformed job id, a time that is negative or after `LATEST_S`, or an unknown override.
    """

    job_id: str
    profile: str | Profile
    at_s: float
    overrides: Mapping[str, Any] = field(default_factory=dict)
    reads: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _JOB_ID.match(self.job_id):
            raise ScheduleError(f"job_id {self.job_id!r}: use letters, digits, dots, dashes and underscores")
        if not 0 <= self.at_s <= LATEST_S:
            raise ScheduleError(f"job {self.job_id}: at_s {self.at_s:g}; give a time from 0 to {LATEST_S:g}")
        for key in self.overrides:
            if key not in OVERRIDES:
                raise ScheduleError(f"job {self.job_id}: override {key!r}; known: {', '.join(OVERRIDES)}")

    @functools.cached_property
    def loaded(self) -> Profile:
        """The profile, read once.

        Raises:
            ProfileError: there is none, or it is malformed.
        """
        return load_profile(self.profile)

    def job(self, before: Mapping[str, Job] | None = None) -> Job:
        """The job to submit.

        Args:
            before: The jobs before it in the schedule, by their ids.

        Raises:
            JobError: there is no such profile, or the numbers do not make a job.
            ScheduleError: it reads a result that there is not.
        """
        results = {name: self._result(name, source, before or {}) for name, source in self.reads.items()}
        return self.loaded.job(self.job_id, **self.overrides, results=results)

    def _result(self, name: str, source: str, before: Mapping[str, Job]) -> Result:
        job_id, _, stage = source.partition("/")
        if job_id not in before:
            near = difflib.get_close_matches(job_id, before, 1)
            hint = f"do you mean {near[0]}?" if near else f"those before it: {', '.join(before) or 'none'}"
            raise ScheduleError(f"job {self.job_id}: reads {name}: no job {job_id!r} before it; {hint}")
        try:
            return before[job_id].result(stage or None)
        except JobError as error:
            raise ScheduleError(f"job {self.job_id}: reads {name}: {error}") from error


def preset_names() -> tuple[str, ...]:
    """Names that `preset` knows."""
    return (*_MIXED, *(f"{kind}-{level}" for kind in _KINDS for level in _SAME))


def preset(name: str) -> tuple[Submission, ...]:
    """A workload of the thesis (6.4.2): `mixed-high`, `mixed-mid`, `kmeans-high`, `cc-mid`, `q3-high`, ...

    Raises:
        ScheduleError: no such workload.
    """
    if name in _MIXED:
        profiles: Sequence[str] = _MIXED[name]
    else:
        kind, _, level = name.rpartition("-")
        if kind not in _KINDS or level not in _SAME:
            near = difflib.get_close_matches(name, preset_names(), 1)
            hint = f"do you mean {near[0]}?" if near else f"known: {', '.join(preset_names())}"
            raise ScheduleError(f"schedule {name!r}: no such preset; {hint}")
        profiles = [_KINDS[kind]] * _SAME[level]
    return tuple(
        Submission(f"{profile}-{profiles[:i].count(profile) + 1}", profile, i * INTERVAL_S)
        for i, profile in enumerate(profiles)
    )
