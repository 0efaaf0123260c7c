"""What a Spark application was given: the memory of an executor, and how many cores a task takes."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from workloads.importers.spark_events import Properties, ResourceProfileAdded

_SIZE = re.compile(r"(\d+)\s*([a-z]*)")
_MIB = 2**20
_UNITS = {
    unit: 2**power
    for power, units in ((0, "b"), (10, "k kb"), (20, "m mb"), (30, "g gb"), (40, "t tb"), (50, "p pb"))
    for unit in units.split()
}


@dataclass(frozen=True)
class Resources:
    """What an executor and each of its tasks are given.

    Attributes:
        memory_mb: MiB of heap, overhead, off-heap memory and Python together, as far as they were asked for.
        task_cpus: cores that a task takes.
    """

    memory_mb: int = 1024
    task_cpus: int = 1


def of_properties(properties: Properties) -> Resources:
    """What the properties of an application say.

    Raises:
        ValueError: a size or a number that Spark does not know.
    """
    overhead = properties.former_overhead if properties.overhead is None else properties.overhead
    sizes = [size_bytes(size, _MIB) for size in (properties.memory, overhead, properties.python)]
    if str(properties.uses_off_heap).lower() == "true":
        sizes.append(size_bytes(properties.off_heap, 1))
    return Resources(max(1, sum(size // _MIB for size in sizes)), _cpus(properties.task_cpus))


def of_profile(added: ResourceProfileAdded, default: Resources) -> Resources:
    """What a resource profile says, as stages may have of their own.

    Raises:
        ValueError: a number of cores that Spark does not know.
    """
    asked = added.of_executor
    sizes = [asked[name].amount for name in ("memory", "memoryOverhead", "pyspark.memory", "offHeap") if name in asked]
    cpus = _cpus(added.of_task["cpus"].amount) if "cpus" in added.of_task else default.task_cpus
    return Resources(max(1, round(sum(sizes))) if sizes else default.memory_mb, cpus)


def size_bytes(size: str | int, unit: int) -> int:
    """Bytes of a size as Spark writes it: `4g`, `512m`, `4294967296b`; without a unit it is in `unit`.

    Raises:
        ValueError: it is none.
    """
    found = _SIZE.fullmatch(str(size).strip().lower())
    if found is None or found[2] not in ("", *_UNITS):
        raise ValueError(f"{size!r} is no size; write it as 4g, 512m or 4294967296b")
    return int(found[1]) * (_UNITS[found[2]] if found[2] else unit)


def _cpus(value: str | float) -> int:
    number = float(value)
    if not 0 < number < 1e6:
        raise ValueError(f"{value!r} is no number of cores; write it as 1 or 4")
    return max(1, math.ceil(number))
