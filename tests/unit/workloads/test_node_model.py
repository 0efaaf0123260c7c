"""The CPU and disk models against closed formulas of processor sharing, on clocks that the tests own."""

import asyncio
import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.workloads.virtual_time import run
from workloads.node_model import NodeModel, ProcessorSharing, SharedResource

arrivals = st.lists(st.tuples(st.floats(0, 10), st.floats(0.01, 5)), min_size=1, max_size=12)


def departures(capacity, limit, customers, looks=()):
    """When each of (arrival, amount) leaves; `looks` are further times at which the clock is read."""
    server = ProcessorSharing(capacity, limit)
    left: dict[int, float] = {}
    moments = sorted([(at, 1, i) for i, (at, _) in enumerate(customers)] + [(at, 0, -1) for at in looks])
    for at, _, i in moments:
        if i < 0:
            server.advance(at)
        else:
            server.arrive(at, customers[i][1], functools.partial(left.__setitem__, i))
    server.advance(1e6)
    return [left[i] for i in range(len(customers))], server


def by_small_steps(capacity, limit, customers, step=1e-3):
    """The same by brute force, for comparison."""
    left, work, now = {}, dict(enumerate(amount for _, amount in customers)), 0.0
    while work:
        present = [i for i in work if customers[i][0] <= now]
        rate = min(limit, capacity / len(present)) if present else 0
        for i in present:
            work[i] -= rate * step
            if work[i] <= 0:
                left[i] = now + step
                del work[i]
        now += step
    return [left[i] for i in range(len(customers))]


def test_equal_customers_that_come_together_leave_together_after_n_times_as_long():
    for count in (1, 3, 8, 20):
        left, _ = departures(8.0, 1.0, [(0.0, 2.0)] * count)
        assert left == pytest.approx([2.0 * max(1.0, count / 8)] * count)


def test_customers_of_different_sizes_leave_when_the_formula_says():
    # Sorted amounts a1 <= a2 <= ...: departure k is at sum over j <= k of (n - j + 1) (a_j - a_(j-1)) / capacity.
    left, _ = departures(10.0, 1e9, [(0.0, 1.0), (0.0, 2.0), (0.0, 4.0)])
    assert left == pytest.approx([0.3, 0.5, 0.7])


def test_a_late_comer_slows_down_the_first():
    left, _ = departures(1.0, 1e9, [(0.0, 1.0), (0.5, 1.0)])
    assert left == pytest.approx([1.5, 2.0])


@given(arrivals, st.floats(0.5, 8), st.floats(0.5, 2))
def test_work_is_conserved_and_reading_the_clock_changes_nothing(customers, capacity, limit):
    plain, server = departures(capacity, limit, customers)
    looked_at, _ = departures(capacity, limit, customers, looks=[0.1 * i for i in range(150)])
    assert looked_at == pytest.approx(plain, rel=1e-6, abs=1e-6)
    assert server.served == pytest.approx(sum(amount for _, amount in customers), rel=1e-6)
    for (at, amount), due in zip(customers, plain, strict=True):
        assert due >= at + amount / min(limit, capacity) - 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_departures_equal_a_simulation_in_small_steps(seed):
    customers = [((i * 7 + seed) % 5 * 0.4, 0.2 + (i * 3 + seed) % 4 * 0.5) for i in range(6)]
    left, _ = departures(3.0, 1.0, customers)
    assert left == pytest.approx(by_small_steps(3.0, 1.0, customers), abs=0.01)


def test_a_customer_that_is_cancelled_frees_its_share():
    big: list[float] = []
    small: list[float] = []
    server = ProcessorSharing(1.0)
    key = server.arrive(0.0, 10.0, big.append)
    server.arrive(0.0, 1.0, small.append)
    server.cancel(1.0, key)
    server.advance(10.0)
    assert not big
    assert small == [pytest.approx(1.5)]


def test_a_customer_is_credited_for_the_lateness_of_its_caller():
    left: list[float] = []
    server = ProcessorSharing(2.0)
    server.arrive(5.0, 2.0, left.append, since=4.5)
    server.advance(10.0)
    assert left == [pytest.approx(5.5)]


def test_coroutines_wait_as_long_as_the_model_says():
    async def main():
        loop, cpu = asyncio.get_running_loop(), SharedResource(2.0, limit=1.0)

        async def use(at, amount):
            await asyncio.sleep(at)
            await cpu.use(amount)
            return loop.time()

        return await asyncio.gather(use(0, 1.0), use(0, 1.0), use(0, 1.0), use(3, 1.0))

    # 10^-3: the event loop rounds its waits up to milliseconds.
    assert run(main()) == pytest.approx([1.5, 1.5, 1.5, 4.0], abs=2e-3)


def test_steps_in_a_row_do_not_pile_up_the_lateness_of_timers():
    async def main():
        disk, due = SharedResource(1000.0), None
        for _ in range(400):
            due = await disk.use(1.3, due)
        return asyncio.get_running_loop().time(), due

    ended, due = run(main())
    assert due == pytest.approx(0.52)
    assert ended == pytest.approx(0.52, rel=0.01)


def test_a_cancelled_coroutine_gives_up_its_service():
    async def main():
        disk = SharedResource(1.0)
        big = asyncio.ensure_future(disk.use(100.0))
        await asyncio.sleep(1)
        big.cancel()
        await asyncio.sleep(0)
        await disk.use(1.0)
        return asyncio.get_running_loop().time()

    assert run(main()) == pytest.approx(2.0, abs=2e-3)


@pytest.mark.parametrize("fields", [{"cores": 0}, {"disk_mb_per_s": -1.0}, {"disk_mb_per_s": float("nan")}])
def test_impossible_nodes_are_refused(fields):
    with pytest.raises(ValueError, match=next(iter(fields))):
        NodeModel(**fields)
