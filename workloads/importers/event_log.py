"""Logs of one JSON object a line: reading them, and errors that name the line."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Annotated, TypeVar

import msgspec

from workloads.importers.trace import TraceError

Whole = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""A number of bytes, of milliseconds or the like."""

_Header = TypeVar("_Header")


def headers(
    lines: Iterable[str], source: str, header: type[_Header], remedy: str
) -> Iterator[tuple[str, str, _Header]]:
    """The events of a log: of each the place to name in errors, its line, and of that the part by which to read the
    rest. Empty lines say nothing.

    Args:
        lines: One event each.
        source: Names the log in errors.
        header: What each event has.
        remedy: What to give instead of a log with lines that are none.

    Raises:
        TraceError: a line is not JSON, or has no such header.
    """
    decode = msgspec.json.Decoder(header).decode
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{source}: line {number}"
        with named(place, "event", remedy):
            found = decode(line)
        yield place, line, found


@contextlib.contextmanager
def named(place: str, kind: str, remedy: str) -> Iterator[None]:
    """What is wrong with an event is said with its place, its kind and a remedy.

    Raises:
        TraceError: within, the event turned out to lack a field or to have one of the wrong type or value.
    """
    try:
        yield
    except (ValueError, RecursionError) as error:  # those of msgspec are ValueErrors
        raise TraceError(f"{place}: {kind} is malformed ({error}); {remedy}") from error
