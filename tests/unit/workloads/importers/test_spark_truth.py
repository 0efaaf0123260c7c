"""Every log that a test uses becomes a job whose stages have the sums of the log's own task metrics."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.workloads.importers import spark_truth
from tests.unit.workloads.importers.spark_events import Log, rdd, stage, task
from tests.unit.workloads.importers.spark_logs import LOGS
from workloads.importers.spark import import_spark_log

LEAVING_OUT = {"kept_and_shuffled": ("stage-1",)}
NOT_TOLD = {"computed_again", "kept_by_one_that_is_computed_again"}
"""Before Spark 3.3 a log does not tell which partition it is that was lost."""


@pytest.mark.parametrize("name", LOGS)
def test_every_stage_has_the_sums_of_its_tasks(name):
    log = LOGS[name]()
    spark_truth.check(import_spark_log(log.lines(), "log").jobs[0].job, log, LEAVING_OUT.get(name, ()))


@pytest.mark.parametrize("told", [False, -1])
@pytest.mark.parametrize("name", sorted(LOGS.keys() - NOT_TOLD))
def test_partitions_need_not_be_told(name, told):
    log = LOGS[name]()
    job = import_spark_log(log.lines(tells_partitions=told), "log").jobs[0].job
    spark_truth.check(job, log, LEAVING_OUT.get(name, ()))


BYTES = st.just(0) | st.integers(1000, 10**9)


def tasks(*, after):
    """Tasks of a stage, which read shuffles only where it comes after others."""
    shuffled = BYTES if after else st.just(0)
    reasons = st.sampled_from(["Success", "Success", "TaskKilled"])
    return st.builds(task, BYTES, shuffled, shuffled, BYTES, BYTES, BYTES, st.integers(0, 10**6), reasons)


@st.composite
def applications(draw):
    """Stages that read files, each other's shuffles and what others kept, in attempts whose tasks end in any order.

    RDD n is what stage n computes, and kept.
    """
    log = Log()
    stages: list[dict[str, Any]] = []
    for number in range(4):
        shuffled, kept = (sorted(draw(st.sets(st.sampled_from(range(number)), max_size=2))) if number else [], [])
        kept = sorted(draw(st.sets(st.sampled_from(range(number)), max_size=2))) if number else []
        behind = {one["RDD ID"]: one for source in kept for one in stages[source]["RDD Info"]}
        parents = {*shuffled, *(parent for source in kept for parent in stages[source]["Parent IDs"])}
        rdds = [rdd(number, *{*shuffled, *kept}, kept=True), *behind.values()]
        stages.append(stage(number, rdds, sorted(parents)))
    log.job(0, *stages)
    for described in stages:
        ended = tasks(after=bool(described["Parent IDs"]))
        for attempt in range(draw(st.integers(1, 3))):
            log.submitted(described, attempt)
            for partition in draw(st.lists(st.integers(0, 3), max_size=3)):
                log.tasks(described, draw(ended), attempt=draw(st.integers(0, attempt)), partitions=[partition])
        log.ran(described, task(read=1000, sent=draw(BYTES)), partitions=[4])
    return log.finished()


@given(applications())
@settings(deadline=None)
def test_whatever_attempts_there_were_each_partition_counts_once(log):
    trace = import_spark_log(log.lines(), "log")
    leaving_out = [f"stage-{note.split()[1]}" for note in trace.notes if note.endswith("the shuffle alone is imported")]
    spark_truth.check(trace.jobs[0].job, log, leaving_out)
