"""One small example of every kind of file that the program reads, and the commands that read it."""

from __future__ import annotations

import gzip
import itertools
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
import zstandard

from experiments.records import series
from experiments.specification import sweep_file
from tests.unit.experiments.synthetic import results, specification, swept
from tests.unit.workloads.importers.jhist_events import History
from tests.unit.workloads.importers.spark_events import Log, rdd, stage, task
from tests.unit.workloads.importers.test_mremu import trace
from workloads.profiles import load_profile

_SMALL = (
    "topology={preset: fat-tree, parameters: {hosts_per_rack: 4, uplink_ports_per_rack: 2}}",
    "strategies=[default, neawa]",
    "repeats=2",
)
_COFLOWS = "4 2\n# a coflow\n7 2500 1 0 2 1:10 3:30.5\n3 1000 3 0 2 2 1 1:8\n"


@dataclass(frozen=True)
class Kind:
    """A kind of file: a folder with an example of it, which files in it are damaged, and what reads them.

    Attributes:
        folder: Copied for every case; commands have the copy as their working directory.
        files: Relative to it.
        commands: Words of command lines.
    """

    name: str
    folder: Path
    files: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]


def build(parent: Path) -> list[Kind]:
    """Examples of all kinds, in folders of their own below `parent`."""
    return [*_described(parent), *_traces(parent), _results(parent), _sweep(parent)]


def _described(parent: Path) -> list[Kind]:
    """What people write: specifications, sweeps, schedules, profiles."""
    folder = parent / "described"
    folder.mkdir()
    document = specification(*_SMALL).model_dump(mode="json")
    jobs = [{"profile": "own.yaml", "at_s": 3, "input_bytes": 10**9, "containers": 3}, {"profile": "kmeans"}]
    written = {
        "spec": {**document, "failures": [{"at_s": 5, "link": "t1-c1/1", "restore_after_s": 4}]},
        "followed": {**document, "workload": "schedule.yaml"},
        "listed": {**document, "workload": jobs},
        "schedule": [*jobs, {"profile": "tpch-q3", "poisson_per_s": 0.1, "count": 3, "seed": 1}],
        "own": load_profile("connected-components").document(),
        "sweep": {
            "name": "swept",
            "description": "A sweep",
            "base": document,
            "vary": {"data.replication": [1, 2], "topology.blocking_factor": [1, 5]},
        },
    }
    for name, content in written.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def placing(name: str) -> tuple[tuple[str, ...], ...]:
        return (("place", "--spec", f"{name}.yaml"), ("place", "--spec", f"{name}.yaml", "--json"))

    return [
        Kind("specification", folder, ("spec.yaml",), placing("spec")),
        Kind("schedule", folder, ("schedule.yaml",), placing("followed")),
        Kind("profile", folder, ("own.yaml",), placing("listed")),
        Kind("sweep file", folder, ("sweep.yaml",), (("sweep", "sweep.yaml", "--list"),)),
    ]


def _traces(parent: Path) -> list[Kind]:
    """What other programs recorded: logs and traces."""
    folder = parent / "traces"
    folder.mkdir()
    text = "".join(f"{json.dumps(event)}\n" for event in _spark_log().events)
    (folder / "spark.log").write_text(text, encoding="utf-8")
    (folder / "spark.gz").write_bytes(gzip.compress(text.encode()))
    (folder / "spark.zstd").write_bytes(zstandard.compress(text.encode()))
    (folder / "mremu.json").write_text(json.dumps(trace()), encoding="utf-8")
    history = History(reducers=1)
    for number in range(2):
        history.task("MAP", number, HDFS_BYTES_READ=1000, CPU_MILLISECONDS=50)
    history.task("REDUCE", 0, REDUCE_SHUFFLE_BYTES=900, HDFS_BYTES_WRITTEN=300)
    (folder / "job.jhist").write_text("".join(history.end().lines()), encoding="utf-8")
    (folder / "coflow.txt").write_text(_COFLOWS, encoding="utf-8")

    def importing(name: str) -> tuple[tuple[str, ...], ...]:
        return (("import", name, "--output", "out.yaml"),)

    packed = ("spark.gz", "spark.zstd")
    return [
        Kind("Spark log", folder, ("spark.log",), importing("spark.log")),
        *(Kind(f"packed log {name}", folder, (name,), importing(name)) for name in packed),
        Kind("Hadoop trace", folder, ("mremu.json",), importing("mremu.json")),
        Kind("Hadoop history", folder, ("job.jhist",), importing("job.jhist")),
        Kind("coflow trace", folder, ("coflow.txt",), importing("coflow.txt")),
    ]


def _spark_log() -> Log:
    log = Log()
    first, second = stage(0, [rdd(0, name="HadoopRDD")]), stage(1, [rdd(1, 0)], parents=[0])
    log.job(0, first, second)
    log.ran(first, task(read=1000, sent=400, cpu_ms=5), task(read=1200, sent=500, cpu_ms=6))
    log.ran(second, task(remote=400, local=50, written=9), task(remote=300, local=150, written=9))
    log.end(0)
    log.finished()
    return log


def _results(parent: Path) -> Kind:
    """Folders of two experiments that have run."""
    folder = parent / "results"
    one = results(folder / "made", *_SMALL, failed=("r01-bf5-neawa",))
    shutil.copytree(one.path, folder / "one")
    shutil.copytree(one.path, folder / "two")
    shutil.rmtree(folder / "made")
    run = "runs/r00-bf5-neawa"
    series.write(folder / "two" / run / "events.parquet", _samples(), series.EVENTS)
    names = ("record.json", "record.json", "events.parquet", "links.parquet", "fidelity.parquet")
    files = (*(f"one/{run}/{name}" for name in names), f"two/{run}/events.parquet")
    commands = (
        ("show", "one"),
        ("show", "one", "--json"),
        ("show", f"one/{run}"),
        ("show", f"one/{run}", "--job", "kmeans-1"),
        ("show", f"one/{run}", "--json"),
        ("show", f"two/{run}"),
        ("report", "one"),
        ("report", f"one/{run}"),
        ("compare", "two", "one"),
        ("compare", "one", "two", "--json"),
    )
    return Kind("results", folder, ("one/specification.yaml", *files), commands)


def _samples() -> list[dict[str, Any]]:
    """What a host and two of its containers used."""
    used = {"cpu_s": 1.0, "disk_bytes": 0, "sent_bytes": 10, "received_bytes": 0, "memory_bytes": 10**9}
    rows = [{"time_s": float(time_s), "kind": "sample", "host": "h1", **used} for time_s in range(5)]
    return [*rows, *({**row, "job": "kmeans-1", "container": number} for row in rows for number in range(2))]


def _sweep(parent: Path) -> Kind:
    """The folder of a sweep that has run."""
    folder = parent / "swept"
    base = specification(*_SMALL).model_dump(mode="json")
    workloads = [{"preset": "kmeans-mid", "shuffle_factors": {"kmeans": factor}} for factor in (1, 10)]
    reductions = [{"at": {"workload": workloads[0]}, "strategy": "neawa", "reduction": 0.3}]
    published = {"source": "A thesis", "reductions": reductions}
    document = {"name": "swept", "description": "A sweep", "base": base, "vary": {"workload": workloads}}
    made = swept(folder / "made", sweep_file.parse({**document, "published": published}))
    shutil.copytree(made.path, folder / "one")
    shutil.rmtree(folder / "made")
    records = sorted(path.relative_to(folder) for path in folder.glob("one/points/*/runs/*/record.json"))
    specs = sorted(path.relative_to(folder) for path in folder.glob("one/points/*/specification.yaml"))
    files = ("one/sweep.yaml", *(str(path) for path in itertools.chain(records[:1], specs[:1])))
    commands = (("show", "one"), ("show", "one", "--json"), ("report", "one"), ("calibrate-volumes", "one"))
    return Kind("sweep's results", folder, files, commands)
