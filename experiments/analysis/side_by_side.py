"""Runs of several results folders side by side: how each later folder's times differ from the first one's, and why.

A pair is two runs with the same strategy, network and seed, one of either folder. Without pairs no change is given.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.analysis.comparison import SetAside, set_aside
from experiments.analysis.estimates import Reduction, Spread
from experiments.analysis.likeness import MixedRunsError, differences, distinct, kinds, origin
from experiments.analysis.pairing import change, select, summed_time_s, time_of
from experiments.documents.yaml_document import flat
from experiments.records.record import Kind, RunRecord
from experiments.records.results_folder import ResultsFolder
from experiments.specification.plan import runs_of

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Planned:
    """A run that a specification asks for."""

    strategy: str
    blocking_factor: float | None
    seed: int


@dataclass(frozen=True)
class Source:
    """What one results folder planned and recorded."""

    name: str
    planned: tuple[Planned, ...]
    records: tuple[RunRecord, ...]


@dataclass(frozen=True)
class Difference:
    """Something that is not the same everywhere; `values` has those of each folder, several where its runs differ."""

    key: str
    values: tuple[tuple[Any, ...], ...]

    @property
    def contradicts(self) -> bool:
        """Whether two folders have different values; one that has none contradicts nothing."""
        given = [values for values in self.values if values]
        return any(values != given[0] for values in given[1:])


@dataclass(frozen=True)
class Row:
    """One job, or all when `job_id` is None, under one strategy on one network; an entry for each folder.

    `reductions` are against the first folder's time over the pairs that both have: None for the first folder itself
    and without pairs.
    """

    strategy: str
    blocking_factor: float | None
    job_id: str | None
    times_s: tuple[Spread | None, ...]
    reductions: tuple[Reduction | None, ...]
    doubtful: tuple[bool, ...]


@dataclass(frozen=True)
class Missing:
    """A run that some folder has and this one has not."""

    folder: str
    run: Planned
    reason: str


@dataclass(frozen=True)
class SideBySide:
    """Several folders, the first being the reference.

    Attributes:
        kinds: by folder, whether its runs were emulated or simulated; both where they are mixed, none without runs.
        unlike: what keeps this from being a comparison of like with like: machines, versions, divisors.
        specification: keys in which the specifications differ.
        set_aside: by folder, runs that are not in the figures or are doubtful.
    """

    folders: tuple[str, ...]
    kinds: tuple[tuple[Kind, ...], ...]
    unlike: tuple[Difference, ...]
    specification: tuple[Difference, ...]
    rows: tuple[Row, ...]
    set_aside: tuple[tuple[str, tuple[SetAside, ...]], ...]
    missing: tuple[Missing, ...]


def read(folder: ResultsFolder) -> Source:
    """What a results folder holds.

    Raises:
        RecordError, SpecificationError: one of its files cannot be read.
    """
    runs = runs_of(folder.specification())
    planned = tuple(Planned(run.strategy.label, run.blocking_factor, run.seed) for run in runs)
    return Source(str(folder.path), planned, folder.records())


def compare_folders(sources: Sequence[Source], allow_mixed: bool = False) -> SideBySide:
    """Put the runs of some folders side by side, emulated and simulated ones as well.

    Raises:
        MixedRunsError: fewer than two folders; or they, or the runs of one, come from different machines, versions or
            divisors, and `allow_mixed` is not set.
    """
    if len(sources) < 2:
        raise MixedRunsError(f"folders: {len(sources)} given; give at least two to compare")
    unlike = tuple(found for found in _differences(sources, lambda record: flat(origin(record))) if found.contradicts)
    if not allow_mixed:
        for source in sources:
            if mixed := differences(source.records):
                raise MixedRunsError(f"{source.name}: its own runs differ in {'; '.join(mixed)}; add --allow-mixed")
        if unlike:
            lines = [
                f"{found.key}: {' | '.join(in_words(values, 'none') for values in found.values)}" for found in unlike
            ]
            remedy = "this compares no like with like; add --allow-mixed to see it nevertheless"
            raise MixedRunsError("\n".join([*lines, remedy]))
    planned = list(dict.fromkeys(run for source in sources for run in source.planned))
    return SideBySide(
        folders=tuple(source.name for source in sources),
        kinds=tuple(kinds(source.records) for source in sources),
        unlike=unlike,
        specification=tuple(_differences(sources, lambda record: flat(record.specification))),
        rows=tuple(_rows(sources, list(dict.fromkeys((run.strategy, run.blocking_factor) for run in planned)))),
        set_aside=tuple((source.name, tuple(_set_aside(source))) for source in sources),
        missing=tuple(_missing(sources, planned)),
    )


def to_json(found: SideBySide) -> str:
    """The whole as one JSON object; times in modelled seconds, reductions as shares of 1."""
    return json.dumps({"schema_version": SCHEMA_VERSION, **dataclasses.asdict(found)}, indent=1)


def _differences(sources: Sequence[Source], aspect: Callable[[RunRecord], Mapping[str, Any]]) -> Iterator[Difference]:
    """Keys, dotted, whose values are not the same in the finished runs of all folders."""
    columns = [distinct(source.records, aspect) for source in sources]
    for key in dict.fromkeys(key for column in columns for key in column):
        texts = [tuple(column.get(key, {})) for column in columns if column]
        if len(set(texts)) > 1:
            yield Difference(key, tuple(tuple(column.get(key, {}).values()) for column in columns))


def _rows(sources: Sequence[Source], cells: Sequence[tuple[str, float | None]]) -> Iterator[Row]:
    for strategy, factor in cells:
        used = [select(source.records, strategy, factor) for source in sources]
        jobs = dict.fromkeys(job.job_id for found in used for record in found.runs for job in record.jobs)
        for job_id in (None, *jobs):
            measure = summed_time_s if job_id is None else time_of(job_id)
            changes = [None, *(change(used[0], later, measure) for later in used[1:])]
            spreads = tuple(found.spread(measure) for found in used)
            yield Row(strategy, factor, job_id, spreads, tuple(changes), tuple(found.doubtful for found in used))


def _set_aside(source: Source) -> Iterator[SetAside]:
    for record in source.records:
        if record.status != "finished":
            yield set_aside(record, False)
        elif record.doubtful:
            used = select(source.records, record.strategy, record.blocking_factor)
            yield set_aside(record, record in used.runs)


def _missing(sources: Sequence[Source], planned: Sequence[Planned]) -> Iterator[Missing]:
    for source in sources:
        there = {Planned(record.strategy, record.blocking_factor, record.seed) for record in source.records}
        for run in planned:
            if run not in there:
                yield Missing(source.name, run, "not run yet" if run in source.planned else "not in its specification")


def in_words(values: Sequence[Any], nothing: str) -> str:
    """Several values of a key on one line; `nothing` when there are none."""
    return ", ".join(value if isinstance(value, str) else json.dumps(value) for value in values) or nothing
