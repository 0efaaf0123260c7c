import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.records import delays
from experiments.records.delays import Step
from topologies.constants import Constants
from topologies.fat_tree import fat_tree

UP: Step = ("a", "up")
DOWN: Step = ("b", "down")
OTHER: Step = ("c", "down")


def assessed(delays_s, paths=((UP, DOWN),), allowed=(0.0,)):
    flows = np.arange(len(delays_s), dtype=np.int32) % len(paths)
    return delays.assess(flows, np.array(delays_s, dtype=float), paths, allowed, 0.05)


def test_what_the_queues_explain_is_no_delay():
    found = assessed([0.03] * 200, allowed=[0.03])
    assert found.excess_s_p99 == 0
    assert {(one.link, one.direction): one.excess_s_max for one in found.links} == {UP: 0, DOWN: 0}


def test_one_in_fifty_that_is_held_up_is_seen_and_one_in_two_hundred_is_not():
    assert assessed([0.2, *[0.001] * 49] * 8).excess_s_p99 == pytest.approx(0.2)
    assert assessed([0.2, *[0.001] * 199] * 2).excess_s_p99 < 0.01


def test_the_link_that_all_slow_datagrams_have_in_common_is_named():
    """Half of those over the other links are slow, too."""
    paths = [(UP, DOWN), (UP, OTHER), (("d", "up"), DOWN), (("e", "up"), OTHER)]
    found = assessed([0.1, 0.1, 0.0, 0.0] * 200, paths, [0.0] * 4)
    assert found.slowest == "a up"
    assert found.excess_s_p99 == pytest.approx(0.1)


def test_of_links_all_of_whose_datagrams_are_slow_the_one_that_explains_more_is_named():
    """Each of the others is crossed by some of its datagrams and by no other."""
    paths = [(DOWN, UP), (UP, OTHER)]
    assert assessed([0.1] * 400, paths, [0.0] * 2).slowest == "a up"


def test_lost_datagrams_are_counted_and_too_few_say_nothing():
    found = assessed([math.nan, 0.001] * 100)
    assert [(one.datagrams, one.lost) for one in found.links] == [(200, 100)] * 2
    assert assessed([math.nan] * 150 + [0.0] * 99) is None
    assert assessed([]) is None


@given(st.lists(st.floats(0, 10), min_size=100, max_size=300), st.floats(0, 1))
def test_more_allowed_is_never_more_excess(delays_s, allowed):
    strict, lenient = assessed(delays_s), assessed(delays_s, allowed=[allowed])
    assert lenient.excess_s_p99 <= strict.excess_s_p99
    assert strict.links[0].excess_s_p99 <= strict.links[0].excess_s_max == max(delays_s)


def test_every_port_after_the_sending_host_holds_a_datagram_up_that_does_not_go_first():
    topology = fat_tree(racks=2, hosts_per_rack=1, core_switches=1, uplink_ports_per_rack=1).scaled(8)
    host, up = (link for link in topology.links if link.a.node in ("h1", "t1"))
    far_host, down = (link for link in topology.links if link.a.node in ("h2", "t2"))
    steps: list[Step] = [(host.id, "up"), (up.id, "up"), (down.id, "down"), (far_host.id, "down")]
    quick = Constants(short_packets_first=True, super_frame_bytes=8192)
    assert delays.allowed_s(topology, quick, steps) == 0
    queued = Constants(short_packets_first=False, super_frame_bytes=8192, queue_bytes=3 * 8192)
    expected = sum(4 * 8192 * 8 / (link.capacity_mbps * 1e6) for link in (up, down, far_host))
    assert delays.allowed_s(topology, queued, steps) == pytest.approx(expected)
    assert delays.longest_queue_s(topology, queued) == pytest.approx(3 * 8192 * 8 / (up.capacity_mbps * 1e6))
