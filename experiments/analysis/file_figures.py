"""What clients' operations on tracked files took over some runs, beside what was published."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import ValidationError

from experiments.documents import numerals
from experiments.records.file_figures import QUANTITIES, FileFigures, Range
from experiments.records.record import RunRecord
from experiments.specification.published import PublishedSpec

SHARE = "proven_share"
"""What proving takes over what reading takes."""


WORDS = {
    "available_s": "available after, s",
    "hashed_s": "hashed after, s",
    "confirmed_s": "confirmed after, s",
    "proven_s": "proven after, s",
    SHARE: "proven, share of reading",
    "gas": "gas",
}


@dataclass(frozen=True)
class FileFigure:
    """A quantity of operations of a kind on files of a size, over some runs, and what was published of it.

    Attributes:
        operation: create, change or read.
        bytes: of the files; None of all sizes.
        of: see `records.file_figures`, and `SHARE`.
        count: operations in all.
        measured: the least, the median of the runs' medians, and the most; None where nothing was measured.
        published: the same, where a range was; None where nothing was.
        impossible: why what was published cannot be.
    """

    operation: str
    bytes: int | None
    of: str
    count: int
    measured: Range | None
    published: tuple[float | None, float, float | None] | None = None
    impossible: str = ""

    @property
    def about(self) -> str:
        """Of which operations on which files."""
        return f"{self.operation}, {'all sizes' if self.bytes is None else numerals.size(self.bytes)}"

    @property
    def verdict(self) -> str:
        """How the measured figure lies to the published one, in words; empty where there is none of either."""
        if self.impossible:
            return f"impossible: {self.impossible}"
        if self.published is None:
            return ""
        if self.measured is None:
            return "not measured"
        if self.within is not None:
            return "within" if self.within else "outside"
        return f"x {self.measured[1] / self.published[1]:.3g}" if self.published[1] else ""

    @property
    def within(self) -> bool | None:
        """Whether the measured median lies in the published range; None where there is no range or no measurement."""
        if self.measured is None or self.published is None or self.impossible:
            return None
        low, _, high = self.published
        return None if low is None or high is None else low <= self.measured[1] <= high


def file_figures(records: Sequence[RunRecord]) -> tuple[FileFigure, ...]:
    """Those of runs that retained files: each that was measured, and each that was published."""
    every = [one for record in records if record.retention is not None for one in record.retention.files]
    if not every:
        return ()
    said = _published(records)
    rows = {(row.operation, row.bytes, row.of): row for row in _measured(every)}
    for entry in said.figures:
        key = entry.operation, entry.bytes, entry.of
        some = [one for one in every if one.operation == entry.operation and entry.bytes in (None, one.bytes)]
        given = entry.low, entry.median, entry.high
        row = rows[key] if key in rows else _row(*key, some)
        rows[key] = dataclasses.replace(row, published=given, impossible=entry.impossible)
    return tuple(sorted(rows.values(), key=lambda row: (row.operation, row.of, row.bytes is None, row.bytes or 0)))


def source(records: Sequence[RunRecord]) -> str:
    """Where figures were published that are beside those of some runs; empty where none were."""
    return _published(records).source


def _published(records: Sequence[RunRecord]) -> PublishedSpec:
    """What the specification of the runs says, which another version may have written."""
    try:
        return PublishedSpec.model_validate(records[0].specification.get("published"))
    except ValidationError:
        return PublishedSpec(source="")


def _measured(every: Iterable[FileFigures]) -> Iterator[FileFigure]:
    by_kind: dict[tuple[str, int], list[FileFigures]] = {}
    for one in every:
        by_kind.setdefault((one.operation, one.bytes), []).append(one)
    for (operation, size), some in by_kind.items():
        for of in (*QUANTITIES, SHARE):
            row = _row(operation, size, of, some)
            if row.measured is not None:
                yield row


def _row(operation: str, size: int | None, of: str, some: Sequence[FileFigures]) -> FileFigure:
    ranges = [found for one in some if (found := _range(one, of)) is not None]
    measured = None
    if ranges:
        lows, medians, highs = zip(*ranges, strict=True)
        measured = min(lows), float(np.median(medians)), max(highs)
    return FileFigure(operation, size, of, sum(one.count for one in some), measured)


def _range(one: FileFigures, of: str) -> Range | None:
    if of != SHARE:
        found: Range | None = getattr(one, of)
        return found
    if one.proven_s is None or one.available_s is None:
        return None
    low, median, high = (part / one.available_s[1] for part in one.proven_s)
    return low, median, high
