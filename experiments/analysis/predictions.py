"""What the twin said of the runs behind some figures, and the jobs whose times are far from it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from experiments.records.prediction import PredictedTime
from experiments.records.record import RunRecord


@dataclass(frozen=True)
class Predicted:
    """Modelled seconds: the twin's mean and the ends of its 95 % interval for a run, each the mean over all runs."""

    mean_s: float
    low_s: float
    high_s: float


@dataclass(frozen=True)
class UsedLink:
    """Shares of a link's rate that a run and the twin used in a stage, and packets that were dropped in the run."""

    link: str
    direction: str
    utilisation: float
    predicted_utilisation: float
    drops: int


@dataclass(frozen=True)
class FarOff:
    """A job that took much longer, or less, than the twin says.

    Attributes:
        deviation: By how many of the twin's standard deviations it took longer.
        stage: The one that differs most, if any can be told; by how much it took longer, and links that differ.
    """

    run_id: str
    job_id: str
    time_s: float
    predicted_s: float
    deviation: float
    stage: str | None
    stage_longer_s: float
    links: tuple[UsedLink, ...]


def predicted(times: Sequence[PredictedTime]) -> Predicted | None:
    """What the twin said of some runs; None when nothing."""
    if not times:
        return None
    count = len(times)
    return Predicted(
        sum(time.mean_s for time in times) / count,
        sum(time.low_s for time in times) / count,
        sum(time.high_s for time in times) / count,
    )


def of_runs(runs: Iterable[RunRecord]) -> Predicted | None:
    """Of the summed time of all jobs."""
    return predicted([run.prediction.summed_time for run in runs if run.prediction is not None])


def of_job(runs: Iterable[RunRecord], job_id: str) -> Predicted | None:
    """Of a job's completion time."""
    return predicted(
        [
            job.completion_time
            for run in runs
            if run.prediction is not None
            for job in run.prediction.jobs
            if job.job_id == job_id
        ]
    )


def far_off(runs: Iterable[RunRecord]) -> tuple[FarOff, ...]:
    """The jobs that are far off, the farthest first."""
    return tuple(sorted(_far_off(runs), key=lambda found: -abs(found.deviation)))


def _far_off(runs: Iterable[RunRecord]) -> Iterator[FarOff]:
    for run in runs:
        jobs = {job.job_id: job for job in run.jobs}
        for prediction in run.prediction.jobs if run.prediction is not None else ():
            time_s = jobs[prediction.job_id].completion_time_s or 0.0
            deviation = prediction.completion_time.deviation(time_s)
            if (cause := prediction.cause) is not None and deviation is not None:
                yield FarOff(
                    run_id=run.run_id,
                    job_id=prediction.job_id,
                    time_s=time_s,
                    predicted_s=prediction.completion_time.mean_s,
                    deviation=deviation,
                    stage=cause.stage,
                    stage_longer_s=cause.longer_s,
                    links=tuple(UsedLink(**link.model_dump()) for link in cause.links),
                )
