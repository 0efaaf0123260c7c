"""The fluid: max-min fair rates, bytes that arrive as they were sent, and signals at the right times."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.fairness import max_min_rates
from twin.clock import Clock, Signal
from twin.fluid import NOWHERE, Fluid


@st.composite
def networks(draw):
    """Capacities of links, and the links that each flow crosses."""
    capacity = draw(st.lists(st.floats(0.5, 20), min_size=2, max_size=12))
    path = st.lists(st.integers(0, len(capacity) - 1), min_size=1, max_size=4, unique=True)
    return capacity, draw(st.lists(path, min_size=1, max_size=25))


@given(networks(), st.data())
@settings(deadline=None)
def test_rates_are_max_min_fair_whenever_flows_come_and_leave(network, data):
    capacity, paths = network
    plenty = [1e9] * len(paths)  # each flow crosses a link of its own besides, whose load is its rate
    clock, fluid = fluid_of(*capacity, *plenty, hops=5)
    rows: dict[int, int] = {}
    for _ in range(data.draw(st.integers(1, 6))):
        for flow in data.draw(st.sets(st.integers(0, len(paths) - 1), min_size=1)):
            if flow in rows:
                fluid.drop(rows.pop(flow))
            else:
                rows[flow] = fluid.add_row(np.array([[*paths[flow], len(capacity) + flow]]), NOWHERE, lambda _: None)
                fluid.push(rows[flow], np.array([1e12]))
        clock.run(lambda: False, at_most_s=clock.now + 1)
        rates: Any = max_min_rates([paths[flow] for flow in rows], dict(enumerate(capacity))) if rows else []
        assert fluid.links.load[len(capacity) :][list(rows)] == pytest.approx(rates, rel=1e-6)
        for link in range(len(capacity)):
            crossing = [flow for flow in rows if link in paths[flow]]
            assert fluid.links.flows[link] == len(crossing)
            assert fluid.links.load[link] == pytest.approx(
                sum(fluid.links.load[len(capacity) + flow] for flow in crossing), abs=1e-9
            )
        assert not fluid.links.fresh.any()
        assert not fluid.links.sought.any()


def fluid_of(*capacity, interval_s=1e-9, hops=4):
    clock = Clock()
    return clock, Fluid(clock, np.array(capacity, float), interval_s, hops)


def send(clock, fluid, path, size):
    """The end of a process that sends so much over a path."""
    return clock.start(fluid.send(np.array([path]), size, Signal()))


def test_flows_share_a_link_and_the_rest_of_others():
    clock, fluid = fluid_of(10.0, 4.0)
    times = {}
    for name, path, size in (("a", [0], 60), ("b", [0, 1], 40), ("c", [0], 30)):
        send(clock, fluid, path, size).then(lambda _, name=name: times.update({name: clock.now}))
    clock.run(lambda: len(times) == 3)
    # 10/3 each; c ends at 9 s, then 4 for b and 6 for a: b has 10 left, a 30 left
    assert times == pytest.approx({"c": 9.0, "b": 11.5, "a": 9 + 2.5 + 15 / 10}, abs=1e-3)


def test_a_row_arrives_in_inboxes_which_tell_what_they_hold():
    clock, fluid = fluid_of(10.0, 10.0)
    told = []
    group = fluid.add_group(lambda: told.append(("filled", clock.now)))
    boxes = [fluid.add_inbox(group, 1, lambda number=number: told.append((number, clock.now))) for number in range(3)]
    row = fluid.add_row(
        np.array([[0, -1], [1, -1], [-1, -1]]), np.array(boxes), lambda at: told.append(("row", at.tolist()))
    )
    fluid.push(row, np.array([20.0, 10.0, 5.0]))
    assert fluid.level(boxes[2]) == 5
    assert not fluid.expect(group, np.array(boxes), 25.0)
    clock.run(lambda: bool(told))
    assert told == [("filled", pytest.approx(1.0, abs=1e-3))]
    assert fluid.expect(group, np.array(boxes), 24.0)
    fluid.push(row, np.array([0.0, 5.0, 0.0]), final=True)
    clock.run(lambda: told[-1][0] == "row")
    assert told[1:] == [
        (2, pytest.approx(1, abs=1e-3)),
        (1, pytest.approx(1.5, abs=1e-3)),
        (0, pytest.approx(2, abs=1e-3)),
        ("row", pytest.approx([2, 1.5, 1], abs=1e-3)),
    ]
    assert [fluid.level(box) for box in boxes] == pytest.approx([20, 15, 5], abs=1e-3)
    fluid.take(boxes[0], 20)
    assert fluid.level(boxes[0]) == pytest.approx(0, abs=1e-3)


def test_small_pushes_wait_until_they_are_worth_it_and_a_producer_until_what_lags_is_on_its_way():
    clock, fluid = fluid_of(10.0)
    row = fluid.add_row(np.array([[0]]), NOWHERE, lambda _: None, np.array([8.0]))
    fluid.push(row, np.array([5.0]))
    clock.at(3, lambda: fluid.push(row, np.array([95.0])))
    drained = []
    clock.at(3, lambda: fluid.drained(row, 20.0).then(lambda _: drained.append(clock.now)))
    clock.run(lambda: bool(drained))
    assert drained == [pytest.approx(11, abs=1e-3)]


def test_a_link_that_carries_nothing_holds_up_what_crosses_it():
    clock, fluid = fluid_of(10.0)
    arrived = send(clock, fluid, [0], 50)
    clock.at(1, lambda: fluid.set_capacity(0, 0.0))
    clock.at(4, lambda: fluid.set_capacity(0, 20.0))
    clock.run(lambda: arrived.done)
    assert clock.now == pytest.approx(6, abs=1e-3)


@given(networks(), st.lists(st.floats(1, 1000), min_size=25, max_size=25), st.sampled_from([1e-9, 0.1, 1.0]))
@settings(deadline=None, max_examples=50)
def test_everything_arrives_and_no_link_carries_more_than_it_can(network, sizes, interval_s):
    capacity, paths = network
    clock, fluid = fluid_of(*capacity, interval_s=interval_s)
    group = fluid.add_group(lambda: None)
    done = []
    for flow, path in enumerate(paths):
        box = fluid.add_inbox(group, 1, lambda flow=flow: done.append(flow))
        row = fluid.add_row(np.array([path]), np.array([box]), lambda _: None)
        clock.at(flow * 0.3, lambda row=row, flow=flow: fluid.push(row, np.array([sizes[flow]]), final=True))
    clock.run(lambda: len(done) == len(paths))
    assert [fluid.level(box) for box in range(len(paths))] == pytest.approx(sizes[: len(paths)], rel=1e-6)
    for link, rate in enumerate(capacity):
        carried = sum(sizes[flow] for flow, path in enumerate(paths) if link in path)
        assert fluid.links.carried[link] == pytest.approx(carried, rel=1e-6)
        assert carried <= rate * (clock.now + interval_s) * (1 + 1e-6)


def test_flows_that_are_dropped_leave_their_links_to_others():
    clock, fluid = fluid_of(10.0, 10.0)
    group = fluid.add_group(lambda: None)
    box = fluid.add_inbox(group, 3, lambda: None)
    row = fluid.add_row(np.array([[0], [1]]), np.array([box]), lambda _: pytest.fail("they have not ended"))
    other = fluid.add_row(np.array([[0]]), np.array([box]), lambda _: None)
    fluid.push(row, np.array([100.0, 100.0]))
    fluid.push(other, np.array([100.0]), final=True)
    fluid.drained(row, 1.0).then(lambda _: pytest.fail("they have not drained"))
    clock.at(4, lambda: fluid.drop(row))
    clock.at(5, lambda: None)
    clock.run(lambda: clock.now == 5)
    assert fluid.level(box) == pytest.approx(20 + 40 + 30, abs=1e-3)
    clock.run(lambda: not fluid._ended)
    assert clock.now == pytest.approx(12, abs=1e-3)
    assert fluid.level(box) == pytest.approx(20 + 40 + 100, abs=1e-3)
    assert fluid.links.carried == pytest.approx([120, 40], abs=1e-3)
    assert fluid.add_row(np.array([[0]]), np.array([box]), lambda _: None) in (row, other)


def test_what_flows_into_an_inbox_that_is_closed_is_lost_and_not_found_in_the_next():
    clock, fluid = fluid_of(10.0)
    closed, others = (fluid.add_group(lambda: None) for _ in range(2))
    box = fluid.add_inbox(closed, 1, lambda: pytest.fail("it is closed"))
    ended: list[np.ndarray] = []
    fluid.push(fluid.add_row(np.array([[0]]), np.array([box]), ended.append), np.array([50.0]), final=True)
    clock.at(2, lambda: fluid.close(closed, [box]))
    clock.run(lambda: clock.now == 2)
    assert fluid.add_inbox(others, 1, lambda: None) == box
    clock.run(lambda: bool(ended))
    assert clock.now == pytest.approx(5, abs=1e-3)
    assert fluid.level(box) == 0


@given(st.data(), st.sampled_from([1e-9, 0.1, 1.0]))
@settings(deadline=None, max_examples=50)
def test_everything_arrives_over_the_links_that_flows_crossed_at_the_time(data, interval_s):
    clock, fluid = fluid_of(*[10.0] * 6, interval_s=interval_s)
    path = st.lists(st.integers(0, 5), min_size=2, max_size=6, unique=True)
    sizes = data.draw(st.lists(st.floats(1, 100), min_size=1, max_size=6))
    seconds = data.draw(st.lists(st.floats(0.01, 20), max_size=4))
    ends = [send(clock, fluid, data.draw(path)[:2], size) for size in sizes]
    carried = [fluid.links.carried.copy()]

    def move():
        def draw(links):
            crossed.append(links[:, :].copy())
            carried.append(fluid.links.carried.copy())
            drawn = np.full((len(links), 6), -1, np.int64)
            for flow in range(len(links)):
                new = data.draw(path)
                drawn[flow, : len(new)] = new
            return drawn

        fluid.reroute(draw)

    crossed: list[np.ndarray] = []
    for time_s in np.cumsum(seconds):
        clock.at(time_s, move)
    clock.run(lambda: all(end.done for end in ends) and len(crossed) == len(seconds))
    for links, before, after in zip(crossed, carried, carried[1:], strict=False):
        unused = set(range(6)) - set(links.ravel().tolist())
        assert all(before[link] == after[link] for link in unused)
    capacity = 10.0 * (clock.now + interval_s)
    assert fluid.links.carried.max() <= capacity * (1 + 1e-6)
    assert fluid.links.carried.sum() >= 2 * sum(sizes) * (1 - 1e-6)
