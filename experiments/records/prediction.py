"""What the twin says of an emulated run: the times of its jobs, over many draws of the ways that connections take."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from experiments.records.values import Count, Text, Value


class PredictedTime(Value):
    """Modelled seconds over all draws: mean, standard deviation, and the 2.5th and 97.5th percentiles."""

    mean_s: float
    sd_s: Annotated[float, Field(ge=0)]
    low_s: float
    high_s: float

    def deviation(self, time_s: float) -> float | None:
        """By how many standard deviations a time is longer than the mean; None where all draws are alike."""
        return (time_s - self.mean_s) / self.sd_s if self.sd_s > 1e-6 * self.mean_s else None


class LinkUse(Value):
    """Shares of a link's rate that were used in a stage, and in the draws on the average; packets that it dropped."""

    link: Text
    direction: Text
    utilisation: float
    predicted_utilisation: float
    drops: Count


class Cause(Value):
    """Where a job's time differs most from the prediction.

    Attributes:
        stage: The one that differs most, in the direction in which the job does; None where draws have other stages.
        longer_s: By how much it took longer than in the draws on the average.
        links: Those whose use differs most in it, in the same direction.
    """

    stage: Text | None = None
    longer_s: float = 0.0
    links: tuple[LinkUse, ...] = ()


class JobPrediction(Value):
    """One job: its completion time, and the means of what it sent across racks and read on its own nodes.

    `cause` is given where the job's time is far off.
    """

    job_id: Text
    completion_time: PredictedTime
    cross_rack_bytes: Count
    local_share: float | None = None
    cause: Cause | None = None


class Prediction(Value):
    """All jobs, and the sum of their completion times."""

    draws: Count
    summed_time: PredictedTime
    jobs: tuple[JobPrediction, ...]
