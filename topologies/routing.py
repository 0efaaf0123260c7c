"""Which ports of switches lead where: shortest paths over all parallel links."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Set

from topologies.topology import Link, Topology

Neighbours = Mapping[str, list[tuple[str, int]]]
"""The switches next to each switch, and their ports that lead back, once for each link."""


def next_hops(
    topology: Topology, down: Set[str] = frozenset(), suspect: Set[str] = frozenset()
) -> dict[tuple[str, str], tuple[int, ...]]:
    """Ports of each switch that lead to each edge switch on a shortest path, empty where none does.

    A switch that no sure path connects to the destination takes the shortest way over suspect links. That is free
    of loops too: such a way comes nearer at every step until it meets a switch with a sure path, and sure paths
    never lead back to switches without one.
    """
    up = [link for link in topology.uplinks if link.id not in down]
    possible = _neighbours(up)
    sure = _neighbours(link for link in up if link.id not in suspect) if suspect else possible
    result: dict[tuple[str, str], tuple[int, ...]] = {}
    for destination in dict.fromkeys(link.b.node for link in topology.host_link.values()):
        near = _ports_toward(destination, sure)
        far = near if sure is possible else _ports_toward(destination, possible)
        for switch in topology.switches:
            result[switch.name, destination] = tuple(near.get(switch.name) or far.get(switch.name) or ())
    return result


def _neighbours(links: Iterable[Link]) -> Neighbours:
    neighbours: dict[str, list[tuple[str, int]]] = {}
    for link in links:
        neighbours.setdefault(link.a.node, []).append((link.b.node, link.b.port_no))
        neighbours.setdefault(link.b.node, []).append((link.a.node, link.a.port_no))
    return neighbours


def _ports_toward(destination: str, neighbours: Neighbours) -> Mapping[str, list[int]]:
    distance = {destination: 0}
    ports: dict[str, list[int]] = {}
    frontier = deque([destination])
    while frontier:
        here = frontier.popleft()
        for neighbour, port_no in neighbours.get(here, ()):
            if neighbour not in distance:
                distance[neighbour] = distance[here] + 1
                frontier.append(neighbour)
            if distance[neighbour] == distance[here] + 1:
                ports.setdefault(neighbour, []).append(port_no)
    return {switch: sorted(found) for switch, found in ports.items()}
