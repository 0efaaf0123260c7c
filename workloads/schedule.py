"""When which job is submitted: presets of the thesis, and a reader for schedules of your own."""

from __future__ import annotations

import difflib
import functools
import re
import reprlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from workloads.errors import WorkloadError
from workloads.job import Job
from workloads.profiles import Profile, load_profile

_LARGEST = 10**18
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
_OVERRIDES: Mapping[str, Callable[[Any], Any]] = {"input_bytes": int, "containers": int, "shuffle_factor": float}
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

    Raises:
        ScheduleError: a malformed job id, a time that is negative or after `LATEST_S`, or an unknown override.
    """

    job_id: str
    profile: str | Profile
    at_s: float
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _JOB_ID.match(self.job_id):
            raise ScheduleError(f"job_id {self.job_id!r}: use letters, digits, dots, dashes and underscores")
        if not 0 <= self.at_s <= LATEST_S:
            raise ScheduleError(f"job {self.job_id}: at_s {self.at_s:g}; give a time from 0 to {LATEST_S:g}")
        for key in self.overrides:
            if key not in _OVERRIDES:
                raise ScheduleError(f"job {self.job_id}: override {key!r}; known: {', '.join(_OVERRIDES)}")

    @functools.cached_property
    def loaded(self) -> Profile:
        """The profile, read once.

        Raises:
            ProfileError: there is none, or it is malformed.
        """
        return load_profile(self.profile)

    def job(self) -> Job:
        """The job to submit.

        Raises:
            JobError: there is no such profile, or the numbers do not make a job.
        """
        return self.loaded.job(self.job_id, **self.overrides)


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


def parse_schedule(document: object) -> tuple[Submission, ...]:
    """Submissions, sorted by time, of a list of entries.

    Each entry has `profile` and one of: `at_s` (absolute time), `after_s` (delay after the entry before; the default,
    with 0), `every_s` with `count` (a sequence, the first one interval after the entry before, or at 0),
    `poisson_per_s` with `count` and `seed` (exponential gaps); and optionally `job_id`, `input_bytes`, `containers`,
    `shuffle_factor`.

    Raises:
        ScheduleError: an unknown key, two times in one entry, a missing `count` or `seed`, a job id used twice, or more
            than `MOST_JOBS` jobs.
    """
    if not isinstance(document, list) or not document:
        raise ScheduleError("schedule: not a list; give at least one entry with a profile")
    submissions: list[Submission] = []
    used: dict[str, int] = {}
    now = 0.0
    for number, entry in enumerate(document):
        profile, times, job_id, overrides = _entry(number, entry, now)
        for i, at_s in enumerate(times):
            stem = job_id or Path(profile).stem
            used[stem] = used.get(stem, 0) + 1
            name = job_id if job_id is not None and len(times) == 1 else f"{stem}-{used[stem]}"
            submissions.append(Submission(name, profile, at_s, overrides))
            now = at_s if i == len(times) - 1 else now
        if len(submissions) > MOST_JOBS:
            raise ScheduleError(f"schedule: {len(submissions):,} jobs up to entry {number}; give at most {MOST_JOBS:,}")
    (name, times_used), *_ = Counter(submission.job_id for submission in submissions).most_common(1)
    if times_used > 1:
        raise ScheduleError(f"job_id {name!r}: used twice; give each its own")
    return tuple(sorted(submissions, key=lambda submission: submission.at_s))


_TIMES = ("at_s", "after_s", "every_s", "poisson_per_s")
_KEYS = ("profile", "job_id", "count", "seed", *_OVERRIDES, *_TIMES)


def _entry(number: int, entry: Any, now: float) -> tuple[str, list[float], str | None, dict[str, Any]]:  # noqa: ANN401
    place = f"schedule entry {number}"
    if not isinstance(entry, dict) or not isinstance(entry.get("profile"), str):
        raise ScheduleError(f"{place}: profile missing; name one")
    for key in entry:
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, 1)
            raise ScheduleError(f"{place}: unknown key {key!r}" + (f"; do you mean {near[0]}?" if near else ""))
        _check(f"{place}: {key}", key, entry[key])
    given = [key for key in _TIMES if key in entry]
    if len(given) > 1:
        raise ScheduleError(f"{place}: {' and '.join(given)}; give only one")
    overrides = {key: kind(entry[key]) for key, kind in _OVERRIDES.items() if key in entry}
    times = _times(number, entry, given[0] if given else "after_s", now)
    return entry["profile"], times, entry.get("job_id"), overrides


def _check(place: str, key: str, value: object) -> None:
    if key in ("profile", "job_id"):
        if not isinstance(value, str):
            raise ScheduleError(f"{place} {value!r}; give a text, in quotation marks if it is a number")
        return
    whole = key in ("count", "seed", "containers")
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise ScheduleError(f"{place} {value!r}; give a {'whole ' if whole else ''}number")
    if not 0 <= value <= _LARGEST:
        raise ScheduleError(f"{place} {reprlib.repr(value)}; give a number from 0 to {_LARGEST:g}")


def _times(number: int, entry: Mapping[str, Any], kind: str, now: float) -> list[float]:
    place = f"schedule entry {number}"
    value = float(entry.get(kind, 0.0))
    if kind == "at_s":
        return [value]
    if kind == "after_s":
        return [now + value]
    count = entry.get("count")
    if not isinstance(count, int) or not 1 <= count <= MOST_JOBS:
        raise ScheduleError(f"{place}: count {count!r}; {kind} needs a number of jobs from 1 to {MOST_JOBS:,}")
    if kind == "every_s":
        return [now + value * (i + (1 if number else 0)) for i in range(count)]
    if "seed" not in entry or value == 0:
        raise ScheduleError(f"{place}: poisson_per_s needs a seed and a rate above 0")
    gaps = np.random.default_rng(entry["seed"]).exponential(1 / value, count)
    return [float(at_s) for at_s in now + np.cumsum(gaps)]
