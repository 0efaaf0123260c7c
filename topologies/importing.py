"""Networks that were described for other tools: custom topologies of Mininet, and containerlab's files.

What these say is a graph of named nodes. Addresses, ports, tiers and racks are made here: a switch with hosts is an
edge switch, and its hosts are a rack; the others are as high as they are far from the hosts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import networkx as nx

from topologies.fat_tree import AGGREGATION_DPID, CORE_DPID, EDGE_DPID, MOST_IN_RACK, MOST_RACKS, host_at
from topologies.topology import Endpoint, Host, Link, Switch, Tier, Topology, TopologyError

_LETTER_AND_DPID: Mapping[Tier, tuple[str, int]] = {
    "edge": ("t", EDGE_DPID),
    "aggregation": ("a", AGGREGATION_DPID),
    "core": ("c", CORE_DPID),
}
_HOST_KIND = "linux"  # of containerlab


@dataclass
class Graph:
    """Named nodes and links between them.

    Attributes:
        name: of the network.
        hosts, switches: their names, in order.
        links: both ends and the rate, Mbit/s; the same two may be linked more than once.
        notes: what was not taken over.
    """

    name: str
    hosts: list[str]
    switches: list[str]
    links: list[tuple[str, str, float]]
    notes: list[str] = field(default_factory=list)


def from_mininet(name: str, topo: Any, mbps: float) -> Graph:  # noqa: ANN401 - a mininet.topo.Topo, which is not imported
    """The graph of a `mininet.topo.Topo`.

    Args:
        name: of the network.
        topo: has `hosts`, `switches` and `links`.
        mbps: rate of links that have no `bw`.

    Raises:
        TopologyError: it is no such thing.
    """
    try:
        links = [(one, other, dict(options)) for one, other, options in topo.links(withInfo=True)]
        graph = Graph(name, list(topo.hosts()), list(topo.switches()), [])
    except (AttributeError, TypeError, ValueError) as error:
        raise TopologyError(f"{name}: is no mininet.topo.Topo ({error}); name one that is") from error
    graph.links += ((one, other, float(options.get("bw") or mbps)) for one, other, options in links)
    if ignored := sorted({key for *_, options in links for key in ("delay", "jitter", "loss") if options.get(key)}):
        graph.notes.append(f"{', '.join(ignored)} of links: not emulated, left out")
    return graph


def from_containerlab(document: Any, mbps: float) -> Graph:  # noqa: ANN401 - anything that YAML can hold
    """The graph of a containerlab file: nodes of kind `linux` with one link are hosts, all others switches.

    Args:
        document: its content, which says no rates.
        mbps: rate of every link.

    Raises:
        TopologyError: it is no such content.
    """
    try:
        kinds = {name: (node or {}).get("kind") for name, node in document["topology"]["nodes"].items()}
        links = []
        for link in document["topology"].get("links") or ():
            one, other = (end["node"] if isinstance(end, Mapping) else end.split(":")[0] for end in link["endpoints"])
            links.append((str(one), str(other), mbps))
        name = str(document.get("name") or "containerlab")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise TopologyError(
            f"no containerlab file ({type(error).__name__}: {error}); it needs topology.nodes, and topology.links with "
            "two endpoints each, written as node:interface"
        ) from error
    degrees = Counter(node for one, other, _ in links for node in (one, other))
    hosts = [name for name, kind in kinds.items() if kind == _HOST_KIND and degrees[name] == 1]
    return Graph(name, hosts, [name for name in kinds if name not in hosts], links)


def network(graph: Graph) -> tuple[Topology, dict[str, str]]:
    """The network of a graph, and the new name of every node.

    Raises:
        TopologyError: a link to no node, a host without exactly one link to a switch, a switch that no host reaches,
            or what no topology can have.
    """
    above, height = _edge_of_hosts(graph), _heights(graph)
    edges = [switch for switch in graph.switches if height[switch] == 1]
    if len(edges) > MOST_RACKS:
        raise TopologyError(f"{len(edges)} switches have hosts; at most {MOST_RACKS} can")
    racks = {switch: rack for rack, switch in enumerate(edges, 1)}
    names, switches, numbers = dict[str, str](), list[Switch](), Counter[str]()
    for switch in graph.switches:
        tier = _tier(height[switch], max(height.values()))
        letter, dpid = _LETTER_AND_DPID[tier]
        numbers[letter] += 1
        names[switch] = f"{letter}{numbers[letter]}"
        switches.append(Switch(names[switch], dpid + numbers[letter], tier, racks.get(switch)))
    hosts, places = list[Host](), Counter[int]()
    for host in sorted(graph.hosts, key=lambda name: racks[above[name]]):
        rack = racks[above[host]]
        places[rack] += 1
        if places[rack] > MOST_IN_RACK:
            raise TopologyError(f"switch {above[host]} has more than {MOST_IN_RACK} hosts; no rack can")
        names[host] = f"h{len(hosts) + 1}"
        hosts.append(host_at(names[host], rack, places[rack]))
    links = tuple(_links(graph, {**height, **dict.fromkeys(graph.hosts, 0)}, names))
    return Topology(graph.name, tuple(hosts), tuple(switches), links), names


def _edge_of_hosts(graph: Graph) -> dict[str, str]:
    """The switch of every host."""
    hosts = set(graph.hosts)
    known = hosts.union(graph.switches)
    above: dict[str, str] = {}
    for ends in ((one, other) for one, other, _ in graph.links):
        for end, other in (ends, ends[::-1]):
            if end not in known:
                raise TopologyError(f"link {' - '.join(ends)}: there is no node {end!r}; add it or correct the link")
            if end in hosts and (other in hosts or end in above):
                raise TopologyError(f"host {end}: has a link to another host, or several; give it one, to a switch")
            if end in hosts:
                above[end] = other
    for host in graph.hosts:
        if host not in above:
            raise TopologyError(f"host {host}: has no link; give it one, to a switch")
    if not above:
        raise TopologyError("the network has no hosts; it needs at least one, with one link to a switch")
    return above


def _heights(graph: Graph) -> dict[str, int]:
    """How far every switch is from the nearest host, in links."""
    found = nx.multi_source_dijkstra_path_length(
        nx.Graph([(one, other) for one, other, _ in graph.links]), set(graph.hosts), weight=None
    )
    for switch in graph.switches:
        if switch not in found:
            raise TopologyError(f"switch {switch}: no host can be reached from it; link it or leave it out")
    return {switch: int(found[switch]) for switch in graph.switches}


def _tier(height: int, highest: int) -> Tier:
    if height == 1:
        return "edge"
    return "core" if height == highest else "aggregation"


def _links(graph: Graph, height: Mapping[str, int], names: Mapping[str, str]) -> Iterator[Link]:
    """The links, their lower end first; ports and copies are numbered in their order."""
    ports, copies = Counter[str](), Counter[str]()
    for one, other, mbps in graph.links:
        low, high = sorted((one, other), key=lambda node: height[node])
        for node in (low, high):
            ports[node] += 1
        pair = f"{names[low]}-{names[high]}"
        copies[pair] += 1
        copy = f"/{copies[pair]}" if copies[pair] > 1 else ""
        yield Link(f"{pair}{copy}", Endpoint(names[low], ports[low]), Endpoint(names[high], ports[high]), mbps)
