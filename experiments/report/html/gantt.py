"""When jobs, stages and containers were busy, as bars along one time axis in per mille of its length."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from experiments.documents import numerals
from experiments.records.record import JobRecord
from experiments.report.cells import Cell
from experiments.report.palette import job_variable

WIDTH = 1000
LANE = 5
_GAP = 1.0
"""Bars of one lane that are nearer than this (per mille) are drawn as one."""


@dataclass(frozen=True)
class Span:
    """A bar from `x` over `width`, per mille of the axis."""

    x: float
    width: float
    title: str


@dataclass(frozen=True)
class JobRow:
    """One job: its wait from submission to start, and its stages, those that overlap in different lanes.

    `twin` is the range in which it would have ended by the twin, and `twin_x` the mean.
    """

    job_id: str
    colour: str
    wait: Span
    lanes: tuple[tuple[Span, ...], ...]
    twin: Span | None
    twin_x: float


@dataclass(frozen=True)
class Bars:
    """All bars of one job on one host, as a path."""

    job_id: str
    colour: str
    path: str


@dataclass(frozen=True)
class HostRow:
    """Containers of one host, each in a lane while it was `held`; it was `busy` while tasks ran in it."""

    host: str
    rack: int
    height: int
    held: tuple[Bars, ...]
    busy: tuple[Bars, ...]


def job_rows(cell: Cell, job_ids: Iterable[str], end_s: float) -> tuple[JobRow, ...]:
    """Jobs and their stages, in the given order."""
    jobs = {job.job_id: job for job in cell.record.jobs}
    prediction = cell.record.prediction
    said = {job.job_id: job.completion_time for job in prediction.jobs} if prediction else {}
    rows = []
    for index, job_id in enumerate(job_ids):
        if job_id not in jobs:
            continue
        job = jobs[job_id]
        started_s = job.submitted_s if job.started_s is None else job.started_s
        waited = f"{job_id} waited {numerals.seconds(started_s - job.submitted_s)}"
        wait = _span(job.submitted_s, started_s, end_s, waited)
        twin, twin_x = None, 0.0
        if (time := said.get(job_id)) is not None:
            title = f"by the twin after {numerals.number(time.low_s)} to {numerals.seconds(time.high_s)}"
            twin = _span(job.submitted_s + time.low_s, job.submitted_s + time.high_s, end_s, title)
            twin_x = _at(job.submitted_s + time.mean_s, end_s)
        rows.append(JobRow(job_id, job_variable(index), wait, _stage_lanes(job, end_s), twin, twin_x))
    return tuple(rows)


def host_rows(cell: Cell, job_ids: tuple[str, ...], end_s: float) -> tuple[HostRow, ...]:
    """Containers by host, in the order of the topology."""
    busy = _busy_spans(cell)
    held: dict[str, list[tuple[float, float, str, int]]] = {}
    for job in cell.record.jobs:
        if job.started_s is None:
            continue
        finish_s = end_s if job.finished_s is None else job.finished_s
        for container, host in enumerate(job.placement):
            held.setdefault(host, []).append((job.started_s, finish_s, job.job_id, container))
    rows = []
    for node in cell.record.network.hosts:
        lanes: list[float] = []
        held_paths: dict[str, list[str]] = {}
        busy_paths: dict[str, list[str]] = {}
        for start, finish, job_id, container in sorted(held.get(node.name, ())):
            lane = next((index for index, free in enumerate(lanes) if free <= start), len(lanes))
            lanes[lane : lane + 1] = [finish]
            y = lane * (LANE + 1)
            held_paths.setdefault(job_id, []).append(_box(start, finish, y, end_s))
            spans = _merged(busy.get((job_id, container), ()), _GAP * end_s / WIDTH)
            busy_paths.setdefault(job_id, []).extend(_box(first, last, y, end_s) for first, last in spans)
        height = max(2, len(lanes)) * (LANE + 1)
        rows.append(HostRow(node.name, node.rack, height, _bars(held_paths, job_ids), _bars(busy_paths, job_ids)))
    return tuple(rows)


def _stage_lanes(job: JobRecord, end_s: float) -> tuple[tuple[Span, ...], ...]:
    lanes: list[list[Span]] = []
    free: list[float] = []
    for stage in sorted(job.stages, key=lambda stage: stage.started_s):
        finish_s = stage.finished_s if stage.finished_s is not None else end_s
        title = f"{job.job_id}, {stage.name}: {numerals.seconds(finish_s - stage.started_s)}"
        if stage.planned_bytes:
            title += f", {numerals.size(stage.planned_bytes)}"
        lane = next((index for index, at in enumerate(free) if at <= stage.started_s + 1e-9), len(lanes))
        if lane == len(lanes):
            lanes.append([])
            free.append(0.0)
        lanes[lane].append(_span(stage.started_s, finish_s, end_s, title))
        free[lane] = finish_s
    return tuple(tuple(lane) for lane in lanes)


def _busy_spans(cell: Cell) -> dict[tuple[str, int], list[tuple[float, float]]]:
    """When each container of each job had a task that ran, by job and container.

    Tasks fill the containers in order, the same number into each but the application master's. Of a job that was
    attempted again these are the tasks of the last attempt, whose containers the record has.
    """
    import polars as pl

    began = {job.job_id: job.started_s or 0.0 for job in cell.record.jobs}
    since = pl.col("job").replace_strict(began, default=0.0, return_dtype=pl.Float64)
    tasks = (
        cell.events.filter(pl.col("task").is_not_null() & (pl.col("time_s") >= since))
        .group_by("job", "stage", "task")
        .agg(pl.min_horizontal("start_s", "time_s").min().alias("start"), pl.col("time_s").max().alias("end"))
        .sort("start")
    )
    most = dict(tasks.group_by("job").agg(pl.col("task").max() + 1).iter_rows())
    slots = {job.job_id: -(-most.get(job.job_id, 0) // max(1, len(job.placement) - 1)) or 1 for job in cell.record.jobs}
    spans: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for job, task, start, end in tasks.select("job", "task", "start", "end").iter_rows():
        spans.setdefault((job, 1 + task // slots.get(job, 1)), []).append((start, end))
    return spans


def _merged(spans: Iterable[tuple[float, float]], gap_s: float) -> list[tuple[float, float]]:
    merged: list[tuple[float, float]] = []
    for start, end in spans:
        if merged and start - merged[-1][1] <= gap_s:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _span(start_s: float, finish_s: float, end_s: float, title: str) -> Span:
    return Span(_at(start_s, end_s), round(max(0.0, _at(finish_s, end_s) - _at(start_s, end_s)), 1), title)


def _box(start_s: float, finish_s: float, y: int, end_s: float) -> str:
    x = _at(start_s, end_s)
    width = round(max(0.5, _at(finish_s, end_s) - x), 1)
    return f"M{x:g} {y}h{width:g}v{LANE}h-{width:g}z"


def _at(time_s: float, end_s: float) -> float:
    return round(WIDTH * min(1.0, max(0.0, time_s / end_s)), 1) if end_s > 0 else 0.0


def _bars(paths: Mapping[str, Sequence[str]], job_ids: Sequence[str]) -> tuple[Bars, ...]:
    return tuple(Bars(job_id, job_variable(job_ids.index(job_id)), "".join(boxes)) for job_id, boxes in paths.items())
