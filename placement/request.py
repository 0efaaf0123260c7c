"""What a job asks for: containers, input files and the weights of its cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from placement.errors import PlacementError

Placement: TypeAlias = tuple[str, ...]
"""Node of each container of one job; container 0 is the application master if the job has one."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What matters to a job: its containers close together, or close to its data (thesis, Table 6.1).

    Raises:
        PlacementError: a weight is not a number from 0 to 1, or they do not add up to 1, but for rounding: 0.333333
            and 0.666667 do.
    """

    closeness: float = 0.5
    locality: float = 0.5

    def __post_init__(self) -> None:
        for field in ("closeness", "locality"):
            value = getattr(self, field)
            if not 0 <= value <= 1:
                raise PlacementError(f"weights: {field} {value}; give a number from 0 to 1")
        if not math.isclose(self.closeness + self.locality, 1.0, abs_tol=1e-6):
            raise PlacementError(
                f"weights: closeness {self.closeness:g} and locality {self.locality:g} add up to "
                f"{self.closeness + self.locality:.7g}; change one of them so that they add up to 1"
            )


@dataclass(frozen=True, slots=True)
class ContainerRequest:
    """A job's containers, all of one size.

    Attributes:
        job_id: unique among the jobs that run.
        signature: what the job is, the same in every run of a recurring job.
        containers: how many, including the application master.
        inputs: names of its input files.
        memory_mb: memory of one container, in MB.
        vcores: virtual cores of one container.
        weights: weights of the terms of its cost.
        application_master: whether container 0 is one, which counts in no cost.

    Raises:
        PlacementError: an amount out of range, or an input named twice.
    """

    job_id: str
    signature: str
    containers: int
    inputs: tuple[str, ...] = ()
    memory_mb: int = 3072
    vcores: int = 1
    weights: Weights = Weights()
    application_master: bool = True

    def __post_init__(self) -> None:
        for field, least in (("containers", 1), ("memory_mb", 0), ("vcores", 0)):
            if getattr(self, field) < least:
                raise PlacementError(f"job {self.job_id}: {field} {getattr(self, field)}; give at least {least}")
        if len(set(self.inputs)) != len(self.inputs):
            raise PlacementError(f"job {self.job_id}: inputs {self.inputs} name a file twice; name each once")

    @property
    def masters(self) -> int:
        """1 with an application master, else 0."""
        return int(self.application_master)

    @property
    def workers(self) -> int:
        """Containers that compute, and count in the costs."""
        return self.containers - self.masters

    def worker_nodes(self, placement: Placement) -> Placement:
        """Nodes of the containers that count in the costs."""
        return placement[self.masters :]
