"""Virtual time: its order, processes, and asyncio code on it."""

import asyncio
import functools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.clock import Clock, Signal, StandstillError
from twin.event_loop import run
from twin.resources import Shared
from workloads.node_model import SharedResource


@given(st.lists(st.floats(0, 1e6)))
def test_events_come_in_the_order_of_their_times_and_equal_ones_as_they_were_set(times):
    clock, seen = Clock(), []
    for number, time_s in enumerate(times):
        clock.at(time_s, functools.partial(lambda number: seen.append((clock.now, number)), number))
    clock.run(lambda: len(seen) == len(times))
    assert seen == sorted((time_s, number) for number, time_s in enumerate(times))


def test_a_process_waits_for_signals_and_gets_their_values():
    clock, asked = Clock(), Signal()

    def process():
        yield clock.sleep(2)
        value = yield asked
        yield clock.sleep(3)
        return value, clock.now

    ended = clock.start(process())
    clock.at(5, lambda: asked.fire("x"))
    clock.run(lambda: ended.done)
    assert ended.value == ("x", 8.0)


def test_an_error_is_raised_in_the_process_that_waits():
    clock, asked, answered = Clock(), Signal(), Signal()
    answered.fire(KeyError("y"))

    def process():
        caught = []
        for signal in (asked, answered):
            try:
                yield signal
            except LookupError as error:
                caught.append((type(error), clock.now))
        return caught

    ended = clock.start(process())
    clock.at(5, lambda: asked.fire(IndexError("x")))
    clock.run(lambda: ended.done)
    assert ended.value == [(IndexError, 5), (KeyError, 5)]


def test_a_process_that_is_closed_is_not_resumed():
    clock, seen = Clock(), []

    def process():
        try:
            yield clock.sleep(2)
            seen.append("resumed")
        finally:
            seen.append("closed")

    closed = process()
    ended = clock.start(closed)
    clock.at(1, closed.close)
    clock.run(lambda: ended.done)
    assert seen == ["closed"]
    assert clock.now == 2


def test_what_waits_for_nothing_is_told():
    clock = Clock()
    with pytest.raises(StandstillError, match="nothing happens any more at 0 s"):
        clock.run(lambda: False)


def test_asyncio_code_runs_on_the_clock():
    clock = Clock()
    future_at: list[float] = []

    async def main():
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        clock.at(7, lambda: answer.set_result("y"))
        clock.at(9, lambda: future_at.append(clock.now))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(answer), 5)
        assert loop.time() == clock.now == 5
        value = await answer
        assert clock.now == 7
        await asyncio.gather(asyncio.sleep(1), asyncio.sleep(4))
        return value, clock.now

    assert run(clock, main()) == ("y", 11.0)
    assert future_at == [9]


def test_a_timer_that_is_set_while_time_goes_on_rings_in_time():
    clock = Clock()

    async def main():
        loop = asyncio.get_running_loop()
        rung = loop.create_future()
        clock.at(1, lambda: loop.call_later(2, lambda: rung.set_result(loop.time())))
        return await asyncio.wait_for(rung, 100)

    assert run(clock, main()) == 3


def test_asyncio_code_that_waits_for_nothing_is_told():
    async def main():
        await asyncio.get_running_loop().create_future()

    with pytest.raises(StandstillError):
        run(Clock(), main())


@given(
    st.lists(st.tuples(st.floats(0, 50), st.floats(0.001, 20)), min_size=1, max_size=12),
    st.integers(1, 4),
    st.sampled_from([1.0, float("inf")]),
)
def test_cores_serve_as_the_emulations_do(customers, capacity, limit):
    clock = Clock()
    left: dict[int, float] = {}
    shared = Shared(clock, capacity, limit)

    def come(number, amount):
        clock.start(shared.use(amount)).then(lambda _: left.update({number: clock.now}))

    for number, (at_s, amount) in enumerate(customers):
        clock.at(at_s, functools.partial(come, number, amount))
    clock.run(lambda: len(left) == len(customers))

    async def emulated():
        resource = SharedResource(capacity, limit)

        async def customer(at_s, amount):
            await asyncio.sleep(at_s)
            return await resource.use(amount)

        return await asyncio.gather(*(customer(*one) for one in customers))

    assert [left[number] for number in range(len(customers))] == pytest.approx(run(Clock(), emulated()), abs=1e-6)
    assert shared.served() == pytest.approx(sum(amount for _, amount in customers))


def test_who_is_closed_leaves_the_cores_to_the_others():
    clock, ends = Clock(), []
    core = Shared(clock, 1, limit=1.0)
    waiting = [core.use(amount) for amount in (10, 10, 1)]
    for process in waiting:
        clock.start(process).then(lambda _: ends.append(clock.now))
    clock.at(3, waiting[0].close)  # exactly when the third leaves
    clock.run(lambda: len(ends) == 2)
    assert ends == pytest.approx([3, 3 + 9])
    assert core.served() == pytest.approx(1 + 1 + 10)
