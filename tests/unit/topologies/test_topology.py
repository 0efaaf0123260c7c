import dataclasses
import json

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.fat_tree import fat_tree, single_switch, thesis, uplink_port_mbps
from topologies.presets import PRESETS
from topologies.topology import Endpoint, Link, Topology, TopologyError

fat_trees = st.builds(
    lambda racks, hosts, cores, parallel, blocking: fat_tree(racks, hosts, cores, cores * parallel, 1000.0, blocking),
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(1, 4),
    st.floats(0.5, 40),
)


@given(fat_trees)
@settings(max_examples=50, deadline=None)
def test_a_rack_is_oversubscribed_by_the_blocking_factor(topology):
    parallel = {(link.a.node, link.b.node) for link in topology.uplinks}
    edges = [switch for switch in topology.switches if switch.tier == "edge"]
    cores = [switch for switch in topology.switches if switch.tier == "core"]
    assert parallel == {(edge.name, core.name) for edge in edges for core in cores}
    ratios = set()
    for edge in edges:
        below = sum(link.capacity_mbps for link in topology.links if link.b.node == edge.name)
        above = sum(link.capacity_mbps for link in topology.uplinks if link.a.node == edge.name)
        ratios.add(round(below / above, 6))
    assert len(ratios) == 1


@given(fat_trees)
@settings(max_examples=50, deadline=None)
def test_hops_are_the_switches_on_a_shortest_path(topology):
    graph = nx.Graph((link.a.node, link.b.node) for link in topology.links)
    for row, source in enumerate(topology.hosts):
        for column, destination in enumerate(topology.hosts):
            distance = nx.shortest_path_length(graph, source.name, destination.name)
            assert topology.hop_matrix[row, column] == max(0, distance - 1)
    assert topology.diameter == topology.hop_matrix.max()


@given(fat_trees, st.floats(0.5, 100))
@settings(max_examples=30, deadline=None)
def test_json_and_scaling_keep_the_network(topology, divisor):
    assert Topology.from_json(topology.to_json()) == topology
    scaled = topology.scaled(divisor)
    assert [link.capacity_mbps * divisor for link in scaled.links] == pytest.approx(
        [link.capacity_mbps for link in topology.links]
    )
    assert dataclasses.replace(scaled, links=topology.links) == topology


def test_thesis_is_the_testbed_of_chapter_6():
    topology = thesis()
    assert [len(members) for members in topology.racks.values()] == [2, 2, 2, 2]
    assert len(topology.links) == 40
    assert {link.capacity_mbps for link in topology.uplinks} == {50.0}
    assert {link.capacity_mbps for link in topology.host_link.values()} == {1000.0}
    for edge in ("t1", "t2", "t3", "t4"):
        for core in ("c1", "c2"):
            between = [link for link in topology.uplinks if (link.a.node, link.b.node) == (edge, core)]
            assert len(between) == 4
            assert sum(link.capacity_mbps for link in between) == 200.0
    assert topology.diameter == 3
    assert topology.hops("h1", "h1") == 0
    assert topology.hops("h1", "h2") == 1
    assert topology.hops("h1", "h8") == 3


def test_blocking_factor_1_does_not_block():
    assert uplink_port_mbps(2, 1000, 1, 8) == 250
    assert {link.capacity_mbps for link in thesis(1).uplinks} == {250.0}


def test_single_switch_has_one_hop():
    topology = single_switch(64)
    assert topology.uplinks == ()
    assert set(np.unique(topology.hop_matrix)) == {0, 1}


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_builds_without_arguments(preset):
    assert PRESETS[preset]().name


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"racks": 0}, "racks 0"),
        ({"hosts_per_rack": 300}, "hosts_per_rack 300"),
        ({"uplink_ports_per_rack": 7}, "uplink_ports_per_rack 7"),
        ({"blocking_factor": 0}, "blocking_factor 0"),
        ({"racks": 1001}, "racks 1001: give a number from 1 to 1000"),
        ({"racks": 1000, "hosts_per_rack": 101}, "racks 1000 x hosts_per_rack 101: are 101,000; give at most 100,000"),
        ({"racks": 200, "uplink_ports_per_rack": 502}, "100,400; give at most 100,000"),
        ({"uplink_mbps": -1}, "capacity_mbps -1"),
        ({"host_mbps": float("nan")}, "capacity_mbps nan"),
    ],
)
def test_impossible_parameters_are_named(parameters, words):
    with pytest.raises(TopologyError, match=words):
        fat_tree(**parameters)


def test_inconsistent_networks_are_refused():
    good = single_switch(2)

    def altered(**changes):
        return lambda: dataclasses.replace(good, **changes)

    first = good.links[0]
    cases = {
        "used twice": altered(hosts=(good.hosts[0], good.hosts[0])),
        "does not exist": altered(links=(*good.links, Link("x", Endpoint("t9", 1), Endpoint("t1", 9), 1.0))),
        "can be reached": altered(links=(first,)),
        "`a` end": altered(links=(Link("x", first.b, first.a, 1.0), good.links[1])),
        "use 1 to 65279": altered(links=(Link("x", first.a, Endpoint("t1", 0), 1.0), good.links[1])),
        "ip '10.0.0.999'": altered(hosts=(dataclasses.replace(good.hosts[0], ip="10.0.0.999"), good.hosts[1])),
        "mac '02:AA:": altered(hosts=(dataclasses.replace(good.hosts[0], mac="02:AA:0a:00:01:01"), good.hosts[1])),
        "dpid 0": altered(switches=(dataclasses.replace(good.switches[0], dpid=0),)),
        "node name": altered(hosts=(dataclasses.replace(good.hosts[0], name="Host-1"), good.hosts[1])),
    }
    for words, build in cases.items():
        with pytest.raises(TopologyError, match=words):
            build()


def test_a_document_of_another_version_is_refused():
    document = json.loads(thesis().to_json())
    with pytest.raises(TopologyError, match="schema_version 99"):
        Topology.from_json(json.dumps({**document, "schema_version": 99}))
    del document["hosts"]
    with pytest.raises(TopologyError, match="hosts"):
        Topology.from_json(json.dumps(document))


def test_hosts_of_a_hundred_thousand_have_addresses_of_their_own():
    network = fat_tree(racks=400, hosts_per_rack=250, uplink_ports_per_rack=2)
    assert len({host.ip for host in network.hosts}) == len({host.mac for host in network.hosts}) == 100_000
    at = {host.rack: host for host in network.hosts}
    assert (at[255].ip, at[256].ip, at[400].mac) == ("10.0.255.250", "10.1.0.250", "02:00:0a:01:90:fa")
