"""What a Spark event log says of every stage, summed without the importer; and the same of an imported job."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass
class Sums:
    """Of one stage: bytes, and CPU seconds.

    Attributes:
        read: from files and from what was kept.
        written: to files.
        parents: the stages whose shuffles it may read.
        tasks: partitions; `readers` are those that read input.
    """

    read: int = 0
    shuffle_read: int = 0
    shuffle_written: int = 0
    written: int = 0
    cpu_s: float = 0.0
    parents: tuple[str, ...] = ()
    tasks: int = 0
    readers: int = 0


def of_log(log):
    """By stage, the sums over its partitions: of each the last success in the last attempt that had one."""
    last: dict[tuple[int, int], Any] = {}
    for event in log.events:
        if event["Event"].endswith("TaskEnd") and event["Task End Reason"]["Reason"] == "Success":
            place = event["Stage ID"], event["Task Info"]["Partition ID"]
            rival = last.get(place)
            if rival is None or event["Stage Attempt ID"] >= rival["Stage Attempt ID"]:
                last[place] = event
    sums: defaultdict[str, Sums] = defaultdict(Sums)
    for (stage_id, _), event in last.items():
        metrics, one = event["Task Metrics"], sums[f"stage-{stage_id}"]
        shuffled = metrics["Shuffle Read Metrics"]
        one.read += metrics["Input Metrics"]["Bytes Read"]
        one.shuffle_read += shuffled["Remote Bytes Read"] + shuffled["Local Bytes Read"]
        one.shuffle_written += metrics["Shuffle Write Metrics"]["Shuffle Bytes Written"]
        one.written += metrics["Output Metrics"]["Bytes Written"]
        one.cpu_s += (metrics["Executor CPU Time"] + metrics["Executor Deserialize CPU Time"]) / 1e9
        one.tasks += 1
        one.readers += metrics["Input Metrics"]["Bytes Read"] > 0
    for event in log.events:
        if event["Event"].endswith("StageCompleted"):
            info = event["Stage Info"]
            sums[f"stage-{info['Stage ID']}"].parents = tuple(f"stage-{parent}" for parent in info["Parent IDs"])
    return dict(sums)


def of_job(job):
    """The same of a job, whose stages do not say what they shuffled but what others got."""
    sums = {}
    for stage in job.stages:
        forwarded = sum(item.bytes for item in stage.exchanges if item.kind == "forward")
        got = sum(item.bytes for item in stage.exchanges if item.kind == "repartition")
        sums[stage.name] = Sums(
            read=sum(item.bytes for item in stage.reads) + forwarded,
            shuffle_read=got,
            written=stage.write_bytes,
            cpu_s=stage.cpu_s,
        )
    for stage in job.stages:
        for item in stage.exchanges:
            if item.kind == "repartition":
                sums[item.source].shuffle_written += item.bytes
    return sums


def check(job, log, leaving_out=()):
    """That every stage of a job has what the log says.

    A stage that makes its data has none of it from anywhere in the log: it reads as much as it shuffles, and at least
    a byte a task. What a stage shuffled is compared where one other stage, and this one alone, has read all of it. A
    file has a block for each task that read of it. Stages that are `leaving_out` what was kept read nothing.
    """
    truth, found = of_log(log), of_job(job)
    assert found.keys() == truth.keys()
    for name, expected in truth.items():
        stage, got = job.stage_by_name[name], found[name]
        made = not expected.read and not stage.exchanges
        read = max(expected.tasks, expected.shuffle_written) if made else 0 if name in leaving_out else expected.read
        assert (got.read, got.shuffle_read, got.written) == (read, expected.shuffle_read, expected.written), name
        assert got.cpu_s == pytest.approx(expected.cpu_s), name
        assert {_blocks(file) for file in stage.reads} <= {expected.readers or expected.tasks}, name
    for name, shuffled in _read_by_one(truth).items():
        assert found[name].shuffle_written == shuffled, name


def _blocks(file):
    return -(-file.bytes // file.block_bytes)


def _read_by_one(truth):
    """Bytes that a stage shuffled, of those that one other stage read as a whole; none where a stage was skipped."""
    if any(parent not in truth for sums in truth.values() for parent in sums.parents):
        return {}
    readers = defaultdict(set)
    for name, sums in truth.items():
        for parent in sums.parents:
            readers[parent].add(name)
    found: dict[str, int] = {}
    for name, sums in truth.items():
        written = {parent: truth[parent].shuffle_written for parent in sums.parents}
        if all(readers[parent] == {name} for parent in sums.parents) and sum(written.values()) == sums.shuffle_read:
            found |= written
    return found
