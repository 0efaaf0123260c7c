"""Ways of connections: shortest, evenly spread over parallel links, and around links that are down."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


@st.composite
def broken(draw):
    """A fat tree, and links between its switches that are down."""
    racks, core = draw(st.integers(1, 4)), draw(st.integers(1, 3))
    ports = core * draw(st.integers(1, 2))
    topology = fat_tree(racks=racks, hosts_per_rack=2, core_switches=core, uplink_ports_per_rack=ports)
    links = sorted(link.id for link in topology.uplinks)
    return topology, draw(st.sets(st.sampled_from(links))), draw(st.sets(st.sampled_from(links), max_size=2))


def numbers_of(routes, links):
    return [routes.number[link, direction] for link in links for direction in ("up", "down")]


@given(broken(), st.data())
@settings(deadline=None)
def test_paths_are_led_around_links_that_are_down_and_nowhere_without_a_way(network, data):
    topology, down, more = network
    routes, names = routes_of(topology), [host.name for host in topology.hosts]
    chains = data.draw(st.lists(st.lists(st.sampled_from(names), min_size=3, max_size=3, unique=len(names) > 2)))
    ends = [[*routes.ends(a, b), routes.disk(b), *routes.ends(b, c), routes.disk(c)] for a, b, c in chains]
    links = np.array([[*path, *[-1] * (6 - len(path))] for path in ends], np.int64).reshape(len(ends), 6)
    failed: set[str] = set()
    for now in (down, more):
        failed |= now
        before = links
        routes.set_down(failed)
        links = routes.draw(before, numbers_of(routes, now))
        hops = next_hops(topology, failed)
        for old, path, chain in zip(before.tolist(), links.tolist(), chains, strict=True):
            assert set(path).isdisjoint(numbers_of(routes, failed))
            disks = [place for place, link in enumerate(path) if len(routes.directed) <= link < routes.nowhere]
            assert [path[place] for place in disks] == [routes.disk(host) for host in chain[1:]]
            parts = path[: disks[0]], path[disks[0] + 1 : disks[1]]
            for (a, b), part in zip(itertools.pairwise(chain), parts, strict=True):
                way = np.array(part, np.int64)
                edges = [topology.host_link[host].b.node for host in (a, b)]
                if a != b and edges[0] != edges[1] and not hops[edges[0], edges[1]]:
                    assert way.tolist() == [routes.ends(a, b)[0], routes.nowhere, routes.ends(a, b)[1]]
                else:
                    assert nodes_on(topology, routes, a, way)[-1] == b
            if now is more and set(old).isdisjoint(numbers_of(routes, now)):
                assert [link for link in path if link >= 0] == [link for link in old if link >= 0]
    routes.set_down(frozenset())
    links = routes.draw(links, range(routes.nowhere + 1))
    assert not (links == routes.nowhere).any()


def test_a_way_may_lead_over_other_racks():
    topology = fat_tree(racks=4, hosts_per_rack=1, core_switches=3, uplink_ports_per_rack=3)
    routes = routes_of(topology)
    assert routes.hops == 10
    chain = {"t1-c1/1", "t2-c1/1", "t2-c2/1", "t3-c2/1", "t3-c3/1", "t4-c3/1"}
    routes.set_down({link.id for link in topology.uplinks} - chain)
    (way,) = routes.ways("h1", ["h4"])
    assert nodes_on(topology, routes, "h1", way) == ["h1", "t1", "c1", "t2", "c2", "t3", "c3", "t4", "h4"]
    assert routes.hops == 2 * (1 + 6 + 1 + 1)
