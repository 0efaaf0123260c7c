"""Record the volumes of the job profiles by running their programs on Spark, at two sizes each.

Takes Java 17 and an environment of its own, which the testbed does not need:

    uv venv --python 3.11 ~/record && uv pip install -p ~/record/bin/python --group record
    ~/record/bin/python scripts/record_profiles.py --folder ~/recorded

Every program runs with as many partitions as a job of the thesis has tasks, since combiners leave the less the fewer
tasks share the data. The volumes come from Spark's event log, through the testbed's importer. A first run on the small
data, which does not count, warms the JVM up; starting tasks still takes CPU time, so that the CPU seconds of a GB more
are what a profile wants.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pyspark.sql import SparkSession  # noqa: E402  # after the line above, as the following

from scripts.recorded_programs import PROGRAMS, Program  # noqa: E402
from workloads.importers.spark_log import Application, read_application  # noqa: E402

TASKS = 11
_SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.driver.memory": "4g",
    "spark.eventLog.enabled": "true",
    "spark.eventLog.rolling.enabled": "false",
    "spark.eventLog.compress": "false",
    "spark.shuffle.compress": "false",
    "spark.shuffle.spill.compress": "false",
    "spark.broadcast.compress": "false",
    "spark.rdd.compress": "false",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.autoBroadcastJoinThreshold": "-1",
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
    "spark.sql.requireAllClusterKeysForDistribution": "true",
    "spark.sql.files.openCostInBytes": "0",
}


@dataclass(frozen=True)
class Measured:
    """One stage, in bytes and CPU seconds per byte or GB of the program's whole input."""

    stage: str
    read: float
    received: float
    sent: float
    written: float
    cpu_s_per_gb: float


def record(name: str, program: Program, size: float, folder: Path, tasks: int) -> tuple[int, list[Measured]]:
    """Run a program on data of one size; returns the input's bytes and its stages.

    Raises:
        RuntimeError: Spark ran other stages than the program names.
    """
    data, out, log = (folder / f"{name}-{size:g}-{what}" for what in ("data", "out", "log"))
    for place in (data, out, log):
        shutil.rmtree(place, ignore_errors=True)
    data.mkdir(parents=True)
    log.mkdir()
    program.generate(size, data)
    input_bytes = sum((data / file).stat().st_size for file in program.inputs)
    settings = {
        **_SETTINGS,
        "spark.eventLog.dir": str(log),
        "spark.local.dir": str(folder),
        "spark.sql.shuffle.partitions": str(tasks),
        "spark.sql.files.minPartitionNum": str(tasks),
    }
    builder = SparkSession.builder.master(f"local[{os.cpu_count()}]").appName(name)
    for key, value in settings.items():
        builder = builder.config(key, value)
    with builder.getOrCreate() as spark:
        program.run(spark, data, out, tasks)
    (events,) = log.iterdir()
    with events.open(encoding="utf-8") as lines:
        application = read_application(lines, events.name)
    for place in (data, out):
        shutil.rmtree(place)
    return input_bytes, _stages(application, program, input_bytes)


def _stages(application: Application, program: Program, input_bytes: int) -> list[Measured]:
    ran = sorted(application.stages.values(), key=lambda stage: stage.stage_id)
    if program.tabular:
        ran.sort(key=lambda stage: (stage.shuffle_read_bytes > 0, stage.read_bytes))
    if len(ran) != len(program.stages):
        found = "; ".join(f"{stage.stage_id} {stage.name}" for stage in ran)
        raise RuntimeError(f"{len(ran)} stages where {len(program.stages)} are named; correct the names: {found}")
    return [
        Measured(
            name,
            stage.read_bytes / input_bytes,
            stage.shuffle_read_bytes / input_bytes,
            stage.shuffle_written_bytes / input_bytes,
            stage.written_bytes / input_bytes,
            stage.cpu_s / input_bytes * 1e9,
        )
        for name, stage in zip(program.stages, ran)
        if name
    ]


def _print(name: str, program: Program, runs: list[tuple[int, list[Measured]]]) -> None:
    """A table with small, large, and large over small of everything, and the CPU seconds that a GB more takes."""
    (small_bytes, small), (large_bytes, large) = runs
    sizes = f"{program.sizes[0]:g} ({small_bytes / 1e6:.1f} MB) and {program.sizes[1]:g} ({large_bytes / 1e6:.1f} MB)"
    print(f"\n{name}, {program.unit}: {sizes}; bytes per byte of input, CPU seconds per GB of it")
    columns = ("read", "received", "sent", "written", "cpu_s_per_gb")
    print(f"{'stage':16}" + "".join(f"{column:>30}" for column in columns) + f"{'per GB more':>12}")
    for before, after in zip(small, large):
        cells = ""
        for column in columns:
            a, b = getattr(before, column), getattr(after, column)
            cells += f"{a:11.5g}{b:11.5g}{b / a:8.3f}" if a else f"{'-':>30}"
        more = (after.cpu_s_per_gb * large_bytes - before.cpu_s_per_gb * small_bytes) / (large_bytes - small_bytes)
        print(f"{after.stage:16}{cells}{more:12.3f}")


def main() -> None:
    """Record all programs, or those that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="for data, logs and recorded.json")
    parser.add_argument("--tasks", type=int, default=TASKS, help="partitions of every stage")
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help=f"of {', '.join(PROGRAMS)}; all when left out")
    arguments = parser.parse_args()
    recorded = {}
    for name in arguments.programs or PROGRAMS:
        began = time.monotonic()
        program = PROGRAMS[name]
        sizes = (program.sizes[0], *program.sizes)  # the first to warm up
        runs = [record(name, program, size, arguments.folder, arguments.tasks) for size in sizes][1:]
        _print(name, program, runs)
        print(f"{time.monotonic() - began:.0f} s")
        recorded[name] = [
            {"size": size, "input_bytes": found[0], "stages": [asdict(stage) for stage in found[1]]}
            for size, found in zip(program.sizes, runs)
        ]
    (arguments.folder / "recorded.json").write_text(json.dumps(recorded, indent=1))


if __name__ == "__main__":
    main()
