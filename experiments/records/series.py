"""Columns of a run's Parquet files, and reading and writing them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union

from experiments.documents import nofollow
from experiments.documents.atomic import atomic_file
from experiments.documents.nofollow import FileError
from experiments.errors import ExperimentError

if TYPE_CHECKING:
    import polars as pl


ColumnType = Literal["number", "integer", "string", "boolean"]
Rows = Union[Iterable[Mapping[str, Any]], "pl.DataFrame"]
"""One after the other, or as a frame with the columns of its file."""
Columns = Mapping[str, "tuple[ColumnType, str]"]
"""Type and meaning of each column by its name."""

EVENTS: Columns = {
    "time_s": ("number", "when it happened or ended, modelled seconds since the first submission"),
    "kind": (
        "string",
        "what happened: job_submitted, stage_started, read, compute, transfer, write, ...",
    ),
    "job": ("string", "job id"),
    "stage": ("string", "stage of the job"),
    "task": ("integer", "task of the stage, from 0"),
    "container": ("integer", "container of the job, from 0; 0 is the application master; of a transfer the sender's"),
    "host": ("string", "where it happened; the reader of a read, the sender of a transfer or write"),
    "peer": ("string", "the other host: the node that served a read, the receiver of a transfer or write"),
    "bytes": ("integer", "modelled bytes read, transferred or written"),
    "start_s": ("number", "when a read, computation, transfer or write began, modelled seconds"),
    "local": ("boolean", "whether the bytes stayed on one node"),
    "ok": ("boolean", "whether the checksum was right"),
    "detail": ("string", "file and index of a block, name of an exchange, id of a link, or a reason"),
    "peer_task": ("integer", "receiving task of a transfer"),
    "source_port": ("integer", "TCP port of the sender"),
    "destination_port": ("integer", "TCP port of the receiver"),
    "memory_bytes": ("integer", "of samples: modelled memory held at that moment"),
    "cpu_s": ("number", "of samples: modelled CPU seconds used since the last sample"),
    "disk_bytes": ("integer", "of samples: modelled bytes from and to disk since the last sample"),
    "sent_bytes": ("integer", "of samples: modelled bytes sent since the last sample"),
    "received_bytes": ("integer", "of samples: modelled bytes received since the last sample"),
    "late_wall_s": ("number", "of samples of nodes: worst lateness of the agent's timers since the last sample, wall"),
    "agent_memory_bytes": ("integer", "of samples of nodes: resident memory of the agent's process, real bytes"),
}
"""Columns of events.parquet; those that a kind of event does not have are null."""

LINKS: Columns = {
    "time_s": ("number", "when the counters were read, modelled seconds since the first submission"),
    "link": ("string", "link id of the topology"),
    "direction": ("string", "up: away from the hosts, down: towards them"),
    "bytes": ("integer", "modelled bytes carried since the last row of this link and direction, headers included"),
    "bits_per_s": ("number", "modelled rate since that row"),
    "utilisation": ("number", "share of the link's capacity since that row"),
    "drops": ("integer", "packets dropped since the last row of this link and direction"),
}
"""Columns of links.parquet."""

FIDELITY: Columns = {
    "time_wall_s": ("number", "wall seconds since the run started; a row is about the interval that ended then"),
    "cpu_idle": ("number", "share of the machine's CPU time that was idle"),
    "cpu_steal": ("number", "share of the machine's CPU time that other guests of its host took"),
    "datapath_cpu": ("number", "share of one core that the switches used"),
    "run_queue_delay_s": ("number", "wall seconds that the switches waited for a core whenever they were ready"),
    "agents_run_queue_delay_s": ("number", "the same of the agent that waited longest"),
    "receive_queue_bytes": ("number", "memory of packets that waited for the switches, at the end of the interval"),
    "receive_delay_s": ("number", "at most how long they waited, wall seconds"),
    "arrived_bytes": ("number", "bytes that the links took, and those that waited for the switches"),
    "receive_drops": ("number", "frames lost before the switches"),
    "frames_received": ("number", "frames that arrived at the switches; one that crosses three is counted three times"),
    "backlog_bytes": ("number", "bytes waiting in the links' queues, at the end of the interval"),
    "queue_drops": ("number", "frames dropped by the links' queues, as switches do when a link is full"),
    "retransmissions": ("number", "TCP segments that the hosts sent again"),
    "segments_sent": ("number", "TCP segments that the hosts sent"),
}
"""Columns of fidelity.parquet; further numeric columns are kept."""

DELAYS: Columns = {
    "link": ("string", "link id of the topology"),
    "direction": ("string", "up: away from the hosts, down: towards them"),
    "datagrams": ("integer", "small datagrams that were sent on a path over it, during the run"),
    "lost": ("integer", "how many of them never arrived"),
    "excess_s_mean": (
        "number",
        "for how long they were on their way beyond what the queues explain, wall seconds, mean",
    ),
    "excess_s_p99": ("number", "its 99th percentile"),
    "excess_s_max": ("number", "the greatest"),
}
"""Columns of delays.parquet."""


FILES: Columns = {
    "time_s": ("number", "when it was complete, modelled seconds since the first submission"),
    "start_s": ("number", "when it began"),
    "operation": ("string", "create, change (written anew), rename, delete or read"),
    "file": ("string", "name of the file; of one that was renamed the new one"),
    "was": ("string", "the name before it was renamed"),
    "user": ("string", "on whose behalf: a job, or a client's user"),
    "host": ("string", "where who wrote or read it was; null of what the name node does by itself"),
    "bytes": ("integer", "modelled size of the file"),
    "checksum": ("string", "xxh3-64 over those of its blocks, in hexadecimal; null where nothing was emulated"),
    "blocks": ("string", "hosts of each block's replicas: `h1 h4 h5, h1 h2 h3`"),
}
"""Columns of files.parquet."""


TRANSACTIONS: Columns = {
    "nonce": ("integer", "number among the transactions of the wallet"),
    "operation": ("string", "create, change, rename, delete; register (in the index), retain (until a time)"),
    "file": ("string", "name of the file from then on"),
    "user": ("string", "on whose behalf it was done"),
    "digest": ("string", "SHA-256 over the checksums of its blocks, in hexadecimal"),
    "asked_s": ("number", "when it had been done and hashed, modelled seconds since the first submission"),
    "sent_s": ("number", "when it was sent to the ledger"),
    "included_s": ("number", "when a block had it; null where none has"),
    "confirmed_s": ("number", "when enough blocks had come; null where they have not"),
    "block": ("integer", "number of that block"),
    "gas": ("integer", "what it took"),
    "contract": ("string", "address of the file's contract"),
    "refused": ("string", "why the contract did not take it; null where it did"),
}
"""Columns of transactions.parquet."""


class SeriesError(ExperimentError, ValueError):
    """Rows that do not fit the columns of their file; the message names the column."""


def write(path: Path, rows: Rows, columns: Columns) -> None:
    """Write rows as a Parquet file, atomically; columns that a row lacks are null.

    Raises:
        SeriesError: a row has a column that the file does not have, or a value of another type.
    """
    import polars as pl

    made = rows if isinstance(rows, pl.DataFrame) else _in_columns(rows, columns, path.name)
    with atomic_file(path) as file:
        made.write_parquet(file)


def _in_columns(rows: Iterable[Mapping[str, Any]], columns: Columns, source: str) -> pl.DataFrame:
    import polars as pl

    listed = list(rows)
    schema = _schema(listed, columns)
    try:
        return pl.DataFrame(listed, schema=schema, strict=True, orient="row")
    except (pl.exceptions.PolarsError, TypeError) as error:
        raise SeriesError(f"{source}: {error}; its columns are {', '.join(columns)}") from error


def read(path: Path, columns: Columns) -> pl.DataFrame:
    """The rows of a Parquet file; no rows when the run did not get as far as writing it.

    Columns that were added since it was written are null.

    Raises:
        SeriesError: it is damaged or a link, or a column has another type.
    """
    import polars as pl

    known = _schema([], columns)
    if not path.exists():
        return pl.DataFrame(schema=known)
    try:
        frame = pl.read_parquet(io.BytesIO(nofollow.read_bytes(path)))
        added = [pl.lit(None, dtype=kind).alias(name) for name, kind in known.items() if name not in frame.columns]
        whole = frame.with_columns(added).cast({name: known.get(name, pl.Float64()) for name in frame.columns})
    except FileError as error:
        raise SeriesError(str(error)) from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise _damaged(path, str(error)) from error
    first = whole[next(iter(columns))]
    if first.has_nulls() or not (first.dtype == pl.String or first.is_finite().all()):
        raise _damaged(path, f"{first.name} is missing in a row")
    return whole


def columns_of(path: Path, columns: Columns) -> Columns:
    """The columns that a Parquet file has, in their order; what is not known of them is a number.

    Raises:
        SeriesError: it is damaged.
    """
    import polars as pl

    try:
        with nofollow.reading(path) as file:
            names = pl.read_parquet_schema(file)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, FileError, OSError) as error:
        raise _damaged(path, str(error)) from error
    return {name: columns.get(name, ("number", "")) for name in names}


def _damaged(path: Path, why: str) -> SeriesError:
    return SeriesError(f"{path}: damaged ({why.splitlines()[0]}); do the run again")


def types(columns: Columns) -> dict[str, pl.DataType]:
    """The type of each column in a frame."""
    import polars as pl

    kinds = {"number": pl.Float64(), "integer": pl.Int64(), "string": pl.String(), "boolean": pl.Boolean()}
    return {name: kinds[kind] for name, (kind, _) in columns.items()}


def _schema(rows: list[Mapping[str, Any]], columns: Columns) -> dict[str, pl.DataType]:
    import polars as pl

    schema = types(columns)
    further = {name for row in rows for name in row} - set(schema)
    if further and columns is not FIDELITY:
        raise SeriesError(f"column {min(further)!r} is not known; the columns are {', '.join(columns)}")
    return {**schema, **{name: pl.Float64() for name in sorted(further)}}
