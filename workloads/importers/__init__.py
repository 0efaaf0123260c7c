"""Real traces as jobs of the testbed: Spark event logs, Hadoop job histories, Hadoop 1 jobs (MRemu) and coflows."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from workloads.importers import avro
from workloads.importers.coflow import import_coflows
from workloads.importers.jhist import import_job_history
from workloads.importers.mremu import import_hadoop_job
from workloads.importers.reading import lines
from workloads.importers.spark import import_spark_log
from workloads.importers.trace import ImportedJob, Trace, TraceError, profile_document

__all__ = ["FORMATS", "ImportedJob", "Trace", "TraceError", "detect", "import_trace", "profile_document"]

FORMATS = ("spark", "jhist", "mremu", "coflow")

_IMPORTERS: Mapping[str, Callable[[Iterable[str], str], Trace]] = {
    "spark": import_spark_log,
    "jhist": import_job_history,
    "mremu": lambda lines, source: import_hadoop_job("".join(lines), source),
    "coflow": import_coflows,
}


def import_trace(path: Path, trace_format: str = "auto") -> Trace:
    """The jobs of a trace.

    Args:
        path: A file, also packed by gzip, Zstandard or LZ4, or the folder of a Spark event log in several files.
        trace_format: `auto` or one of `FORMATS`.

    Raises:
        TraceError: it cannot be read or is not of the format.
    """
    if trace_format not in ("auto", *FORMATS):
        raise TraceError(f"format {trace_format!r}: give auto, {', '.join(FORMATS)}")
    notes: list[str] = []
    try:
        read = lines(path, notes)
        head: list[str] = []
        if trace_format == "auto":
            head = _up_to_the_first_that_says_something(read)
            trace_format = "spark" if path.is_dir() else detect(path.name, head[-1] if head else "")
        trace = _IMPORTERS[trace_format](itertools.chain(head, read), path.name)
    except TraceError as error:
        if not notes:
            raise
        raise TraceError(f"{error} ({'; '.join(notes)})") from error
    except OSError as error:
        raise TraceError(
            f"{path}: cannot be read ({error}); give a file, or the folder of a Spark event log"
        ) from error
    return replace(trace, notes=(*notes, *trace.notes))


def detect(source: str, first_line: str) -> str:
    """The format of a trace, by its first line.

    Raises:
        TraceError: it is none that is known.
    """
    if re.fullmatch(r"\s*\d+\s+\d+\s*", first_line):
        return "coflow"
    if first_line.strip() == avro.JSON:
        return "jhist"
    if first_line.lstrip().startswith("{"):
        try:
            document = json.loads(first_line)
        except (ValueError, RecursionError):
            return "mremu"
        return "spark" if "Event" in document else "mremu"
    raise TraceError(
        f"{source}: line 1: {first_line.strip()[:40]!r} begins no known format; give --format if it is one"
    )


def _up_to_the_first_that_says_something(read: Iterator[str]) -> list[str]:
    """Lines up to the first that is neither empty nor a comment."""
    head = []
    for line in read:
        head.append(line)
        if line.strip() and not line.startswith("#"):
            break
    return head
