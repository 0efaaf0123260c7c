"""Which jobs an experiment has, as people write it into specifications and schedules."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from experiments.documents.quantities import Bytes
from experiments.specification.parts import Factor, Name, Seconds, Shorthand
from workloads.job import MOST_TASKS
from workloads.profiles import Profile
from workloads.schedule import MOST_JOBS, OVERRIDES


class JobSpec(Shorthand):
    """A job, whenever it is submitted."""

    profile: str = Field(description="Name of a job profile, or path of one")
    job_id: Name | None = Field(default=None, description="Its name in the results; profile and number when left out")
    input_bytes: Bytes | None = None
    containers: Annotated[int, Field(ge=2, le=MOST_TASKS)] | None = Field(
        default=None, description="With the application master"
    )
    shuffle_factor: Factor | None = Field(
        default=None, description="On what it repartitions and broadcasts; 1 when left out"
    )

    reads: dict[str, Annotated[str, Field(min_length=1, max_length=250)]] = Field(
        default={},
        description="Results of jobs before it instead of files of its own, JOB or JOB/STAGE by the file's name; it is "
        "not submitted before they have ended",
    )

    @property
    def overrides(self) -> dict[str, Any]:
        """What it has instead of its profile's, as a `Submission` takes it."""
        given = {name: getattr(self, name) for name in OVERRIDES}
        return {name: value for name, value in given.items() if value is not None}


class SubmissionSpec(JobSpec):
    """One job of an inline workload."""

    at_s: Seconds = Field(default=0.0, description="When it is submitted, modelled seconds")


class WorkloadSpec(Shorthand):
    """Either the name of a schedule, or a list of jobs."""

    preset: str | None = Field(default=None, description="Name of a schedule, or path of a YAML file that holds one")
    jobs: Annotated[tuple[SubmissionSpec, ...], Field(max_length=MOST_JOBS)] = ()
    shuffle_factors: dict[str, Factor] = Field(
        default={}, description="By profile, on what its jobs repartition and broadcast; a job's own goes before"
    )
    profiles: dict[str, Profile] = Field(
        default={}, description="Profiles of this workload by name, each as in a file of its own"
    )

    @model_validator(mode="before")
    @classmethod
    def _inline(cls, value: Any) -> Any:  # noqa: ANN401 - anything that YAML can hold
        return {"jobs": value} if isinstance(value, (list, tuple)) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        whole = super().__get_pydantic_json_schema__(schema, handler)
        jobs = handler.resolve_ref_schema(whole["anyOf"][-1])["properties"]["jobs"]
        return {"anyOf": [*whole["anyOf"], {"type": "array", "items": jobs["items"], "minItems": 1}]}

    @model_validator(mode="after")
    def _one(self) -> WorkloadSpec:
        if bool(self.preset) == bool(self.jobs):
            raise ValueError("give either `preset` or at least one of `jobs`, not both")
        named = Counter(job.job_id for job in self.jobs if job.job_id is not None)
        for name, times in named.items():
            if times > 1:
                raise ValueError(f"job_id {name!r} is used twice; give each job its own")
        return self
