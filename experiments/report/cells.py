"""What the report draws of each strategy on each network: one run of every such cell, and the values of all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.analysis.comparison import Comparison, compare
from experiments.analysis.pairing import select, summed_time_s
from experiments.records.record import RunRecord
from experiments.records.results_folder import RunFolder
from experiments.records.series import SeriesError

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class Cell:
    """One strategy on one network.

    Attributes:
        place: number of the strategy in the experiment, which decides on its colour.
        record: of the run that is drawn in detail, the one whose summed time is the (lower) median.
        used: records of all runs that entered the figures.
        events, links, fidelity, transactions: series of the run that is drawn.
    """

    strategy: str
    index: int
    record: RunRecord
    used: tuple[RunRecord, ...]
    events: pl.DataFrame
    links: pl.DataFrame
    fidelity: pl.DataFrame
    transactions: pl.DataFrame

    @property
    def end_s(self) -> float:
        """When the last job of the drawn run finished."""
        return max((job.finished_s for job in self.record.jobs if job.finished_s is not None), default=0.0)


@dataclass(frozen=True)
class Network:
    """All strategies on one network, in the order of the comparison."""

    blocking_factor: float | None
    baseline: str
    cells: tuple[Cell, ...]

    @property
    def end_s(self) -> float:
        """Right end of a time axis that all strategies share."""
        return max((cell.end_s for cell in self.cells), default=0.0)

    @property
    def job_ids(self) -> tuple[str, ...]:
        """Jobs in the order of their submission."""
        jobs = {job.job_id: job.submitted_s for cell in self.cells for job in cell.record.jobs}
        return tuple(sorted(jobs, key=lambda job_id: (jobs[job_id], job_id)))


@dataclass(frozen=True)
class Evidence:
    """Everything that a report is made from."""

    title: str
    comparison: Comparison
    networks: tuple[Network, ...]
    records: tuple[RunRecord, ...]
    specification_yaml: str
    folder: Path


def gather(
    records: tuple[RunRecord, ...],
    folders: Callable[[str], RunFolder],
    specification_yaml: str,
    folder: Path,
    allow_mixed: bool = False,
) -> Evidence:
    """Read the series of those runs that are drawn; one whose series are damaged is listed as such, not drawn.

    Args:
        records: of all runs, in the order in which they were started.
        folders: where a run is, by its id.
        specification_yaml: what the runs follow.
        folder: holds all of it.
        allow_mixed: see `compare`.

    Raises:
        MixedRunsError: see `compare`.
    """
    comparison = compare(records, allow_mixed=allow_mixed)
    places: dict[str, int] = {}
    for network in comparison.networks:
        for label in [network.baseline, *(summary.strategy for summary in network.strategies)]:
            places.setdefault(label, len(places))
    networks = []
    for network in comparison.networks:
        cells = []
        for summary in network.strategies:
            used = select(records, summary.strategy, network.blocking_factor).runs
            drawn = sorted(used, key=summed_time_s)[(len(used) - 1) // 2]
            run = folders(drawn.run_id)
            try:
                series = (run.events(), run.links(), run.fidelity(), run.transactions())
            except SeriesError as error:
                damaged = drawn.updated(status="damaged", reason=str(error))
                others = tuple(damaged if record is drawn else record for record in records)
                return gather(others, folders, specification_yaml, folder, allow_mixed)
            cells.append(Cell(summary.strategy, places[summary.strategy], drawn, used, *series))
        networks.append(Network(network.blocking_factor, network.baseline, tuple(cells)))
    return Evidence(comparison.experiment, comparison, tuple(networks), records, specification_yaml, folder)
