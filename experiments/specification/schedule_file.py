"""Schedules of one's own: a YAML file with a list of jobs, or of sequences of them, and their times."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

from experiments.documents.diagnostics import SpecificationError
from experiments.specification.jobs import JobSpec
from experiments.specification.parts import Part, Seconds
from workloads.schedule import MOST_JOBS, Submission

_TIMES = ("at_s", "after_s", "every_s", "poisson_per_s")


class Entry(JobSpec):
    """A job, or a sequence of jobs, of a schedule; one without a time comes with the entry before."""

    at_s: Seconds | None = Field(default=None, description="When it is submitted, modelled seconds")
    after_s: Seconds | None = Field(default=None, description="Delay after the entry before")
    every_s: Seconds | None = Field(
        default=None, description="A sequence at this interval, the first one interval after the entry before, or at 0"
    )
    poisson_per_s: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        default=None, description="A sequence with exponential gaps, at this rate"
    )
    count: Annotated[int, Field(ge=1, le=MOST_JOBS)] | None = Field(default=None, description="Jobs of a sequence")
    seed: Annotated[int, Field(ge=0, lt=2**64)] | None = Field(default=None, description="Of the exponential gaps")

    @model_validator(mode="after")
    def _one_time(self) -> Entry:
        given = [name for name in _TIMES if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"{' and '.join(given)}; give only one")
        if (self.count is None) != (self.every_s is None and self.poisson_per_s is None):
            raise ValueError(f"a sequence is `every_s` or `poisson_per_s`, and a `count` from 1 to {MOST_JOBS:,}")
        if (self.seed is None) != (self.poisson_per_s is None):
            raise ValueError("`poisson_per_s` and a `seed` go together; give both or neither")
        return self

    def times_s(self, first: bool, now: float) -> list[float]:
        """When its jobs are submitted, the last submission before it having been at `now`."""
        if self.at_s is not None:
            return [self.at_s]
        if self.every_s is not None:
            return [now + self.every_s * (i + (not first)) for i in range(self.count or 1)]
        if self.poisson_per_s is not None:
            gaps = np.random.default_rng(self.seed).exponential(1 / self.poisson_per_s, self.count)
            return [float(at_s) for at_s in now + np.cumsum(gaps)]
        return [now + (self.after_s or 0.0)]


class Schedule(Part):
    """All of a schedule."""

    jobs: Annotated[list[Entry], Field(min_length=1, max_length=MOST_JOBS)]

    @model_validator(mode="after")
    def _few(self) -> Schedule:
        jobs = sum(entry.count or 1 for entry in self.jobs)
        if jobs > MOST_JOBS:
            raise ValueError(f"{jobs:,} jobs; give at most {MOST_JOBS:,}")
        return self

    def submissions(self) -> tuple[Submission, ...]:
        """Which job is submitted when, in order of time.

        Raises:
            ScheduleError: one of them after the latest time there is.
            SpecificationError: a job id is used twice.
        """
        found: list[Submission] = []
        used: Counter[str] = Counter()
        now = 0.0
        for number, entry in enumerate(self.jobs):
            times = entry.times_s(number == 0, now)
            for at_s in times:
                stem = entry.job_id or Path(entry.profile).stem
                used[stem] += 1
                name = entry.job_id if entry.job_id is not None and len(times) == 1 else f"{stem}-{used[stem]}"
                found.append(Submission(name, entry.profile, at_s, entry.overrides, entry.reads))
            now = times[-1]
        (name, times_used), *_ = Counter(submission.job_id for submission in found).most_common(1)
        if times_used > 1:
            raise SpecificationError([f"job_id {name!r}: used twice; give each its own"])
        return tuple(sorted(found, key=lambda submission: submission.at_s))
