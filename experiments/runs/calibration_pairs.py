"""Which hosts send to which when a network is calibrated: to load all links at once, and to load each link alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import product

from topologies.routing import next_hops
from topologies.topology import Endpoint, Host, Link, Topology


def ring(topology: Topology) -> Iterator[tuple[Host, Host]]:
    """Every host with a host of the next rack; on a network of one rack, with its neighbour."""
    by_name = {host.name: host for host in topology.hosts}
    racks = list(topology.racks.values())
    for rack, members in enumerate(racks):
        others = racks[(rack + 1) % len(racks)]
        for place, name in enumerate(members):
            partner = others[(place + (len(racks) == 1)) % len(others)]
            if partner != name:
                yield by_name[name], by_name[partner]


@dataclass(frozen=True)
class LinkTrial:
    """One connection that is led up some links and down others; the highest two are looked at.

    Attributes:
        sender, receiver: hosts at its ends.
        ascent: links from the sender to the highest switch of the path, in order.
        descent: links from there to the receiver, in order.
    """

    sender: str
    receiver: str
    ascent: tuple[Link, ...]
    descent: tuple[Link, ...]

    @property
    def up(self) -> Link:
        """The link that is measured in the direction towards the core."""
        return self.ascent[-1]

    @property
    def down(self) -> Link:
        """The link that is measured in the direction away from it."""
        return self.descent[0]

    @property
    def capacity_mbps(self) -> float:
        """What the connection can get."""
        return min(link.capacity_mbps for link in (*self.ascent, *self.descent))

    @property
    def steps(self) -> Iterator[Endpoint]:
        """The switch ports that the connection leaves by, but the last one, which leads to the receiver anyway."""
        yield from (link.a for link in self.ascent[1:])
        yield from (link.b for link in self.descent[:-1])


def link_rounds(topology: Topology) -> list[list[LinkTrial]]:
    """Trials that measure every direction of every link once; those of one round share no rack, nor any link, on
    whatever way their acknowledgements go.
    """
    hops = next_hops(topology)
    rounds: list[tuple[set[str], list[LinkTrial]]] = []
    for trial in _trials(topology):
        taken = _taken(topology, hops, trial)
        for used, trials in rounds:
            if used.isdisjoint(taken):
                used |= taken
                trials.append(trial)
                break
        else:
            rounds.append((taken, [trial]))
    return [trials for _, trials in rounds]


_Below = Mapping[str, Mapping[str, Sequence[Link]]]
"""Of every switch, the links to the nodes below it."""


def _trials(topology: Topology) -> Iterator[LinkTrial]:
    """Up each link to a switch, and down the next node's link from there."""
    below: dict[str, dict[str, list[Link]]] = {}
    for link in topology.links:
        below.setdefault(link.b.node, {}).setdefault(link.a.node, []).append(link)
    most = max(len(links) for nodes in below.values() for links in nodes.values())
    for copy, (switch, nodes) in product(range(most), below.items()):
        parallel = list(nodes.values())
        for links, others in zip(parallel, [*parallel[1:], parallel[0]], strict=True):
            if links is not others and copy < max(len(links), len(others)):
                up, down = links[copy % len(links)], others[copy % len(others)]
                yield from _trial(below, switch, up, down)


def _trial(below: _Below, switch: str, up: Link, down: Link) -> Iterator[LinkTrial]:
    """The trial of two links that meet at a switch, if there are different hosts below them."""
    ascent = _descent(below, up, {switch})
    if ascent is not None:
        descent = _descent(below, down, {switch, *(link.a.node for link in ascent)})
        if descent is not None:
            yield LinkTrial(ascent[-1].a.node, descent[-1].a.node, ascent[::-1], descent)


def _descent(below: _Below, link: Link, avoided: Set[str]) -> tuple[Link, ...] | None:
    """Links from one on down to the nearest host by way of other nodes than those avoided."""
    ways: deque[tuple[Link, ...]] = deque([(link,)])
    while ways:
        way = ways.popleft()
        node = way[-1].a.node
        if node in avoided:
            continue
        if node not in below:
            return way
        ways.extend((*way, links[0]) for links in below[node].values())
    return None


def _taken(topology: Topology, hops: Mapping[tuple[str, str], Sequence[int]], trial: LinkTrial) -> set[str]:
    """The edge switches of a trial, its links, and all that its acknowledgements could go over."""
    first, last = (topology.host_link[host].b.node for host in (trial.sender, trial.receiver))
    taken = {first, last, *(link.id for link in (*trial.ascent, *trial.descent))}
    seen, waiting = {last}, [last]
    while waiting:
        switch = waiting.pop()
        for port_no in hops[switch, first]:
            link = topology.link_at[Endpoint(switch, port_no)]
            taken.add(link.id)
            if (there := link.far(switch).node) not in seen:
                seen.add(there)
                waiting.append(there)
    return taken
