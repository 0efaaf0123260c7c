"""The twin's prediction of an emulated run, made of many draws, and where the run differs from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from experiments.records.prediction import Cause, JobPrediction, LinkUse, PredictedTime, Prediction
from experiments.records.record import JobRecord, RunRecord
from topologies.topology import Topology

if TYPE_CHECKING:
    import polars as pl

FAR = 3.0
"""Standard deviations from which on a job's time is far off."""
RATIO = "predicted_time_ratio"
"""The figure of the verdict: the sum of the job times over the twin's mean."""
_MOST_LINKS = 2

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Direction:
    """A link in one direction, and the bytes a second that it carries."""

    link: str
    name: str
    bytes_per_s: float


def directions(topology: Topology) -> tuple[Direction, ...]:
    """The links between switches, over which ways differ, or all links where there are none."""
    links = topology.uplinks or topology.links
    return tuple(Direction(link.id, name, link.capacity_mbps * 1e6 / 8) for link in links for name in ("up", "down"))


@dataclass(frozen=True)
class StageRun:
    """How long a stage took, and the bytes and drops of some directions meanwhile."""

    seconds: float
    bytes: Floats
    drops: Floats


@dataclass(frozen=True)
class JobRun:
    """A job of an emulated run or of a draw, and its stages by name."""

    record: JobRecord
    stages: Mapping[str, StageRun]


def job_runs(jobs: Iterable[JobRecord], links: pl.DataFrame, wanted: Sequence[Direction]) -> dict[str, JobRun]:
    """The jobs of a run by their ids.

    Args:
        jobs: as a record has them.
        links: rows of links.parquet.
        wanted: what of them is wanted.
    """
    jobs = tuple(jobs)
    spans = [
        (job.job_id, stage.name, stage.started_s, stage.finished_s)
        for job in jobs
        for stage in job.stages
        if stage.finished_s is not None
    ]
    begun = _so_far(links, wanted, [start_s for _, _, start_s, _ in spans])
    ended = _so_far(links, wanted, [end_s for _, _, _, end_s in spans])
    stages: dict[str, dict[str, StageRun]] = {job.job_id: {} for job in jobs}
    for place, (job_id, name, start_s, end_s) in enumerate(spans):
        sent, dropped = ended[:, :, place] - begun[:, :, place]
        stages[job_id][name] = StageRun(end_s - start_s, sent, dropped)
    return {job.job_id: JobRun(job, stages[job.job_id]) for job in jobs}


def _so_far(links: pl.DataFrame, wanted: Sequence[Direction], times_s: Sequence[float]) -> Floats:
    """Bytes and drops from the beginning to some times, shape (2, directions, times)."""
    found = np.zeros((2, len(wanted), len(times_s)))
    place = {(one.link, one.name): number for number, one in enumerate(wanted)}
    for key, rows in links.sort("time_s").group_by("link", "direction"):
        if key in place:
            for figure, name in enumerate(("bytes", "drops")):
                sums = rows[name].cum_sum().to_numpy()
                found[figure, place[key]] = np.interp(times_s, rows["time_s"].to_numpy(), sums)
    return found


def predict(run: Mapping[str, JobRun], draws: Sequence[Mapping[str, JobRun]], links: Sequence[Direction]) -> Prediction:
    """What two or more draws say of a run.

    Args:
        run: the jobs of the emulated run.
        draws: those of the same run by the twin.
        links: whose bytes they have.
    """
    return Prediction(
        draws=len(draws),
        summed_time=_predicted([sum(map(_time_s, draw.values())) for draw in draws]),
        jobs=tuple(_job(job, [draw[job_id] for draw in draws], links) for job_id, job in run.items()),
    )


def predicted(record: RunRecord, prediction: Prediction) -> RunRecord:
    """The record with the prediction, which is among the figures of the verdict."""
    time_s = sum(job.completion_time_s or 0.0 for job in record.jobs)
    fidelity = record.fidelity
    if fidelity is not None:
        figures = {**fidelity.figures, RATIO: time_s / prediction.summed_time.mean_s}
        fidelity = fidelity.model_copy(update={"figures": figures})
    return record.updated(prediction=prediction, fidelity=fidelity)


def _time_s(job: JobRun) -> float:
    assert job.record.completion_time_s is not None  # of a run that has finished
    return job.record.completion_time_s


def _predicted(times_s: Sequence[float]) -> PredictedTime:
    low, high = np.percentile(times_s, [2.5, 97.5])
    mean, sd = np.mean(times_s), np.std(times_s, ddof=1)
    return PredictedTime(mean_s=float(mean), sd_s=float(sd), low_s=float(low), high_s=float(high))


def _job(job: JobRun, draws: Sequence[JobRun], links: Sequence[Direction]) -> JobPrediction:
    time = _predicted([_time_s(draw) for draw in draws])
    deviation = time.deviation(_time_s(job))
    shares = [share for draw in draws if (share := draw.record.read_bytes.local_share) is not None]
    far = deviation is not None and abs(deviation) > FAR
    return JobPrediction(
        job_id=job.record.job_id,
        completion_time=time,
        cross_rack_bytes=round(float(np.mean([draw.record.cross_rack_bytes for draw in draws]))),
        local_share=float(np.mean(shares)) if shares else None,
        cause=_cause(job, draws, links, 1.0 if (deviation or 0.0) > 0 else -1.0) if far else None,
    )


def _cause(job: JobRun, draws: Sequence[JobRun], links: Sequence[Direction], sign: float) -> Cause:
    """The stage that differs most in the direction of the sign, and the links whose use does."""
    longer_s = {
        name: stage.seconds - float(np.mean([draw.stages[name].seconds for draw in draws]))
        for name, stage in job.stages.items()
        if all(name in draw.stages for draw in draws)
    }
    if not longer_s:
        return Cause()
    name = max(longer_s, key=lambda stage: sign * longer_s[stage])
    used = _utilisation(job.stages[name], links)
    expected: Floats = np.mean([_utilisation(draw.stages[name], links) for draw in draws], axis=0)
    more = sign * (used - expected)
    uses = tuple(
        LinkUse(
            link=links[place].link,
            direction=links[place].name,
            utilisation=float(used[place]),
            predicted_utilisation=float(expected[place]),
            drops=round(float(job.stages[name].drops[place])),
        )
        for place in np.argsort(-more, kind="stable")[:_MOST_LINKS].tolist()
        if more[place] > 0
    )
    return Cause(stage=name, longer_s=longer_s[name], links=uses)


def _utilisation(stage: StageRun, links: Sequence[Direction]) -> Floats:
    shares: Floats = stage.bytes / (max(stage.seconds, 1e-9) * np.array([one.bytes_per_s for one in links]))
    return shares
