"""The four programs whose volumes are recorded, on Spark, and the data that they read.

They are written as Flink 0.9's examples are: text in, one repartitioning for each input of a join and each sum,
broadcasts where those have them, static data of iterations kept by the tasks, nothing compressed. They run in the
environment that `record_profiles` names.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable

import numpy as np
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

CLUSTERS = 8
ITERATIONS = 10
PROPAGATIONS = 5
EDGES_PER_VERTEX = 35.25
POWER_LAW_EXPONENT = 2.276
LARGEST_HUB = 0.002
LARGEST_ID = 61_578_414
_CHUNK = 500_000

_TABLES = {
    "customer": "custkey int, name string, address string, nationkey int, phone string, acctbal double,"
    " mktsegment string, comment string",
    "orders": "orderkey int, custkey int, orderstatus string, totalprice double, orderdate string,"
    " orderpriority string, clerk string, shippriority int, comment string",
    "lineitem": "orderkey int, partkey int, suppkey int, linenumber int, quantity double, extendedprice double,"
    " discount double, tax double, returnflag string, linestatus string, shipdate string, commitdate string,"
    " receiptdate string, shipinstruct string, shipmode string, comment string",
    "nation": "nationkey int, name string, regionkey int, comment string",
}


@dataclass(frozen=True)
class Program:
    """One program.

    Attributes:
        sizes: Small and large, as `generate` takes them.
        unit: What the sizes count.
        generate: Writes the data of a size into a folder.
        inputs: Files of the folder that make up the input.
        run: Runs it on a folder and writes into another one; the tasks to use are an argument.
        stages: Names of the stages in order; "" for one that only the recording needs.
        tabular: The order of the stages is that of what they read, then those that read shuffles; otherwise it is that
            in which Spark numbers them, which for independent stages varies.
    """

    sizes: tuple[float, float]
    unit: str
    generate: Callable[[float, Path], None]
    inputs: tuple[str, ...]
    run: Callable[[SparkSession, Path, Path, int], None]
    stages: tuple[str, ...]
    tabular: bool = False


def points(count: float, folder: Path) -> None:
    """Points around 8 centres, two decimals: some 13 bytes each, as the thesis's 600 million have in 8 GB."""
    rng = np.random.default_rng(1)
    centres = rng.uniform(-80, 80, (CLUSTERS, 2))
    with (folder / "points").open("w") as out:
        for begin in range(0, int(count), _CHUNK):
            chunk = min(_CHUNK, int(count) - begin)
            xy = centres[rng.integers(0, CLUSTERS, chunk)] + rng.normal(0, 8, (chunk, 2))
            out.write("".join([f"{x:.2f} {y:.2f}\n" for x, y in xy.tolist()]))


def kmeans(spark: SparkSession, data: Path, out: Path, tasks: int) -> None:
    """K-Means: points are parsed and kept; an iteration assigns them, sums up by centre and sends the sums around."""
    kept = spark.read.csv(str(data / "points"), sep=" ", schema="x double, y double").persist()
    _materialise(kept)
    rng = np.random.default_rng(2)
    centres = rng.uniform(-80, 80, (CLUSTERS, 2)).tolist()
    for _ in range(ITERATIONS):
        sums = _nearest(kept, centres).groupBy("id").agg(F.sum("x"), F.sum("y"), F.count("id"))
        for centre, x, y, count in sums.collect():
            centres[centre] = [x / count, y / count]
    _write(_nearest(kept, centres), out)


def _nearest(frame: DataFrame, centres: list[list[float]]) -> DataFrame:
    distances = [(F.col("x") - x) * (F.col("x") - x) + (F.col("y") - y) * (F.col("y") - y) for x, y in centres]
    with_distances = frame.select("x", "y", *[d.alias(f"d{i}") for i, d in enumerate(distances)])
    least = F.least(*[f"d{i}" for i in range(len(centres))])
    nearest = F.coalesce(*[F.when(F.col(f"d{i}") == least, i) for i in range(len(centres))])
    return with_distances.select(nearest.alias("id"), "x", "y")


def edges(count: float, folder: Path) -> None:
    """A directed graph whose in- and out-degrees follow power laws as Twitter's do, with ids of Twitter's range.

    Vertices are drawn with chances (i + i0)^(-1 / (exponent - 1)); i0 keeps the largest hub at Twitter's 0.2 % of the
    edges.
    """
    rng = np.random.default_rng(3)
    vertices = round(count / EDGES_PER_VERTEX)
    ids = rng.choice(np.arange(1, LARGEST_ID), vertices, replace=False)
    cumulative = np.cumsum(_degrees(vertices))
    out_order, in_order = rng.permutation(ids), rng.permutation(ids)
    with (folder / "edges").open("w") as out:
        for begin in range(0, int(count), _CHUNK):
            chunk = min(_CHUNK, int(count) - begin)
            ends = np.searchsorted(cumulative, rng.random((2, chunk)))
            pairs = zip(out_order[ends[0]].tolist(), in_order[ends[1]].tolist())
            out.write("".join([f"{a} {b}\n" for a, b in pairs]))


def _degrees(vertices: int) -> Any:  # noqa: ANN401 - an array
    """Chances of the vertices, in order."""
    low, high = 0.0, float(vertices)
    for _ in range(60):
        shift = (low + high) / 2
        chances = (np.arange(1, vertices + 1) + shift) ** (-1 / (POWER_LAW_EXPONENT - 1))
        chances /= chances.sum()
        low, high = (shift, high) if chances[0] > LARGEST_HUB else (low, shift)
    return chances


def connected_components(spark: SparkSession, data: Path, out: Path, tasks: int) -> None:
    """Label propagation as a delta iteration: vertices whose label changed send it to their neighbours."""
    lines = spark.read.csv(str(data / "edges"), sep=" ", schema="a long, b long")
    both = F.explode(F.array(F.struct(F.col("a"), F.col("b")), F.struct(F.col("b").alias("a"), F.col("a").alias("b"))))
    pairs = lines.select(both.alias("pair")).select(F.col("pair.a").alias("id"), F.col("pair.b").alias("neighbour"))
    adjacency = pairs.repartition(tasks, "id").persist()
    _materialise(adjacency)
    labels = adjacency.groupBy("id").agg(F.min("id").alias("label")).persist()
    _materialise(labels)
    changed = labels
    for _ in range(PROPAGATIONS):
        sent = adjacency.join(changed.hint("shuffle_hash"), "id").select(F.col("neighbour").alias("id"), "label")
        least = sent.groupBy("id").agg(F.min("label").alias("least"))
        joined = labels.join(least.hint("shuffle_hash"), "id").where("least < label")
        changed = joined.select("id", F.col("least").alias("label")).persist()
        _materialise(changed)
        after = labels.join(changed.withColumnRenamed("label", "least").hint("shuffle_hash"), "id", "left")
        labels = after.select("id", F.coalesce("least", "label").alias("label")).persist()
        _materialise(labels)
    _write(labels, out)


def tpch(scale_factor: float, folder: Path) -> None:
    """The tables of dbgen as text."""
    tables = ",".join(_TABLES)
    tool = str(Path(sys.executable).with_name("tpchgen-cli"))
    subprocess.run([tool, "-s", str(scale_factor), "-o", str(folder), "--tables", tables], check=True, timeout=3600)


def _table(spark: SparkSession, data: Path, name: str) -> DataFrame:
    return spark.read.csv(str(data / f"{name}.tbl"), sep="|", schema=f"{_TABLES[name]}, rest string")


def query_3(spark: SparkSession, data: Path, out: Path, tasks: int) -> None:
    """TPC-H Q3 without its sorting: two repartition joins, and a sum that is partitioned anew."""
    customer = _table(spark, data, "customer").where("mktsegment = 'AUTOMOBILE'").select("custkey")
    orders = _table(spark, data, "orders").where("orderdate < '1995-03-12'")
    orders = orders.select("orderkey", "custkey", "orderdate", "shippriority")
    lineitem = _table(spark, data, "lineitem").where("shipdate > '1995-03-12'")
    lineitem = lineitem.select("orderkey", (F.col("extendedprice") * (1 - F.col("discount"))).alias("revenue"))
    ordered = orders.join(customer.hint("shuffle_hash"), "custkey").select("orderkey", "orderdate", "shippriority")
    shipped = lineitem.join(ordered.hint("shuffle_hash"), "orderkey")
    _write(shipped.groupBy("orderkey", "orderdate", "shippriority").agg(F.sum("revenue")), out)


def query_10(spark: SparkSession, data: Path, out: Path, tasks: int) -> None:
    """TPC-H Q10 as Flink's example has it: orders of all years, broadcast to the returned items.

    The orders are repartitioned once more in the end, for their size as rows: a broadcast's is not in the log.
    """
    orders = _table(spark, data, "orders").where("year(orderdate) > 1990").select("orderkey", "custkey")
    lineitem = _table(spark, data, "lineitem").where("returnflag = 'R'")
    lineitem = lineitem.select("orderkey", (F.col("extendedprice") * (1 - F.col("discount"))).alias("revenue"))
    revenue = lineitem.join(F.broadcast(orders), "orderkey").groupBy("custkey").agg(F.sum("revenue").alias("revenue"))
    nation = _table(spark, data, "nation").select("nationkey", F.col("name").alias("nation"))
    customer = _table(spark, data, "customer").join(F.broadcast(nation), "nationkey")
    customer = customer.select("custkey", "name", "address", "nation", "acctbal")
    _write(customer.join(revenue.hint("shuffle_hash"), "custkey"), out)
    _materialise(orders.repartition(tasks))


def _materialise(frame: DataFrame) -> None:
    frame.write.format("noop").mode("overwrite").save()


def _write(frame: DataFrame, out: Path) -> None:
    frame.write.csv(str(out), sep=" ")


_TPCH = ("customer.tbl", "orders.tbl", "lineitem.tbl")

PROGRAMS = {
    "kmeans": Program(
        (5e6, 10e6),
        "points",
        points,
        ("points",),
        kmeans,
        ("scan", *(f"{stage}-{i + 1}" for i in range(ITERATIONS) for stage in ("assign", "update")), "label"),
    ),
    "connected-components": Program(
        (1e6, 2e6),
        "edges",
        edges,
        ("edges",),
        connected_components,
        (
            "scan",
            "adjacency",
            "labels",
            *(f"{stage}-{i + 1}" for i in range(PROPAGATIONS) for stage in ("propagate", "minimum", "solution")),
            "result",
        ),
    ),
    "tpch-q3": Program(
        (0.25, 0.75),
        "scale factor",
        tpch,
        _TPCH,
        query_3,
        ("customer", "orders", "lineitem", "customer-orders", "shipping", "result"),
        tabular=True,
    ),
    "tpch-q10": Program(
        (0.25, 0.75),
        "scale factor",
        tpch,
        _TPCH,
        query_10,
        ("nation", "customer", "orders", "orders as rows", "lineitem", "result", ""),
        tabular=True,
    ),
}
