"""Networks of other tools become networks of this one, with everything that links said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.importing import Graph, from_containerlab, from_mininet, network
from topologies.topology import Topology, TopologyError


class Topo:
    """What of a `mininet.topo.Topo` is asked for."""

    def __init__(self, hosts, switches, links):
        self._hosts, self._switches, self._links = hosts, switches, links

    def hosts(self):
        return self._hosts

    def switches(self):
        return self._switches

    def links(self, withInfo=False):
        assert withInfo
        return self._links


def test_rates_tiers_and_racks_follow_from_the_graph():
    options = {"bw": 100, "delay": "5ms"}
    topo = Topo(
        ["web", "db", "client"],
        ["leaf1", "leaf2", "spine"],
        [
            ("web", "leaf1", {"bw": 10}),
            ("leaf2", "db", {}),
            ("leaf1", "spine", options),
            ("spine", "leaf2", options),
            ("client", "leaf1", {}),
            ("leaf1", "spine", {}),
        ],
    )
    graph = from_mininet("mine", topo, mbps=1000)
    assert graph.notes == ["delay of links: not emulated, left out"]
    made, names = network(graph)
    assert names == {"leaf1": "t1", "leaf2": "t2", "spine": "c1", "web": "h1", "client": "h2", "db": "h3"}
    assert {switch.name: (switch.tier, switch.rack) for switch in made.switches} == {
        "t1": ("edge", 1),
        "t2": ("edge", 2),
        "c1": ("core", None),
    }
    assert made.racks == {1: ("h1", "h2"), 2: ("h3",)}
    rates = {link.id: link.capacity_mbps for link in made.links}
    assert rates == {"h1-t1": 10, "h3-t2": 1000, "t1-c1": 100, "t2-c1": 100, "h2-t1": 1000, "t1-c1/2": 1000}
    assert Topology.from_json(made.to_json()) == made


def test_three_tiers_are_told_by_how_far_they_are_from_hosts():
    links = [("a", "e1"), ("b", "e2"), ("e1", "m1"), ("e2", "m2"), ("m1", "top"), ("m2", "top")]
    made, names = network(Graph("g", ["a", "b"], ["top", "m1", "m2", "e1", "e2"], [(*pair, 1.0) for pair in links]))
    tiers = {switch.name: switch.tier for switch in made.switches}
    assert [tiers[names[name]] for name in ("e1", "m2", "top")] == ["edge", "aggregation", "core"]
    assert all(link.a.node[0] < link.b.node[0] or link.b.node[0] in "ac" for link in made.links)
    assert made.hops("h1", "h2") == 5


def test_a_containerlab_file_says_which_nodes_are_hosts_by_their_kind_and_links():
    document = {
        "name": "lab",
        "topology": {
            "nodes": {"leaf": {"kind": "nokia_srlinux"}, "pc1": {"kind": "linux"}, "pc2": {"kind": "linux"}, "r": None},
            "links": [
                {"endpoints": ["pc1:eth1", "leaf:e1-1"]},
                {"type": "veth", "endpoints": [{"node": "leaf", "interface": "e1-2"}, {"node": "r", "interface": "a"}]},
                {"endpoints": ["pc2:eth1", "r:b"]},
            ],
        },
    }
    graph = from_containerlab(document, 10_000)
    assert (graph.hosts, graph.switches) == (["pc1", "pc2"], ["leaf", "r"])
    made, _ = network(graph)
    assert {link.capacity_mbps for link in made.links} == {10_000}
    assert made.name == "lab"


@pytest.mark.parametrize(
    "document", [{}, {"topology": {"nodes": []}}, {"topology": {"nodes": {"a": {}}, "links": [{}]}}]
)
def test_what_is_no_containerlab_file_is_refused(document):
    with pytest.raises(TopologyError, match=r"no containerlab file .*it needs topology\.nodes"):
        from_containerlab(document, 1000)


@pytest.mark.parametrize("topo", [None, 3, Topo(["h"], ["s"], [("h", "s")])])
def test_what_is_no_mininet_topology_is_refused(topo):
    with pytest.raises(TopologyError, match=r"mine: is no mininet\.topo\.Topo"):
        from_mininet("mine", topo, 1000)


@pytest.mark.parametrize(
    ("hosts", "switches", "links", "message"),
    [
        (["h"], ["s"], [("h", "x")], "link h - x: there is no node 'x'"),
        (["h", "g"], ["s"], [("h", "g")], "host h: has a link to another host"),
        (["h"], ["s", "r"], [("h", "s"), ("h", "r")], "host h: has a link to another host, or several"),
        (["h", "g"], ["s"], [("h", "s")], "host g: has no link"),
        ([], ["s", "r"], [("s", "r")], "has no hosts"),
        (["h"], ["s", "r"], [("h", "s")], "switch r: no host can be reached"),
        (
            [f"h{n}" for n in range(255)],
            ["s"],
            [(f"h{n}", "s") for n in range(255)],
            "switch s has more than 254 hosts",
        ),
    ],
)
def test_what_cannot_be_emulated_is_refused_by_name(hosts, switches, links, message):
    with pytest.raises(TopologyError, match=message):
        network(Graph("g", hosts, switches, [(*pair, 1.0) for pair in links]))


@given(st.integers(1, 8), st.data())
def test_any_connected_graph_of_switches_keeps_its_links_and_their_rates(count, data):
    switches = [f"s{number}" for number in range(count)]
    tree = [(switch, data.draw(st.sampled_from(switches[:place]))) for place, switch in enumerate(switches) if place]
    pairs = st.tuples(st.sampled_from(switches), st.sampled_from(switches)).filter(lambda pair: pair[0] != pair[1])
    further = data.draw(st.lists(pairs, max_size=6)) if count > 1 else []
    hosts = [f"host{number}" for number in range(data.draw(st.integers(1, 6)))]
    access = [(host, data.draw(st.sampled_from(switches))) for host in hosts]
    links = [(*pair, float(rate)) for rate, pair in enumerate([*tree, *further, *access], 1)]
    made, names = network(Graph("g", hosts, switches, links))
    expected = sorted((*sorted((names[one], names[other])), rate) for one, other, rate in links)
    assert sorted((*sorted((link.a.node, link.b.node)), link.capacity_mbps) for link in made.links) == expected
    assert {switch.name for switch in made.switches if switch.tier == "edge"} == {
        link.b.node for link in made.host_link.values()
    }
