"""Hedera's traffic patterns have the properties by which the papers describe them."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies import traffic
from topologies.clos import k_ary_fat_tree, leaf_spine
from topologies.fat_tree import single_switch

TREE = k_ary_fat_tree(4)
HOSTS = [host.name for host in TREE.hosts]
PLACE = {name: place for place, name in enumerate(HOSTS)}


def test_there_are_twenty_and_every_host_sends():
    patterns = traffic.hedera(TREE)
    assert len(patterns) == 20
    for name, pairs in patterns.items():
        count = int(name[-1]) if name.startswith("randx") else 1
        assert Counter(source for source, _ in pairs) == dict.fromkeys(HOSTS, count), name
        assert all(source != destination for source, destination in pairs), name
        assert len(set(pairs)) == len(pairs), name


def test_draws_follow_the_seed_and_differ_from_each_other():
    one, again, other = traffic.hedera(TREE, 1), traffic.hedera(TREE, 1), traffic.hedera(TREE, 2)
    assert one == again != other
    assert one["rand0"] != one["rand1"]
    assert one["stride8"] == other["stride8"]


@pytest.mark.parametrize("step", [1, 2, 4, 8])
def test_a_stride_goes_so_many_places_on(step):
    pairs = traffic.hedera(TREE)[f"stride{step}"]
    assert all((PLACE[destination] - PLACE[source]) % 16 == step for source, destination in pairs)


@given(st.integers(0, 1000))
def test_a_bijection_and_a_hotspot_have_as_many_senders_for_each_as_they_say(seed):
    rng = random.Random(seed)
    assert set(Counter(receiver for _, receiver in traffic.bijection(TREE, rng)).values()) == {1}
    senders = Counter(receiver for _, receiver in traffic.hotspot(TREE, rng)).values()
    assert sorted(senders) == [1] * 10 + [3] * 2


def test_staggered_hosts_stay_in_their_rack_and_pod_as_often_as_they_should():
    hops = Counter(
        TREE.hops(*pair)
        for seed in range(400)
        for pair in traffic.staggered(TREE, random.Random(seed), edge=0.5, pod=0.3)
    )
    shares = {hop: count / hops.total() for hop, count in hops.items()}
    assert shares == pytest.approx({1: 0.5, 3: 0.3, 5: 0.2}, abs=0.02)


@pytest.mark.parametrize("topology", [single_switch(1), single_switch(2), leaf_spine(3, 1, 2), leaf_spine(3, 2, 2)])
def test_small_and_flat_networks_have_what_patterns_they_can(topology):
    for pairs in traffic.hedera(topology).values():
        assert all(source != destination for source, destination in pairs)
    assert bool(traffic.hedera(topology)["rand0"]) == (len(topology.hosts) > 1)
