"""What a Spark application was given: the memory of an executor, and how many cores a task takes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT_PROFILE = 0
"""Of the resource profiles, the one that the application's properties give."""

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


def of_properties(properties: Mapping[str, Any]) -> Resources:
    """What the properties of an application say.

    Raises:
        ValueError: a size or a number that Spark does not know.
    """

    def mib(name: str, default: str) -> int:
        return size_bytes(properties.get(name, default), _MIB) // _MIB

    memory_mb = mib("spark.executor.memory", "1g") + mib("spark.executor.memoryOverhead", "0")
    memory_mb += mib("spark.executor.pyspark.memory", "0")
    if str(properties.get("spark.memory.offHeap.enabled", "false")).lower() == "true":
        memory_mb += size_bytes(properties.get("spark.memory.offHeap.size", "0"), 1) // _MIB
    return Resources(max(1, memory_mb), _cpus(properties.get("spark.task.cpus", 1)))


def of_profile(event: Mapping[str, Any], default: Resources) -> Resources:
    """What an event says that adds a resource profile, as stages may have of their own.

    Raises:
        KeyError, TypeError, ValueError: it is malformed.
    """
    executor, task = event["Executor Resource Requests"], event["Task Resource Requests"]
    sizes = [
        executor[name]["Amount"]
        for name in ("memory", "memoryOverhead", "pyspark.memory", "offHeap")
        if name in executor
    ]
    cpus = _cpus(task["cpus"]["Amount"]) if "cpus" in task else default.task_cpus
    return Resources(max(1, round(sum(sizes))) if sizes else default.memory_mb, cpus)


def size_bytes(text: object, unit: int) -> int:
    """Bytes of a size as Spark writes it: `4g`, `512m`, `4294967296b`; without a unit it is in `unit`.

    Raises:
        ValueError: it is none.
    """
    found = _SIZE.fullmatch(str(text).strip().lower())
    if found is None or found[2] not in ("", *_UNITS):
        raise ValueError(f"{text!r} is no size; write it as 4g, 512m or 4294967296b")
    return int(found[1]) * (_UNITS[found[2]] if found[2] else unit)


def _cpus(value: object) -> int:
    number = float(str(value))
    if not 0 < number < 1e6:
        raise ValueError(f"{value!r} is no number of cores; write it as 1 or 4")
    return max(1, math.ceil(number))
