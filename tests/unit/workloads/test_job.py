from typing import Any, cast

import pytest

from workloads.job import Exchange, Job, JobError, Read, Stage

SCAN = Stage("scan", (Read("in", 1000, 2.0),))


def job(*stages, **options):
    return Job("j", "test", stages, **options)


def test_tasks_are_the_slots_of_all_containers_but_the_masters():
    two_slots = job(SCAN, containers=12, slots_per_container=2)
    assert two_slots.tasks == 22
    assert [two_slots.container_of(task) for task in (0, 1, 2, 21)] == [1, 1, 2, 11]


def test_a_broadcast_arrives_at_every_task_and_a_repartition_once():
    stages = (
        SCAN,
        Stage("a", (Exchange("scan", 100, kind="broadcast", cpu_s=1.0),)),
        Stage("b", (Exchange("a", 10, cpu_s=0.5),)),
    )
    assert job(*stages, containers=5).exchanged_bytes == 4 * 100 + 10
    assert job(*stages).cpu_s == pytest.approx(3.5)
    assert job(*stages).input_bytes == 1000
    assert job(*stages).files == {"in": 1000}


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: job(SCAN, containers=1), "containers 1"),
        (lambda: job(SCAN, slots_per_container=0), "slots_per_container 0"),
        (lambda: job(SCAN, vcores=0), "vcores 0; give at least 1"),
        (lambda: job(SCAN, memory_mb=0), "memory_mb 0; give at least 1"),
        (lambda: job(SCAN, containers=1001, slots_per_container=1000), "give at most 100,000 slots"),
        (lambda: Read("in", 10**19), "bytes 1e.19; give a number from 0 to 1e.18"),
        (lambda: job(), "stages empty"),
        (lambda: job(SCAN, SCAN), "used twice"),
        (lambda: job(SCAN, Stage("again", (Read("in", 1),))), "read twice"),
        (lambda: job(Stage("a", (Exchange("b", 1),)), SCAN), "does not stand before"),
        (lambda: job(SCAN, Stage("a", (Exchange("scan", 1), Exchange("scan", 2)))), "two exchanges"),
        (lambda: Stage("a", ()), "inputs empty"),
        (lambda: Read("in", -1), "bytes -1"),
        (lambda: Read("in", 1, block_bytes=0), "block_bytes 0; give at least 1,"),
        (lambda: Read("in", 10**9, block_bytes=-5), "block_bytes -5; give at least 10000,"),
        (
            lambda: Read("in", 10**9, block_bytes=9999),
            "block_bytes 9999; give at least 10000, a file has at most",
        ),
        (lambda: Exchange("a", 1, cpu_s=float("nan")), "cpu_s nan"),
        (lambda: Exchange("a", 1, kind=cast(Any, "multicast")), "multicast"),
        (lambda: Exchange("a", 1, kind="broadcast", skew=1.0), "skew"),
        (lambda: Exchange("a", 1, shares=(0.0, 0.0)), "shares are all 0"),
        (lambda: Exchange("a", 1, shares=(1.0, -1.0)), "shares -1"),
        (lambda: Exchange("a", 1, shares=(1.0,), skew=1.0), "shares with a skew"),
        (lambda: Exchange("a", 1, shares=(1.0,), kind="broadcast"), "broadcast"),
        (lambda: Stage("a", (Read("in", 1),), write_replication=0), "write_replication 0"),
    ],
)
def test_a_job_that_cannot_run_is_refused_with_the_reason(make, said):
    with pytest.raises(JobError, match=said):
        make()
