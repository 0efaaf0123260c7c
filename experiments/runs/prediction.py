"""Predictions of emulated runs: each simulated many times, with the same data, placement and plan, over other ways."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from experiments.records import outcome
from experiments.records.draws import JobRun, directions, job_runs, predict, predicted
from experiments.records.record import RunRecord, ScaleRecord, now
from experiments.records.results_folder import Assignment, RunFolder
from experiments.runs.processes import ProcessesError, side_by_side
from experiments.runs.progress import Reporter
from experiments.runs.simulated_run import simulate
from experiments.specification.plan import Run
from experiments.specification.resolved_run import resolve
from twin.pool import Tcp
from workloads.scale import Scale

Draw = dict[str, JobRun]

_ALL_DRAWS, _LEAST_DRAWS = 60, 20


@dataclass(frozen=True)
class _Order:
    """One draw of a run; `place` is the run's."""

    place: int
    run: Run
    scale: Scale
    number: int


@dataclass
class _Wanted:
    """A run that is to be predicted from so many draws, and these as they come."""

    name: str
    folder: RunFolder
    record: RunRecord
    run: Run
    scale: ScaleRecord
    count: int
    draws: dict[int, Future[Draw]] = field(default_factory=dict)


def add(assignments: Iterable[Assignment], draws: int | None, processes: int, reporter: Reporter) -> list[str]:
    """Predict the finished emulated runs that have no prediction yet; their records keep it.

    Args:
        assignments: the runs, some of which may have been repeated.
        draws: simulations of each, none with 0; None makes `usual_draws`.
        processes: how many at a time.
        reporter: shows how far it is.

    Returns:
        A line for each run that has no prediction afterwards, with the reason.

    Raises:
        KeyboardInterrupt, SystemExit: the user stopped it; predictions so far are in the records.
    """
    wanted = list(_unpredicted(assignments, draws)) if draws != 0 else []
    orders = [
        _Order(place, one.run, Scale(one.scale.rate_divisor, one.scale.volume_divisor), number)
        for place, one in enumerate(wanted)
        for number in range(1, one.count + 1)
    ]
    try:
        return _predict(wanted, orders, processes, reporter) if orders else []
    except ProcessesError as error:
        return [f"nothing is predicted: {error}"]


def usual_draws(repeats: int) -> int:
    """How many draws of a run are enough: some of each run, and many of all repeats together."""
    return max(_LEAST_DRAWS, math.ceil(_ALL_DRAWS / repeats))


def _predict(wanted: Sequence[_Wanted], orders: Sequence[_Order], processes: int, reporter: Reporter) -> list[str]:
    problems = []
    with reporter.runs(len(wanted)) as show:
        last_s = time.monotonic()
        for order, future in side_by_side(_draw, orders, min(processes, len(orders))):
            one = wanted[order.place]
            one.draws[order.number] = future
            if len(one.draws) == one.count:
                with show(f"{one.name}: prediction", last_s) as on_progress:
                    problem = _keep(one)
                    on_progress(problem or f"{one.count} simulations")
                problems += [f"{one.name} is not predicted: {problem}"] if problem else []
                last_s = time.monotonic()
    return problems


def _unpredicted(assignments: Iterable[Assignment], draws: int | None) -> Iterator[_Wanted]:
    for assignment in assignments:
        for run_id in (assignment.run.id, f"{assignment.run.id}-again"):
            folder = assignment.folder.run(run_id)
            record = folder.record() if (folder.path / "record.json").is_file() else None
            if record is None or record.status != "finished" or record.kind != "emulated":
                continue
            if record.prediction is None and record.scale is not None:
                run = dataclasses.replace(assignment.run, id=run_id)
                count = usual_draws(run.specification.repeats) if draws is None else draws
                yield _Wanted(f"{assignment.prefix}{run_id}", folder, record, run, record.scale, count)


def _draw(order: _Order) -> Draw:
    run = resolve(order.run)
    tcp = Tcp.of_emulation(run.specification.network.constants(order.scale))
    simulated = simulate(run, order.scale, tcp=tcp, draw=order.number)
    racks = {host.name: host.rack for host in run.topology.hosts}
    links = outcome.link_frame(simulated, order.scale)
    return job_runs(outcome.job_records(simulated, order.scale, racks), links, directions(run.topology))


def _keep(one: _Wanted) -> str | None:
    """Write the prediction into the run's record; or why there is none."""
    try:
        draws = [one.draws.pop(number).result() for number in sorted(one.draws)]
        links = directions(one.record.network)
        prediction = predict(job_runs(one.record.jobs, one.folder.links(), links), draws, links)
    except Exception as error:
        return " ".join(str(error).split()) or type(error).__name__
    with one.folder.writing(now) as writer:
        writer.save(predicted(one.record, prediction))
    return None
