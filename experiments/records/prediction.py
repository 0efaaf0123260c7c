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
        """By how many standard deviations another time is more than the mean; None where the draws are all alike."""
        return (time_s - self.mean_s) / self.sd_s if self.sd_s > 0 else None


class LinkLoad(Value):
    """What a link carried in a stage, and carried in the draws on the average; packets that it dropped."""

    link: Text
    direction: Text
    bytes: Count
    predicted_bytes: Count
    drops: Count


class Cause(Value):
    """Where a job's time differs most from the prediction.

    `longer_s` is by how much its stage took longer; `links` are those between switches that carried most more in it.
    """

    stage: Text
    longer_s: float
    links: tuple[LinkLoad, ...] = ()


class JobPrediction(Value):
    """One job; `cause` is given where its time is far off."""

    job_id: Text
    completion_time: PredictedTime
    cause: Cause | None = None


class Prediction(Value):
    """All jobs, and their summed times."""

    draws: Count
    summed_time: PredictedTime
    jobs: tuple[JobPrediction, ...]
