"""From what agents and controller report, on the wall and on the wire, to rows of Parquet files, in modelled units."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from experiments.records import series
from experiments.records.link_reading import LinkReading
from workloads.coordination.events import Event, Transfers
from workloads.scale import Scale

if TYPE_CHECKING:
    import polars as pl


def events(kept: Iterable[Event | Transfers], scale: Scale, origin_wall_s: float = 0.0) -> pl.DataFrame:
    """Rows of events.parquet in the order of their times.

    Args:
        kept: what a sink has taken.
        scale: the divisors.
        origin_wall_s: when the first job was submitted, on the clock of the events.
    """
    import polars as pl

    columns: dict[str, list[Any]] = {name: [] for name in Event._fields}
    alone = []
    for some in kept:
        if isinstance(some, Transfers):
            for name, values in some.columns().items():
                columns[name].extend(values)
        else:
            alone.append(some)
    for name, values in zip(columns if alone else (), zip(*alone, strict=True), strict=True):
        columns[name].extend(values)
    types = series.types(series.EVENTS)
    types["late_s"] = types.pop("late_wall_s")
    modelled: list[Any] = [scale.modelled_s(pl.col(name) - origin_wall_s) for name in ("time_s", "start_s")]  # type: ignore[arg-type]
    modelled += [scale.modelled_s(pl.col("cpu_s"))]  # type: ignore[arg-type]
    modelled += [_bytes(pl.col(name), scale) for name in ("bytes", "disk_bytes", "sent_bytes", "received_bytes")]
    frame = pl.DataFrame(columns, schema={name: types[name] for name in columns})
    frame = frame.with_columns(modelled).rename({"late_s": "late_wall_s"})
    return frame.select(list(series.EVENTS)).sort("time_s", maintain_order=True)


def links(readings: Iterable[Mapping[str, Any]], scale: Scale, origin_epoch_s: float) -> pl.DataFrame:
    """Rows of links.parquet from the controller's `/v1/links` documents.

    Bytes, drops and rates are since the row before, so that readings that were missed leave nothing out; a link's
    reading that several documents have counts once.
    """
    import polars as pl

    types = {
        "id": pl.String(),
        "direction": pl.String(),
        "time_s": pl.Float64(),
        "age_s": pl.Float64(),
        "tx_bytes": pl.Int64(),
        "capacity_mbps": pl.Float64(),
        "drops": pl.Int64(),
    }
    columns: dict[str, list[Any]] = {name: [] for name in types}
    for reading in readings:
        known = reading.columns() if isinstance(reading, LinkReading) else None
        for name, column in columns.items():
            column.extend(known[name] if known else [link[name] for link in reading["links"]])
    frame = pl.DataFrame(columns, schema=types)

    def before(name: str) -> pl.Expr:
        return pl.col(name).shift().over("id", "direction")

    frame = frame.filter(before("age_s").is_null() | (before("age_s") != pl.col("age_s")))
    same_port = before("age_s") <= pl.col("age_s")  # it is not where the port is new

    def since(name: str) -> pl.Expr:
        return pl.when(same_port).then(pl.col(name) - before(name)).otherwise(0)

    frame = frame.with_columns(
        since("tx_bytes").alias("sent"), since("drops").alias("dropped"), since("age_s").alias("elapsed_s")
    )
    bits_per_s = pl.when(pl.col("elapsed_s") > 0).then(pl.col("sent") * 8 / pl.col("elapsed_s"))
    modelled_s: Any = scale.modelled_s(pl.col("time_s") - origin_epoch_s)  # type: ignore[arg-type]
    return frame.select(
        modelled_s.alias("time_s"),
        pl.col("id").alias("link"),
        "direction",
        _bytes(pl.col("sent"), scale).alias("bytes"),
        (bits_per_s * scale.rate_divisor).alias("bits_per_s"),
        (bits_per_s / (pl.col("capacity_mbps") * 1e6)).alias("utilisation"),
        pl.col("dropped").alias("drops"),
    )


def _bytes(wire: pl.Expr, scale: Scale) -> pl.Expr:
    import polars as pl

    modelled: Any = scale.modelled_bytes(wire)  # type: ignore[arg-type]
    whole: pl.Expr = modelled.round().cast(pl.Int64())
    return whole
