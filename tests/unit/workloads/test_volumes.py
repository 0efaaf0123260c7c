import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.workloads.loopback import blocks_of
from workloads.job import Exchange, Job, JobError, Read, Stage
from workloads.scale import Scale
from workloads.volumes import plan_job, window_bytes


def planned(sizes, exchange, containers=4, volume_divisor=1.0, further=(), **stage):
    stages = (Stage("scan", (Read("in", sum(sizes), 6.0),)), Stage("sink", (exchange,), **stage), *further)
    block_map, by_block = blocks_of("in", sizes, [("h1", "h2")])
    job = Job("j", "test", stages, containers=containers)
    return plan_job(job, Scale(1, volume_divisor), block_map, by_block), job


@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=40),
    st.integers(0, 10**10),
    st.floats(1, 5000),
    st.permutations(range(40)),
)
@settings(deadline=None)
def test_splits_in_any_order_yield_exactly_what_is_planned(sizes, shuffled, volume_divisor, order):
    plans, _ = planned(sizes, Exchange("scan", shuffled), volume_divisor=volume_divisor)
    scan = plans["scan"]
    output = scan.outputs[0]
    before = [sum(split.bytes for split in scan.splits[:i]) for i in range(len(scan.splits))]
    emitted = [scan.emitted_by_split(output, before[i], scan.splits[i].bytes) for i in order if i < len(scan.splits)]
    assert min(emitted) >= 0
    assert sum(emitted) == output.produced_bytes == output.moved_bytes


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(2, 20), st.floats(0, 2))
@settings(deadline=None)
def test_tasks_without_splits_yield_exactly_what_is_planned(shuffled, produced, containers, skew):
    further = (Stage("last", (Exchange("sink", produced),)),)
    plans, job = planned([1000], Exchange("scan", shuffled, skew=skew), containers, further=further)
    sink = plans["sink"]
    assert sum(sink.emitted_by_task(sink.outputs[0], task) for task in range(job.tasks)) == produced


def test_skew_divides_a_repartition_by_a_power_of_the_rank():
    plans, _ = planned([1000], Exchange("scan", 11_000_000, skew=1.0))
    expected = [plans["sink"].exchanges[0].expected_bytes(task) for task in range(3)]
    assert expected == pytest.approx([6e6, 3e6, 2e6], rel=1e-5)


def test_shares_divide_a_repartition_as_given_and_wrap_around():
    plans, _ = planned([1000], Exchange("scan", 12_000_000, cpu_s=12.0, shares=(2, 0, 1, 3)), containers=4)
    sink = plans["sink"].exchanges[0]
    assert [sink.expected_bytes(task) for task in range(3)] == pytest.approx([10e6, 0, 2e6], rel=1e-5)
    assert [sink.expected_cpu_s(task) for task in range(3)] == pytest.approx([10, 0, 2], rel=1e-5)
    few, _ = planned([1000], Exchange("scan", 12_000_000, shares=(1,)), containers=4)
    assert [few["sink"].exchanges[0].expected_bytes(task) for task in range(3)] == [12_000_000, 0, 0]


def test_a_broadcast_is_planned_once_for_every_task():
    plans, job = planned([1000], Exchange("scan", 500, kind="broadcast"), containers=5)
    assert plans["sink"].exchanges[0].moved_bytes == 500 * job.tasks
    assert plans["sink"].exchanges[0].expected_bytes(3) == 500


def test_cpu_and_results_are_divided_without_rest():
    plans, job = planned([300, 700], Exchange("scan", 10, cpu_s=9.0), write_bytes=1001)
    assert plans["scan"].split_cpu_s == pytest.approx((1.8, 4.2))
    assert sum(plans["sink"].exchanges[0].expected_cpu_s(task) for task in range(job.tasks)) == pytest.approx(9.0)
    assert sum(size for _, size in plans["sink"].parts) == 1001


def test_a_file_that_is_not_stored_completely_is_refused():
    job = Job("j", "test", (Stage("scan", (Read("in", 1000),)),))
    block_map, sizes = blocks_of("in", [400, 500], [("h1",)])
    with pytest.raises(JobError, match="900 bytes stored"):
        plan_job(job, Scale(), block_map, sizes)


def test_a_forward_follows_what_arrives_at_its_source():
    further = (
        Stage("next", (Exchange("sink", 600, cpu_s=6.0, kind="forward"),)),
        Stage("last", (Exchange("next", 60),)),
    )
    plans, _ = planned([1000], Exchange("scan", 12_000_000, shares=(5, 0, 1)), containers=4, further=further)
    (forward,) = plans["next"].exchanges
    assert [forward.expected_bytes(task) for task in range(3)] == pytest.approx([500, 0, 100], abs=1)
    assert [forward.expected_cpu_s(task) for task in range(3)] == pytest.approx([5, 0, 1])
    (output,) = plans["next"].outputs
    assert [plans["next"].emitted_by_task(output, task) for task in range(3)] == pytest.approx([50, 0, 10], abs=1)


def test_a_forward_from_a_stage_that_reads_is_even():
    plans, _ = planned([1000], Exchange("scan", 600, kind="forward"), containers=4)
    assert [plans["sink"].exchanges[0].expected_bytes(task) for task in range(3)] == [200, 200, 200]


@given(st.floats(1, 1e6))
def test_a_producer_may_be_ahead_by_the_same_modelled_bytes_as_far_as_a_frame_allows(volume_divisor):
    scale = Scale(8, volume_divisor)
    window = window_bytes(scale)
    if volume_divisor <= 2048:
        assert scale.modelled_bytes(window) == pytest.approx(64 * 2**20, rel=2e-5)
    assert window >= 32 * 1024
