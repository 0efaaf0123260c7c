import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.clos import k_ary_fat_tree, leaf_spine
from topologies.routing import next_hops
from topologies.topology import TopologyError


def ways(topology, source, destination):
    """The number of shortest paths between two hosts."""
    graph = nx.Graph((link.a.node, link.b.node) for link in topology.links)
    return len(list(nx.all_shortest_paths(graph, source, destination)))


@pytest.mark.parametrize("k", [4, 6, 8])
def test_a_k_ary_fat_tree_has_switches_of_k_ports_and_the_paths_of_its_paper(k):
    topology = k_ary_fat_tree(k)
    half = k // 2
    assert len(topology.hosts) == k**3 // 4
    assert len(topology.switches) == 5 * k**2 // 4
    for switch in topology.switches:
        ports = [end.port_no for link in topology.links for end in (link.a, link.b) if end.node == switch.name]
        assert sorted(ports) == list(range(1, k + 1))
    first, beside, pod, far = (topology.hosts[place].name for place in (0, 1, half, half * half))
    assert [topology.hops(first, other) for other in (beside, pod, far)] == [1, 3, 5]
    assert [ways(topology, first, other) for other in (beside, pod, far)] == [1, half, half * half]


@given(st.sampled_from([4, 6]), st.floats(0.5, 20))
@settings(max_examples=20, deadline=None)
def test_racks_of_a_k_ary_fat_tree_are_oversubscribed_by_the_blocking_factor(k, blocking_factor):
    topology = k_ary_fat_tree(k, blocking_factor=blocking_factor)
    for edge in (switch for switch in topology.switches if switch.tier == "edge"):
        above = sum(link.capacity_mbps for link in topology.uplinks if link.a.node == edge.name)
        assert above * blocking_factor == pytest.approx(1000 * k // 2)


def test_tiers_can_have_rates_of_their_own():
    topology = k_ary_fat_tree(4, uplink_mbps=400, core_mbps=100)
    rates = {(link.a.node[0], link.b.node[0]): link.capacity_mbps for link in topology.links}
    assert rates == {("h", "t"): 1000, ("t", "a"): 400, ("a", "c"): 100}


@given(st.integers(2, 5), st.integers(1, 4), st.lists(st.floats(1, 1e4), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_every_leaf_has_a_link_of_the_spines_own_rate_to_each_spine_and_all_are_used(leaves, hosts, rates):
    topology = leaf_spine(leaves, hosts, len(rates), spine_mbps=rates)
    hops = next_hops(topology)
    for leaf in range(1, leaves + 1):
        above = {link.b.node: link.capacity_mbps for link in topology.uplinks if link.a.node == f"t{leaf}"}
        assert above == {f"c{spine}": rate for spine, rate in enumerate(rates, 1)}
        assert all(len(hops[f"t{leaf}", f"t{other}"]) == len(rates) for other in range(1, leaves + 1) if other != leaf)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: k_ary_fat_tree(5), "k 5: give an even number from 4 to 32"),
        (lambda: k_ary_fat_tree(64), "k 64: "),
        (lambda: k_ary_fat_tree(4, blocking_factor=0), "blocking_factor 0: give a number above 0"),
        (lambda: leaf_spine(0), "leaves 0: give a number from 1 to 1000"),
        (lambda: leaf_spine(spines=300), "spines 300: give a number from 1 to 254"),
        (lambda: leaf_spine(spines=3, spine_mbps=[1, 2]), "spine_mbps: 2 rates for 3 spines; give one for each"),
        (lambda: leaf_spine(spines=1, spine_mbps=[-1]), "capacity_mbps -1"),
    ],
)
def test_impossible_parameters_are_named(build, words):
    with pytest.raises(TopologyError, match=words):
        build()
