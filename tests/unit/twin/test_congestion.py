"""Small messages beside long flows: they wait in queues, and now and then are sent again."""

import numpy as np
import pytest

from topologies.constants import UNSCALED
from twin.clock import Clock
from twin.congestion import Congestion
from twin.fluid import NOWHERE, Fluid
from twin.pool import GOODPUT, LOSS, QUEUED_SHARE, WINDOW_BYTES, Tcp
from workloads.scale import Scale

PATH = np.array([[0, 1]])


def arrival(busy, connects=False, asked=False, draws=(0.9,), loss=0.0, size=1e-6, window=np.inf, short=0.0):
    """When so much arrives that sets off at 1 s over links 0 and 1, of whose links or opposites some are busy."""
    clock = Clock()
    congestion = Congestion(np.full(4, 5.0), np.array([2, 3, 0, 1]), np.array(draws), loss, 1.0, window, short)
    fluid = Fluid(clock, np.array([10.0, 20.0, 10.0, 20.0]), 1e-9, hops=2, congestion=congestion)
    for link in busy:
        fluid.push(fluid.add_row(np.array([[link]]), NOWHERE, lambda _: None, connects=False), np.array([1e6]), True)
    ended: list[float] = []
    row = fluid.add_row(PATH, NOWHERE, lambda at: ended.extend(at), connects=connects, asked=asked)
    clock.at(1.0, lambda: fluid.push(row, np.array([size]), final=True))
    clock.run(lambda: bool(ended))
    return ended[0] - 1.0


@pytest.mark.parametrize(
    ("busy", "made", "connects", "asked"),
    [
        ([], 0.0, 0.0, 0.0),
        ([0], 0.5, 1.0, 0.5),  # 5 bytes wait for link 0; a connection takes a round trip before
        ([0, 1], 0.75, 1.5, 0.75),
        ([2], 0.0, 0.5, 0.5),
        ([0, 3], 0.5, 1.25, 0.75),
    ],
)
def test_a_message_waits_in_the_queues_of_full_links_and_so_does_what_asks_for_it(busy, made, connects, asked):
    assert arrival(busy) == pytest.approx(made, abs=1e-3)
    assert arrival(busy, connects=True) == pytest.approx(connects, abs=1e-3)
    assert arrival(busy, asked=True) == pytest.approx(asked, abs=1e-3)
    assert arrival(busy, connects=True, asked=True) == pytest.approx(connects + asked - made, abs=1e-3)


def test_where_short_packets_go_first_only_what_is_longer_waits_and_is_lost():
    assert arrival([0, 1, 2, 3], True, True, size=0.01, short=0.1, draws=[0.1], loss=0.5) < 0.02
    assert arrival([0], size=0.01, short=0.001) == pytest.approx(0.5, abs=1e-2)
    assert arrival([0, 2], True, True, size=0.01, short=0.001) == pytest.approx(0.5, abs=1e-2)


@pytest.mark.parametrize(("draw", "times"), [(0.9, 0), (0.4, 1), (0.2, 2), (0.06, 4)])
def test_a_message_that_is_lost_is_sent_again_when_a_timer_has_run_out_which_doubles(draw, times):
    timer_s = 1.0 + 0.5  # the least one and the round trip
    expected = 0.5 + timer_s * (2**times - 1)
    assert arrival([0], draws=[draw], loss=0.5) == pytest.approx(expected, abs=1e-3)
    assert arrival([], draws=[draw], loss=0.5) == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(
    ("size", "window", "stands_still"),
    [
        (6.0, 10.0, 0.0),  # all is on the way at once
        (6.0, 2.5, 0.0),  # 5 bytes a second are half a second's 2.5, which is the round trip
        (6.0, 1.0, (0.5 - 1 / 5) + (0.5 - 2 / 5)),  # then 4 are more than the way holds
        (2.0, 1.0, 0.5 - 1 / 5),  # the rest goes with the second window
    ],
)
def test_a_new_connection_stands_still_until_its_window_holds_what_is_on_the_way(size, window, stands_still):
    usual = arrival([0], connects=True, size=size)
    assert usual == pytest.approx(0.5 + 0.5 + size / 5, abs=1e-3)
    assert arrival([0], connects=True, size=size, window=window) == pytest.approx(usual + stands_still, abs=1e-3)
    assert arrival([0], size=size, window=window) == pytest.approx(0.5 + size / 5, abs=1e-3)
    assert arrival([], connects=True, size=size, window=window) == pytest.approx(size / 10, abs=1e-3)


def test_what_goes_on_flowing_does_not_wait_again():
    clock = Clock()
    congestion = Congestion(np.full(2, 50.0), np.array([1, 0]), np.ones(1))
    fluid = Fluid(clock, np.full(2, 10.0), 1e-9, hops=1, congestion=congestion)
    ended: list[float] = []
    row = fluid.add_row(np.array([[0]]), NOWHERE, lambda at: ended.extend(at))
    fluid.push(row, np.array([100.0]))
    clock.at(5, lambda: fluid.push(row, np.array([20.0]), final=True))
    clock.run(lambda: bool(ended))
    assert ended == [pytest.approx(12, abs=1e-3)]


def test_what_sets_off_over_a_link_that_is_down_waits_until_it_is_back():
    clock = Clock()
    fluid = Fluid(
        clock, np.full(2, 10.0), 1e-9, 1, Congestion(np.full(2, 50.0), np.array([1, 0]), np.ones(1), 0.5, 1.0)
    )
    ended: list[float] = []
    fluid.set_capacity(0, 0.0)
    row = fluid.add_row(np.array([[0]]), NOWHERE, lambda at: ended.extend(at))
    clock.at(1, lambda: fluid.push(row, np.array([10.0]), final=True))
    clock.at(3, lambda: fluid.set_capacity(0, 10.0))
    clock.run(lambda: bool(ended))
    assert ended == [pytest.approx(4, abs=1e-3)]


def test_a_message_that_has_not_set_off_can_be_dropped():
    clock = Clock()
    congestion = Congestion(np.full(2, 50.0), np.array([1, 0]), np.ones(1))
    fluid = Fluid(clock, np.full(2, 10.0), 1e-9, hops=1, congestion=congestion)
    fluid.push(fluid.add_row(np.array([[0]]), NOWHERE, lambda _: None), np.array([100.0]), final=True)
    row = fluid.add_row(np.array([[0]]), NOWHERE, lambda _: pytest.fail("it was dropped"))
    clock.at(1, lambda: fluid.push(row, np.array([10.0]), final=True))
    clock.at(2, lambda: fluid.drop(row))
    clock.at(20, lambda: None)
    clock.run(lambda: clock.now == 20)
    assert fluid.links.carried.tolist() == [pytest.approx(100), 0]
    assert not fluid._state.counts[:2].any()


def test_the_divisors_divide_what_waits_in_the_cluster_and_not_what_waits_in_the_emulation():
    scale = Scale(rate_divisor=8, volume_divisor=512)
    assert Tcp.of_emulation(UNSCALED) == Tcp(GOODPUT, QUEUED_SHARE * 73728, LOSS, 0.2, WINDOW_BYTES)
    cluster = Tcp.of_cluster(UNSCALED, scale)
    assert cluster.queue_bytes * 512 == pytest.approx(QUEUED_SHARE * 73728)
    assert scale.modelled_s(cluster.rto_s) == pytest.approx(0.2)
    assert cluster.window_bytes * 512 == pytest.approx(WINDOW_BYTES)
