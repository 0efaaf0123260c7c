"""Real traces as jobs of the testbed: Spark event logs, Hadoop 1 jobs (MRemu) and coflow benchmark traces."""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import zstandard

from workloads.importers.coflow import import_coflows
from workloads.importers.mremu import import_hadoop_job
from workloads.importers.spark import import_spark_log
from workloads.importers.trace import ImportedJob, Trace, TraceError, profile_document

__all__ = ["FORMATS", "ImportedJob", "Trace", "TraceError", "detect", "import_trace", "profile_document"]

FORMATS = ("spark", "mremu", "coflow")
_ROLLED = re.compile(r"events_(\d+)_")


def import_trace(path: Path, trace_format: str = "auto") -> Trace:
    """The jobs of a trace.

    Args:
        path: A file, also compressed (`.gz`, `.zst`, `.zstd`), or the folder of a Spark event log in several files.
        trace_format: `auto` or one of `FORMATS`.

    Raises:
        TraceError: it cannot be read or is not of the format.
    """
    if trace_format not in ("auto", *FORMATS):
        raise TraceError(f"format {trace_format!r}: give auto, {', '.join(FORMATS)}")
    try:
        if trace_format == "auto":
            trace_format = "spark" if path.is_dir() else detect(path.name, next(_lines(path), ""))
        if trace_format == "mremu":
            return import_hadoop_job("".join(_lines(path)), path.name)
        return (import_spark_log if trace_format == "spark" else import_coflows)(_lines(path), path.name)
    except UnicodeDecodeError as error:
        raise TraceError(f"{path}: not text in UTF-8; decompress it first, such as with zstd -d or lz4 -d") from error
    except (OSError, EOFError, zstandard.ZstdError) as error:
        raise TraceError(
            f"{path}: cannot be read ({error}); give a file, or the folder of a Spark event log"
        ) from error


def detect(source: str, first_line: str) -> str:
    """The format of a trace, by its first line.

    Raises:
        TraceError: it is none that is known.
    """
    if re.fullmatch(r"\s*\d+\s+\d+\s*", first_line):
        return "coflow"
    if first_line.lstrip().startswith("{"):
        try:
            document = json.loads(first_line)
        except json.JSONDecodeError:
            return "mremu"
        return "spark" if "Event" in document else "mremu"
    raise TraceError(
        f"{source}: line 1: {first_line.strip()[:40]!r} begins no known format; give --format if it is one"
    )


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file, or of all files of a log in their order."""
    if path.is_dir():
        found = [(int(match[1]), part) for part in path.iterdir() if (match := _ROLLED.match(part.name))]
        if not found:
            raise TraceError(f"{path}: no events_1_... in it; give the folder of one application's event log")
        for _, part in sorted(found):
            yield from _lines(part)
        return
    if path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            yield from lines
    elif path.suffix in (".zst", ".zstd"):
        with (
            path.open("rb") as packed,
            zstandard.ZstdDecompressor().stream_reader(packed, read_across_frames=True) as raw,
        ):
            yield from io.TextIOWrapper(raw, encoding="utf-8")
    else:
        with path.open(encoding="utf-8") as lines:
            yield from lines
