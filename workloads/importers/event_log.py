"""Logs of one JSON object a line: reading them, and errors that name the line."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from workloads.importers.trace import TraceError

_MOST = 2**63


def objects(lines: Iterable[str], source: str, needs: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects of a log, each with the place to name in errors; empty lines say nothing.

    Args:
        lines: One object each.
        source: Names the log in errors.
        needs: Name of the field that each object has.

    Raises:
        TraceError: a line is not an object that has this field.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        place = f"{source}: line {number}"
        try:
            found = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise TraceError(f"{place}: not JSON ({error}); give a whole log or remove the line") from error
        if not isinstance(found, dict) or needs not in found:
            raise TraceError(f"{place}: no {needs}; give a log whose events have one")
        yield place, found


@contextlib.contextmanager
def named(place: str, kind: str, remedy: str) -> Iterator[None]:
    """What is wrong with an event is said with its place, its kind and, where it lacks a field, a remedy.

    Raises:
        TraceError: within, the event turned out to lack a field or to have one of the wrong type.
    """
    try:
        yield
    except KeyError as error:
        raise TraceError(f"{place}: {kind} lacks {error}; {remedy}") from error
    except (TypeError, ValueError, AttributeError, RecursionError) as error:
        raise TraceError(f"{place}: {kind} is malformed ({error}); remove the line") from error


def whole(value: object) -> int:
    """A number of bytes, of milliseconds or the like.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < _MOST:
        raise ValueError(f"{str(value)[:40]!r} is no whole number from 0 on")
    return value


def text(value: object) -> str:
    """A name.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:40]!r} is no text")
    return value
