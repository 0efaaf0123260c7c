import ipaddress

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.entries import DeleteOtherGenerations, Flow, Group, ListGroups, PutFlow, Rules, ToGroup, changes
from controller.routing import destination_prefixes, ecmp_rules, switch_seed
from tests.unit.controller.fake_switches import FakeSwitch, FakeSwitches
from topologies.fat_tree import fat_tree, single_switch, thesis
from topologies.routing import next_hops
from topologies.topology import Endpoint, Host, Link, Switch, Topology, TopologyError


def ring(size):
    """Switches in a ring with doubled links and one host each: many shortest paths, none of them up and down."""
    hosts = tuple(Host(f"h{i}", i + 1, f"10.0.{i + 1}.1", f"02:00:00:00:00:{i + 1:02x}") for i in range(size))
    switches = tuple(Switch(f"t{i}", i + 1, "edge", i + 1) for i in range(size))
    links = [Link(f"h{i}-t{i}", Endpoint(f"h{i}", 1), Endpoint(f"t{i}", 1), 100.0) for i in range(size)]
    for i in range(size):
        j = (i + 1) % size
        for copy in (0, 1):
            ends = Endpoint(f"t{i}", 2 + copy), Endpoint(f"t{j}", 4 + copy)
            links.append(Link(f"t{i}-t{j}/{copy + 1}", *ends, 100.0))
    return Topology("ring", hosts, switches, tuple(links))


TOPOLOGIES = [
    fat_tree(racks=3, hosts_per_rack=1, core_switches=2, uplink_ports_per_rack=4),
    fat_tree(racks=2, hosts_per_rack=2, core_switches=3, uplink_ports_per_rack=3),
    single_switch(3),
    ring(5),
]


def routed(topology, **conditions):
    switches = FakeSwitches(topology)
    for name, rules in ecmp_rules(topology, **conditions).items():
        for command in changes(None, rules):
            switches.by_name[name].obey(command)
    return switches


def graph(topology, without):
    edges: nx.MultiGraph[str] = nx.MultiGraph()
    edges.add_nodes_from(host.name for host in topology.hosts)
    edges.add_edges_from((link.a.node, link.b.node, link.id) for link in topology.links if link.id not in without)
    return edges


@st.composite
def broken_networks(draw):
    topology = draw(st.sampled_from(TOPOLOGIES))
    ids = [link.id for link in topology.uplinks]
    down = draw(st.sets(st.sampled_from(ids))) if ids else set()
    suspect = draw(st.sets(st.sampled_from(ids))) - down if ids else set()
    return topology, down, suspect


@settings(max_examples=150, deadline=None)
@given(broken_networks())
def test_every_connected_pair_is_routed_without_loops_and_never_over_a_dead_link(network):
    topology, down, suspect = network
    switches = routed(topology, down=down, suspect=suspect)
    possible, sure = graph(topology, down), graph(topology, down | suspect)
    for source in topology.hosts:
        for destination in topology.hosts:
            if source != destination:
                routes = switches.routes(source.name, destination.name)
                assert bool(routes) == nx.has_path(possible, source.name, destination.name)
                assert not any(down & set(route) for route in routes)
                if nx.has_path(sure, source.name, destination.name):
                    shortest = nx.shortest_path_length(sure, source.name, destination.name)
                    assert {len(route) for route in routes} == {shortest}
                    assert not any(suspect & set(route) for route in routes)


def test_the_thesis_network_uses_every_parallel_link():
    topology = thesis()
    routes = routed(topology).routes("h1", "h8")
    assert len(routes) == 8 * 4
    used = {link for route in routes for link in route[1:3]}
    assert used == {link.id for link in topology.uplinks if link.a.node in ("t1", "t4")}
    assert {len(route) for route in routes} == {4}


def test_paths_go_up_then_down():
    topology = fat_tree(racks=4, core_switches=2)
    tier = {switch.name: switch.tier for switch in topology.switches}
    for (switch, destination), ports in next_hops(topology).items():
        for port in ports:
            link = topology.link_at[Endpoint(switch, port)]
            far = link.b.node if link.a.node == switch else link.a.node
            assert tier[far] == ("edge" if tier[switch] == "core" else "core")
            assert tier[switch] == "edge" or far == destination


def test_switches_on_a_path_hash_differently_and_the_seed_counts():
    dpids = [switch.dpid for switch in fat_tree(racks=16, core_switches=4).switches]
    seeds = {switch_seed(1, dpid) for dpid in dpids}
    assert len(seeds) == len(dpids)
    assert seeds.isdisjoint({switch_seed(2, dpid) for dpid in dpids})


def test_a_rack_is_one_prefix_that_holds_no_other_rack():
    topology = fat_tree(racks=16, hosts_per_rack=16)
    prefixes = destination_prefixes(topology)
    assert all(len(networks) == 1 for networks in prefixes.values())
    for host in topology.hosts:
        holding = [edge for edge, (network,) in prefixes.items() if ipaddress.ip_address(host.ip) in network]
        assert holding == [topology.host_link[host.name].b.node]


def test_hosts_whose_addresses_do_not_form_a_prefix_get_exact_entries():
    topology = fat_tree(racks=2, hosts_per_rack=2)
    swapped = [
        Host(host.name, host.rack, ip, host.mac)
        for host, ip in zip(topology.hosts, ["10.0.0.1", "10.0.0.8", "10.0.0.2", "10.0.0.4"], strict=True)
    ]
    mixed = Topology("mixed", tuple(swapped), topology.switches, topology.links)
    assert all(network.prefixlen == 32 for network in destination_prefixes(mixed)["t2"])
    assert len(routed(mixed).routes("h1", "h4")) == 8 * 4


def test_only_ipv4_is_routed():
    topology = single_switch(1)
    with pytest.raises(TopologyError, match="h1: ip 'fe80::1' is not IPv4"):
        ecmp_rules(Topology("v6", (Host("h1", 1, "fe80::1", "02:00:00:00:00:01"),), topology.switches, topology.links))


@settings(max_examples=100, deadline=None)
@given(broken_networks(), broken_networks())
def test_changes_lead_from_any_rules_to_any_others_and_never_lose_a_route_on_the_way(before, after):
    old = ecmp_rules(before[0], before[1], before[2])
    new = ecmp_rules(after[0], after[1], after[2])
    for name in old.keys() & new.keys():
        switch = FakeSwitch()
        for command in changes(None, old[name]):
            switch.obey(command)
        kept = {flow.key for flow in old[name].flows.values()} & {flow.key for flow in new[name].flows.values()}
        for command in changes(old[name], new[name]):
            switch.obey(command)
            assert kept <= switch.flows.keys()
        assert {flow for flow, _ in switch.flows.values()} == set(new[name].flows.values())
        assert switch.groups == new[name].groups
        assert changes(new[name], new[name]) == []


def test_resynchronising_puts_everything_before_it_removes_what_others_left():
    rules = Rules.of([Group(1, (1, 2), 0)], [Flow(1, (("eth_type", 1),), ToGroup(1))])
    switch = FakeSwitch()
    switch.groups[1] = Group(1, (7,), 0)
    switch.obey(PutFlow(Flow(9, (("eth_type", 2),), ToGroup(1))))
    switch.generation = 1
    commands = changes(None, rules)
    assert commands[-2:] == [DeleteOtherGenerations(), ListGroups()]
    for command in commands:
        switch.obey(command)
    assert {flow for flow, _ in switch.flows.values()} == set(rules.flows.values())
    assert switch.groups == rules.groups
