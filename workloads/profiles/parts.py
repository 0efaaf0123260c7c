"""What the stages of a profile are made of, as its YAML file has them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    SerializerFunctionWrapHandler,
    Tag,
    field_validator,
    model_serializer,
    model_validator,
)

from workloads.job import ExchangeKind

_MOST_STAGES = 10_000

Number = Annotated[float, Field(allow_inf_nan=False)]
Volume = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, le=10**18)]


class Part(BaseModel):
    """A part of a profile: unknown keys are refused, nothing is converted, and it is written as it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, serialize_by_alias=True)

    @model_serializer(mode="wrap")
    def _as_read(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        given = {type(self).model_fields[name].alias or name for name in self.model_fields_set}
        return {key: value for key, value in write(self).items() if key in given}


class FileInput(Part):
    """A file that a stage scans."""

    read: str = Field(description="Name of the file")
    share: Volume = Field(description="Of the input's bytes; shares of all files add up to 1")
    cpu_s_per_gb: Volume = Field(default=0.0, description="CPU seconds for a GB of the job's input")
    block_bytes: Count | None = Field(
        default=None, description="Size of its blocks, whatever the input; the cluster's when left out"
    )


class StageInput(Part):
    """What a stage gets from another one."""

    source: str = Field(alias="from", description="Stage that produces the data")
    initially: str = Field(default="", description="Inside `repeat`: the source in the first round")
    kind: ExchangeKind = "repartition"
    pipelined: bool = Field(default=True, description="Flows while the source works; a barrier otherwise")
    skew: Volume = Field(default=0.0, description="Exponent s: task i, from 0, gets in proportion to (i + 1)^-s")
    shares: list[Volume] = Field(default=[], description="Instead of a skew, what each task gets")
    bytes: Volume = 0.0
    bytes_per_input_byte: Volume = 0.0
    bytes_per_task: Volume = 0.0
    cpu_s_per_gb: Volume = Field(default=0.0, description="CPU seconds for a GB of the job's input")
    cpu_s_per_moved_gb: Volume = Field(default=0.0, description="CPU seconds for a GB of what it gets")


def _is_file(value: Any) -> str:  # noqa: ANN401 - anything that YAML can hold
    reads = "read" in value if isinstance(value, dict) else isinstance(value, FileInput)
    return "file" if reads else "stage"


AnyInput = Annotated[Annotated[FileInput, Tag("file")] | Annotated[StageInput, Tag("stage")], Discriminator(_is_file)]


class ProfileStage(Part):
    """A stage of tasks that all do the same."""

    name: str
    inputs: list[AnyInput]
    write_bytes: Volume = 0.0
    write_bytes_per_input_byte: Volume = 0.0
    write_replication: Count = 1


class Repeat(Part):
    """Stages that run several times, one round after the other."""

    repeat: Annotated[int, Field(ge=1, le=_MOST_STAGES)]
    factors: list[Volume] = Field(default=[], description="On the volumes of each round; 1 when left out")
    stages: list[ProfileStage]

    @field_validator("stages", mode="before")
    @classmethod
    def _flat(cls, stages: Any) -> Any:  # noqa: ANN401 - anything that YAML can hold
        if isinstance(stages, list) and any(isinstance(stage, dict) and "repeat" in stage for stage in stages):
            raise ValueError("a repeat within another; write its stages out")
        return stages

    @model_validator(mode="after")
    def _counted(self) -> Repeat:
        if self.factors and len(self.factors) != self.repeat:
            raise ValueError(f"factors: {len(self.factors)} of them; give one for each of {self.repeat} repeats")
        if self.repeat * len(self.stages) > _MOST_STAGES:
            raise ValueError(
                f"repeat {self.repeat} of {len(self.stages)} stages; give at most {_MOST_STAGES:,} stages in all"
            )
        return self


def _repeats(value: Any) -> str:  # noqa: ANN401 - anything that YAML can hold
    repeats = "repeat" in value if isinstance(value, dict) else isinstance(value, Repeat)
    return "repeated" if repeats else "once"


AnyStage = Annotated[Annotated[Repeat, Tag("repeated")] | Annotated[ProfileStage, Tag("once")], Discriminator(_repeats)]
