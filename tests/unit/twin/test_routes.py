"""Ways of connections: shortest, evenly spread over parallel links, and around links that are down."""

from collections import Counter

import numpy as np
import pytest

from topologies.fat_tree import fat_tree, single_switch, thesis
from topologies.routing import next_hops
from topologies.topology import Endpoint
from twin.routes import Routes


def routes_of(topology):
    return Routes(topology, np.random.default_rng(1))


def nodes_on(topology, routes, source, way):
    """The nodes that a way passes, from its source on; every link is crossed in its direction."""
    node, passed = source, [source]
    for number in way[way >= 0]:
        link, direction = routes.directed[number]
        assert topology.link_by_id[link].direction_from(node) == direction
        node = topology.link_by_id[link].far(node).node
        passed.append(node)
    return passed


@pytest.mark.parametrize(
    "topology",
    [thesis(), fat_tree(racks=3, hosts_per_rack=2, core_switches=3, uplink_ports_per_rack=6), single_switch(4)],
)
def test_ways_are_the_shortest_there_are(topology):
    routes, names = routes_of(topology), [host.name for host in topology.hosts]
    for source in names:
        ways = routes.ways(source, names)
        assert ways.shape == (len(names), routes.hops)
        for destination, way in zip(names, ways, strict=True):
            passed = nodes_on(topology, routes, source, way)
            assert passed[-1] == destination
            assert len(passed) - 1 == (0 if source == destination else topology.hops(source, destination) + 1)


def test_connections_take_each_of_the_controllers_ports_as_often():
    topology = thesis()
    routes = routes_of(topology)
    taken = Counter(way[1] for _ in range(1000) for way in routes.ways("h1", ["h7", "h8"]))
    ports = next_hops(topology)["t1", "t4"]
    allowed = {(topology.link_at[Endpoint("t1", port)].id, "up") for port in ports}
    assert {routes.directed[number] for number in taken} == allowed
    expected = 2000 / len(allowed)
    assert sum((count - expected) ** 2 / expected for count in taken.values()) < 24.3  # chi-squared, 7 degrees, 0.999


def test_ways_lead_around_links_that_are_down_and_over_them_again():
    topology = thesis()
    routes = routes_of(topology)
    down = {link.id for link in topology.uplinks if link.b.node == "c1" and link.a.node == "t1"}
    routes.set_down(down)
    for _ in range(50):
        (way,) = routes.ways("h1", ["h8"])
        assert "c1" not in nodes_on(topology, routes, "h1", way)
    routes.set_down(frozenset())
    assert any("c1" in nodes_on(topology, routes, "h1", routes.ways("h1", ["h8"])[0]) for _ in range(50))


def test_disks_are_numbered_behind_the_links():
    topology = thesis()
    routes = routes_of(topology)
    assert [routes.disk(host.name) for host in topology.hosts] == list(range(80, 88))
