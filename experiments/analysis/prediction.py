"""The twin's prediction of an emulated run, made of many draws, and where the run differs from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from experiments.records.prediction import Cause, JobPrediction, LinkLoad, PredictedTime, Prediction
from experiments.records.record import JobRecord

if TYPE_CHECKING:
    import polars as pl

FAR = 3.0
"""Standard deviations from where on a job's time is far off."""
_MOST_LINKS = 2

Span = tuple[float, float]


@dataclass(frozen=True)
class Draw:
    """One simulation of a run.

    Attributes:
        jobs: as records have them.
        links: rows of links.parquet, of the links between switches.
    """

    jobs: tuple[JobRecord, ...]
    links: pl.DataFrame


def predict(jobs: Sequence[JobRecord], links: pl.DataFrame, draws: Sequence[Draw]) -> Prediction:
    """What the draws say of a run.

    Args:
        jobs: of the emulated run.
        links: rows of its links.parquet, of the links between switches.
        draws: of the same run by the twin.
    """
    times: dict[str, list[float]] = {job.job_id: [] for job in jobs}
    for draw in draws:
        for job in draw.jobs:
            times[job.job_id].append(_time_s(job))
    summed = [sum(map(_time_s, draw.jobs)) for draw in draws]
    return Prediction(
        draws=len(draws),
        summed_time=_predicted(summed),
        jobs=tuple(_job(job, links, _predicted(times[job.job_id]), draws) for job in jobs),
    )


def _time_s(job: JobRecord) -> float:
    assert job.completion_time_s is not None  # of a run that has finished
    return job.completion_time_s


def _predicted(times_s: Sequence[float]) -> PredictedTime:
    low, high = np.percentile(times_s, [2.5, 97.5])
    return PredictedTime(
        mean_s=float(np.mean(times_s)), sd_s=float(np.std(times_s, ddof=1)), low_s=float(low), high_s=float(high)
    )


def _job(job: JobRecord, links: pl.DataFrame, time: PredictedTime, draws: Sequence[Draw]) -> JobPrediction:
    deviation = time.deviation(_time_s(job))
    far = deviation is not None and abs(deviation) > FAR
    return JobPrediction(
        job_id=job.job_id, completion_time=time, cause=_cause(job, links, draws, deviation) if far else None
    )


def _cause(job: JobRecord, links: pl.DataFrame, draws: Sequence[Draw], deviation: float | None) -> Cause | None:
    """The stage that differs most in the job's direction, and the links that carried most more in it."""
    spans = _spans(job)
    drawn = [_spans(next(other for other in draw.jobs if other.job_id == job.job_id)) for draw in draws]
    longer = {
        stage: (end - begin) - float(np.mean([one[stage][1] - one[stage][0] for one in drawn]))
        for stage, (begin, end) in spans.items()
        if all(stage in one for one in drawn)
    }
    if not longer:
        return None
    sign = np.sign(deviation or 0.0)
    stage = max(longer, key=lambda name: sign * longer[name])
    found = _bytes(links, spans[stage])
    predicted = [_bytes(draw.links, one[stage]) for draw, one in zip(draws, drawn, strict=True)]
    loads = [
        LinkLoad(
            link=link,
            direction=direction,
            bytes=sent,
            predicted_bytes=round(float(np.mean([one.get((link, direction), (0, 0))[0] for one in predicted]))),
            drops=drops,
        )
        for (link, direction), (sent, drops) in found.items()
    ]
    loads.sort(key=lambda load: sign * (load.predicted_bytes - load.bytes))
    return Cause(stage=stage, longer_s=longer[stage], links=tuple(loads[:_MOST_LINKS]))


def _spans(job: JobRecord) -> dict[str, Span]:
    return {stage.name: (stage.started_s, stage.finished_s) for stage in job.stages if stage.finished_s is not None}


def _bytes(links: pl.DataFrame, span: Span) -> Mapping[tuple[str, str], tuple[int, int]]:
    """Bytes and drops of each link and direction within a span of time; a row counts by its share in it."""
    import polars as pl

    begin, end = span
    since = pl.col("time_s").shift(1).over("link", "direction")
    within = pl.min_horizontal(pl.col("time_s"), end) - pl.max_horizontal(pl.col("since"), begin)
    share = (within / (pl.col("time_s") - pl.col("since"))).clip(0.0, 1.0).fill_nan(0.0).fill_null(0.0)
    rows = (
        links.sort("time_s")
        .with_columns(since.alias("since"))
        .with_columns(share.alias("share"))
        .group_by("link", "direction", maintain_order=True)
        .agg((pl.col("bytes") * pl.col("share")).sum(), (pl.col("drops") * pl.col("share")).sum())
    )
    return {(link, direction): (round(sent), round(drops)) for link, direction, sent, drops in rows.iter_rows()}
