"""Job profiles: YAML descriptions of kinds of jobs whose volumes scale with the input."""

from __future__ import annotations

import difflib
import functools
import itertools
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, model_validator

from workloads.job import Job, Result
from workloads.profiles.parts import AnyStage, Count, FileInput, Number, Part, Repeat
from workloads.profiles.unrolling import ProfileError, Unroller

__all__ = ["Profile", "ProfileError", "load_profile", "profile_names"]

_FOLDER = Path(__file__).parent
_ROUNDING = 1e-3


class Profile(Part):
    """A kind of job, checked to make one at its default size."""

    name: str
    description: str = Field(description="One sentence")
    provenance: str = Field(description="Where the volumes come from and how far to trust them")
    weights: dict[Literal["closeness", "locality"], Number] = Field(
        min_length=2, description="Of the placement cost (thesis, Table 6.1), for `placement.Weights` to judge"
    )
    input_bytes: Count = Field(description="Default size of the input")
    containers: Count = Field(description="Default number, with the application master")
    slots_per_container: Count
    memory_mb: Count
    vcores: Count
    stages: list[AnyStage]

    @model_validator(mode="after")
    def _makes_a_job(self) -> Profile:
        whole = sum(self.shares.values())
        if self.shares and abs(whole - 1) > _ROUNDING:
            raise ValueError(f"the shares that are read add up to {whole:g}; make it 1")
        self.job("check")
        return self

    @property
    def shares(self) -> Mapping[str, float]:
        """What each file has of the input, by name."""
        shares: dict[str, float] = {}
        for item in self.stages:
            times, stages = (item.repeat, item.stages) if isinstance(item, Repeat) else (1, [item])
            for entry in itertools.chain.from_iterable(stage.inputs for stage in stages):
                if isinstance(entry, FileInput):
                    shares[entry.read] = shares.get(entry.read, 0.0) + times * entry.share
        return shares

    def document(self) -> dict[str, Any]:
        """What is read back to an equal profile."""
        return self.model_dump(mode="json")

    def job(
        self,
        job_id: str,
        input_bytes: int | None = None,
        containers: int | None = None,
        shuffle_factor: float = 1.0,
        results: Mapping[str, Result] | None = None,
    ) -> Job:
        """A job of this kind.

        Args:
            job_id: Names the job and, as `job_id/file`, its input files: every job has its own data.
            input_bytes: Modelled size of all input files; the profile's default when None.
            containers: With the application master; the profile's default when None.
            shuffle_factor: Multiplies the bytes of all repartitions and broadcasts, not their CPU work: for a platform
                that serialises or compresses otherwise than the one that the profile was recorded on.
            results: Of other jobs, which it reads instead of files of its own, by the names of these. They count with
                their own sizes, whatever the files' shares, towards the input that the volumes scale with.

        Raises:
            JobError: the numbers do not make a job.
        """
        if not (math.isfinite(shuffle_factor) and shuffle_factor >= 0):
            raise ProfileError(f"job {job_id}: shuffle_factor {shuffle_factor}; give a number of at least 0")
        size = self.input_bytes if input_bytes is None else input_bytes
        count = self.containers if containers is None else containers
        tasks = (count - 1) * self.slots_per_container
        taken, shares = results or {}, self.shares
        for name in taken:
            if name not in shares:
                raise ProfileError(f"job {job_id}: reads {name!r}: {self.name} reads {', '.join(shares) or 'no file'}")
        if shares and set(taken) == set(shares) and input_bytes is not None:
            raise ProfileError(f"job {job_id}: input_bytes {size}: it reads nothing but results of jobs; remove it")
        return Job(
            job_id=job_id,
            profile=self.name,
            stages=Unroller(job_id, size, tasks, shuffle_factor, taken, shares).stages(self.stages),
            containers=count,
            slots_per_container=self.slots_per_container,
            memory_mb=self.memory_mb,
            vcores=self.vcores,
        )


def profile_names() -> tuple[str, ...]:
    """Names of the profiles that come with the testbed."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def load_profile(name: str | Profile) -> Profile:
    """A profile that comes with the testbed by its name; what is a profile already is given back.

    Raises:
        ProfileError: no such profile.
    """
    if isinstance(name, Profile):
        return name
    if name not in profile_names():
        near = difflib.get_close_matches(name, profile_names(), 1)
        hint = f"do you mean {near[0]}?" if near else f"known: {', '.join(profile_names())}"
        raise ProfileError(f"profile {name!r}: not found; {hint}")
    return _of_the_testbed(name)


@functools.cache
def _of_the_testbed(name: str) -> Profile:
    path = _FOLDER / f"{name}.yaml"
    return Profile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
