"""A drawing of the network: the tiers of its switches one below the other, hosts at the bottom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from experiments.documents import numerals
from experiments.report.palette import heat_colour
from topologies.topology import TIERS, Link, Topology

_STEPS = (22.0, 40.0)
"""Least and largest distance between two hosts; the names of hosts fit into the least."""

_WIDTH = 320.0
"""Width that the hosts are to fill, and do where the steps between them allow it."""

_LARGE = 520.0
_MARGIN = 18
_TOP, _BETWEEN_TIERS, _ABOVE_HOSTS = 28.0, 90.0, 82.0
_FAN = 3.2
"""Distance between parallel links."""


@dataclass(frozen=True)
class Node:
    """A switch or a host at its place, in a box of `width`."""

    name: str
    kind: str
    x: float
    y: float
    width: float


@dataclass(frozen=True)
class Wire:
    """A link from one place to another, in the colour of its busier direction."""

    x1: float
    y1: float
    x2: float
    y2: float
    colour: str
    title: str


@dataclass(frozen=True)
class Drawing:
    """Everything of a network on a sheet of `width` x `height` pixels; a `large` one needs the page for itself."""

    width: float
    height: float
    large: bool
    nodes: tuple[Node, ...]
    wires: tuple[Wire, ...]


def draw(topology: Topology, utilisation: Mapping[tuple[str, str], float]) -> Drawing:
    """A network whose links have the colour of their mean utilisation, by link id and direction."""
    nodes: dict[str, Node] = {}
    hosts = [host.name for rack in topology.racks.values() for host in topology.hosts if host.name in rack]
    used = {switch.tier for switch in topology.switches}
    tiers = [(tier, _TOP + _BETWEEN_TIERS * row) for row, tier in enumerate(t for t in reversed(TIERS) if t in used)]
    bottom = tiers[-1][1] + _ABOVE_HOSTS
    step = min(_STEPS[1], max(_STEPS[0], _WIDTH / len(hosts)))
    box = min(30.0, 0.94 * step)
    for index, host in enumerate(hosts):
        nodes[host] = Node(host, "host", _MARGIN + (index + 0.5) * step, bottom, box)
    width = max(2 * _MARGIN + len(hosts) * step, 240.0)
    for tier, y in tiers:
        members = [switch for switch in topology.switches if switch.tier == tier]
        for index, switch in enumerate(members):
            below = [
                nodes[link.a.node].x for link in topology.links if link.b.node == switch.name and link.a.node in hosts
            ]
            room = width / len(members)
            middle = sum(below) / len(below) if below else room * (index + 0.5)
            nodes[switch.name] = Node(switch.name, tier, middle, y, min(42.0, 0.94 * room))
    groups: dict[tuple[str, str], list[Link]] = {}
    for link in topology.links:
        groups.setdefault((link.a.node, link.b.node), []).append(link)
    wires = [
        _wire(link, nodes[link.a.node], nodes[link.b.node], index - (len(parallel) - 1) / 2, utilisation)
        for parallel in groups.values()
        for index, link in enumerate(parallel)
    ]
    return Drawing(width, bottom + 32, width > _LARGE, tuple(nodes.values()), tuple(wires))


def _wire(link: Link, below: Node, above: Node, offset: float, utilisation: Mapping[tuple[str, str], float]) -> Wire:
    up, down = utilisation.get((link.id, "up")), utilisation.get((link.id, "down"))
    known = [value for value in (up, down) if value is not None]
    title = f"{link.id}, {numerals.rate(link.capacity_mbps * 1e6)}"
    if up is not None and down is not None:
        title += f": {numerals.share(up)} up, {numerals.share(down)} down"
    shift = round(offset * _FAN, 1)
    colour = heat_colour(max(known)) if known else "none"
    return Wire(round(below.x + shift, 1), below.y, round(above.x + shift, 1), above.y, colour, title)
