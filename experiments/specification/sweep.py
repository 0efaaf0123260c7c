"""A sweep: one experiment repeated at every combination of some values, and what was published about them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator, model_validator

from experiments.documents.diagnostics import SpecificationError, nearest
from experiments.specification import plan, specification_file
from experiments.specification.job_files import is_path
from experiments.specification.model import MOST_RUNS, Specification
from experiments.specification.parts import Name, Part
from experiments.specification.workload import submissions

SCHEMA_VERSION: Final = 1
_LONGEST_ID = 36
_LONGEST_NAME = 61  # of a specification

MOST_POINTS = 10_000

Values = Annotated[tuple[Any, ...], Field(min_length=1)]


class PublishedReduction(Part):
    """A published change of the job times of a strategy against the first strategy."""

    at: dict[str, Any] = Field(default={}, description="Varied values; it holds at the points that have all of them")
    strategy: str = Field(description="Label of the strategy")
    jobs: tuple[str, ...] | None = Field(default=None, description="Only these jobs, by job id; all when left out")
    of: Literal["sum", "mean"] = Field(
        default="sum", description="sum: of the jobs' summed time; mean: the mean of each job's own reduction"
    )
    reduction: Annotated[float, Field(lt=1, allow_inf_nan=False)] = Field(
        description="Share of the first strategy's time: 0.396 is 39.6 % less"
    )


class PublishedBest(Part):
    """The strategy that was published as the fastest."""

    at: dict[str, Any] = Field(default={}, description="Varied values; it holds at the points that have all of them")
    strategy: str = Field(description="Label of the strategy")


class Published(Part):
    """Numbers to put beside the measured ones."""

    source: str = Field(description="Where they were published")
    reductions: tuple[PublishedReduction, ...] = ()
    best: tuple[PublishedBest, ...] = ()


class Sweep(Part):
    """The runs of a base specification at every point of a product of values."""

    schema_version: Literal[1] = SCHEMA_VERSION
    name: Name
    description: str = ""
    base: Specification = Field(description="A preset, the path of a specification, or a specification in full")
    set: dict[str, Any] = Field(default={}, description="Values of the base to replace, by dotted path")
    vary: Annotated[dict[str, Values], Field(min_length=1)] = Field(
        description="Values to combine, by dotted path; the first key is the outermost loop"
    )
    published: Published | None = None

    @field_validator("vary")
    @classmethod
    def _once(cls, vary: dict[str, Values]) -> dict[str, Values]:
        if (count := prod(map(len, vary.values()))) > MOST_POINTS:
            raise ValueError(f"makes {count:,} points; give fewer values, {MOST_POINTS:,} points at most")
        for key, values in vary.items():
            for value in values:
                if values.count(value) > 1:
                    raise ValueError(f"{key}: {value!r} is given twice; remove one, and use `repeats` to repeat runs")
        return vary

    @model_validator(mode="after")
    def _consistent(self) -> Sweep:
        for key in self.vary:
            if key in self.set:
                raise ValueError(f"set.{key}: is varied as well; remove it here or under `vary`")
        for place, entry in self._published_entries():
            for key, value in entry.at.items():
                if key not in self.vary:
                    raise ValueError(f"{place}.at.{key}: is not varied; {nearest(key, self.vary)}")
                if value not in self.vary[key]:
                    known = nearest(str(value), map(str, self.vary[key]))
                    raise ValueError(f"{place}.at.{key}: {value!r} is not among the varied values; {known}")
        return self

    def _published_entries(self) -> Iterator[tuple[str, PublishedReduction | PublishedBest]]:
        if self.published is not None:
            for kind in ("reductions", "best"):
                for index, entry in enumerate(getattr(self.published, kind)):
                    yield f"published.{kind}.{index}", entry


@dataclass(frozen=True)
class Point:
    """One combination of the varied values, as an experiment; `id` is unique in the sweep and names a folder."""

    id: str
    values: Mapping[str, Any]
    specification: Specification

    def has(self, values: Mapping[str, Any]) -> bool:
        """Whether the point has all of these varied values."""
        return all(key in self.values and self.values[key] == value for key, value in values.items())


def points(sweep: Sweep) -> tuple[Point, ...]:
    """All points of a sweep, the first varied key outermost.

    Raises:
        SpecificationError: a value that cannot be set; one line for each, with its points.
    """
    base = specification_file.replace(sweep.base, sweep.set.items())
    combinations = list(product(*sweep.vary.values()))
    found: list[Point] = []
    problems: list[tuple[str, str]] = []
    for number, combination in enumerate(combinations, 1):
        values = dict(zip(sweep.vary, combination, strict=True))
        point_id = _point_id(number, len(combinations), sweep.vary, values)
        name = f"{sweep.name[: _LONGEST_NAME - len(point_id) - 1]}-{point_id}"
        try:
            specification = specification_file.replace(base, [*values.items(), ("name", name)])
        except SpecificationError as error:
            problems += [(line, point_id) for line in error.problems]
        else:
            found.append(Point(point_id, values, specification))
    if problems:
        raise SpecificationError(_with_points(problems, len(combinations)))
    return tuple(found)


def check(sweep: Sweep) -> tuple[Point, ...]:
    """The points of a sweep, after everything that can be checked without running.

    Raises:
        SpecificationError: what cannot run, with the points at which; or published numbers that no run can have.
    """
    checked = points(sweep)
    problems: list[tuple[str, str]] = []
    for point in checked:
        try:
            plan.check(point.specification)
        except SpecificationError as error:
            problems += [(line, point.id) for line in error.problems]
    runs = sum(point.specification.run_count for point in checked)
    lines = list(_with_points(problems, len(checked)))
    if runs > MOST_RUNS:
        lines.append(f"vary: makes {runs:,} runs at {len(checked):,} points; give at most {MOST_RUNS:,} in all")
    if not lines:
        lines = list(dict.fromkeys(_unmatched(sweep, checked)))
    if lines:
        raise SpecificationError(lines)
    return checked


def _unmatched(sweep: Sweep, checked: Iterable[Point]) -> Iterator[str]:
    """Published numbers of strategies or jobs that are not there."""
    for place, entry in sweep._published_entries():
        for point in (point for point in checked if point.has(entry.at)):
            labels = [strategy.label for strategy in point.specification.strategies]
            if entry.strategy not in labels:
                yield f"{place}.strategy: {entry.strategy!r}: no such label; {nearest(entry.strategy, labels)}"
            job_ids = [submission.job_id for submission in submissions(point.specification)]
            for job_id in getattr(entry, "jobs", None) or ():
                if job_id not in job_ids:
                    yield f"{place}.jobs: {job_id!r}: no such job at {point.id}; {nearest(job_id, job_ids)}"


def _with_points(problems: Iterable[tuple[str, str]], count: int) -> Iterator[str]:
    """Each problem once, with the points that have it."""
    places: dict[str, list[str]] = {}
    for line, point_id in problems:
        places.setdefault(line, []).append(point_id)
    for line, ids in places.items():
        if len(ids) == count:
            where = "at every point" if count > 1 else f"at point {ids[0]}"
        else:
            more = f" and {len(ids) - 3} more" if len(ids) > 3 else ""
            where = f"at {'points' if len(ids) > 1 else 'point'} {', '.join(ids[:3])}{more}"
        yield f"{line} ({where})"


def _point_id(number: int, count: int, vary: Mapping[str, Values], values: Mapping[str, Any]) -> str:
    words = "-".join(_word(key, value, vary[key].index(value)) for key, value in values.items())
    slug = re.sub(r"[^A-Za-z0-9._]+", "-", words)[:_LONGEST_ID].strip("-.")
    return "-".join(filter(None, [f"p{number:0{max(2, len(str(count)))}d}", slug]))


def _word(key: str, value: object, index: int) -> str:
    """A varied value in a few letters: a name as it is, a number behind the name of its key."""
    name = next((part for part in reversed(key.split(".")) if not part.isdecimal()), key)
    if isinstance(value, str):
        return Path(value).stem if is_path(value) else value
    if isinstance(value, (bool, int, float)):
        return f"{name}{value}"
    return f"{name}{index + 1}"
