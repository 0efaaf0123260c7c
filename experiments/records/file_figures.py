"""What clients' operations on tracked files took: until a file was there, was kept, and was proven."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

from pydantic import Field

from experiments.records.file_operations import FileOperation
from experiments.records.values import Count, Text, Value
from retention.transactions import Transaction
from workloads.coordination.events import Event

Range = tuple[float, float, float]

QUANTITIES = ("available_s", "hashed_s", "confirmed_s", "proven_s", "gas")


class FileFigures(Value):
    """Operations of one kind on files of one size; each range is the least, the median and the most.

    Times are modelled seconds; null where there are none.
    """

    operation: Text
    bytes: Count
    count: Count
    available_s: Range | None = Field(description="until it was written, or read")
    hashed_s: Range | None = Field(default=None, description="from then until it was hashed and handed over")
    confirmed_s: Range | None = Field(default=None, description="from when it was written until that was confirmed")
    proven_s: Range | None = Field(default=None, description="of what was read: from then until it was proven")
    gas: Range | None = None


def figures(
    operations: Iterable[FileOperation],
    transactions: Iterable[Transaction],
    events: Iterable[Event],
    jobs: Collection[str],
    modelled_s: Callable[[float], float],
) -> tuple[FileFigures, ...]:
    """Those of a run, by operation and size.

    Args:
        operations: all of them.
        transactions: what went to the ledger.
        events: of what was proven.
        jobs: whose files are left out.
        modelled_s: from the clock of operations and events to that of transactions.
    """
    sent = _by_file(transactions)
    proven = [event for event in events if event.kind == "validated" and event.start_s is not None]
    found: dict[tuple[str, int], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in operations:
        if one.user in jobs or one.operation not in ("create", "change", "read"):
            continue
        if one.operation == "read":
            values = _read(one, proven, modelled_s)
        else:
            values = _written(one, next(sent.get((one.file, one.operation), iter(())), None), modelled_s)
        for name, value in values.items():
            found[one.operation, one.bytes][name].append(value)
    return tuple(_figures(*key, values) for key, values in sorted(found.items()))


def _figures(operation: str, size: int, values: Mapping[str, Sequence[float]]) -> FileFigures:
    ranges = {name: (min(some), statistics.median(some), max(some)) for name, some in values.items()}
    count = len(values["available_s"])
    return FileFigures(operation=operation, bytes=size, count=count, **ranges)


def _by_file(transactions: Iterable[Transaction]) -> dict[tuple[str, str], Iterator[Transaction]]:
    """Transactions in their order, by name of the file and what was done to it."""
    found: dict[tuple[str, str], list[Transaction]] = defaultdict(list)
    for one in transactions:
        found[one.operation.uri, one.operation.kind].append(one)
    return {key: iter(ones) for key, ones in found.items()}


def _written(one: FileOperation, kept: Transaction | None, modelled_s: Callable[[float], float]) -> Mapping[str, float]:
    done_s = modelled_s(one.time_s)
    values = {"available_s": done_s - modelled_s(one.start_s)}
    if kept is not None:
        values["hashed_s"] = kept.asked_s - done_s
        if kept.confirmed_s is not None:
            values["confirmed_s"] = kept.confirmed_s - done_s
        if kept.gas is not None:
            values["gas"] = float(kept.gas)
    return values


def _read(one: FileOperation, proven: Iterable[Event], modelled_s: Callable[[float], float]) -> Mapping[str, float]:
    """A read ends when it is proven; what that took is not part of reading."""
    took_s = modelled_s(one.time_s) - modelled_s(one.start_s)
    spans = {
        (event.start_s, event.time_s)
        for event in proven
        if event.detail is not None
        and (event.detail == one.file or event.detail.startswith(f"{one.file} "))
        and event.start_s is not None
        and one.start_s <= event.start_s <= event.time_s <= one.time_s
    }
    if not spans:
        return {"available_s": took_s}
    proving_s = sum(modelled_s(end) - modelled_s(start) for start, end in spans)
    return {"available_s": took_s - proving_s, "proven_s": proving_s}
