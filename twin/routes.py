"""Ways through a network: directed links as numbers, and a shortest path for each connection, as switches hash it."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import NamedTuple

import numpy as np

from topologies.routing import next_hops
from topologies.topology import Direction, Endpoint, Topology
from twin.compiling import Bools, Floats, Ints, compiled

SEGMENTS = 2
"""Connections one behind the other that a path is made of at most."""


class Choices(NamedTuple):
    """Where switches send what is for an edge switch, and where hosts are.

    Attributes:
        behind: The switch that each link leads to from a host; -1 for others.
        before: The switch that each link leads from to a host; -1 for others.
        offsets: The choices at switch s of n towards switch e are those from offsets[s * n + e] up to the next.
        link: Of each choice.
        beyond: The switch behind it.
    """

    behind: Ints
    before: Ints
    offsets: Ints
    link: Ints
    beyond: Ints


@compiled
def _lead(
    path: Ints, hop: int, here: int, edge: int, choices: Choices, switches: int, nowhere: int, draws: Floats
) -> int:
    """Leads a connection from a switch to an edge switch: at each over one of the links on a shortest path, each as
    likely.

    Returns:
        How many links the path has now.
    """
    while here != edge:
        pair = here * switches + edge
        count = choices.offsets[pair + 1] - choices.offsets[pair]
        if count == 0:
            path[hop] = nowhere
            return hop + 1
        choice = choices.offsets[pair] + int(draws[hop] * count)
        path[hop] = choices.link[choice]
        here = choices.beyond[choice]
        hop += 1
    return hop


@compiled
def _draw(given: Ints, anew: Bools, choices: Choices, switches: int, nowhere: int, draws: Floats, paths: Ints) -> None:
    """Fills `paths` with those given, in which connections have a way that have none or cross a link that is `anew`.

    Args:
        given: As of `Routes.draw`.
        anew: Of each link.
        choices: Of links between the switches.
        switches: How many there are.
        nowhere: The link of connections that have no choice.
        draws: From 0 to 1, one for each place in `paths`.
        paths: Shape (paths, hops).
    """
    for i in range(given.shape[0]):
        paths[i, :] = -1
        at = hop = 0
        while at < given.shape[1] and given[i, at] >= 0:
            paths[i, hop] = given[i, at]
            here = choices.behind[given[i, at]]
            at += 1
            hop += 1
            if here < 0:
                continue
            start, led = at, choices.before[given[i, at]] < 0
            while choices.before[given[i, at]] < 0:
                led = led and not anew[given[i, at]]
                at += 1
            if led:
                paths[i, hop : hop + at - start] = given[i, start:at]
                hop += at - start
            else:
                edge = choices.before[given[i, at]]
                hop = _lead(paths[i], hop, here, edge, choices, switches, nowhere, draws[i])


class Routes:
    """Directed links of a topology, behind them a disk a host, and ways over them.

    The way of a connection is drawn for each: at every switch one of the ports that the controller's routes allow, each
    as likely, as the hash of addresses and ports would choose.

    Args:
        topology: The network.
        rng: Of the choices.

    Attributes:
        directed: The links by their numbers.
        number: Of each link and direction.
        nowhere: Number of a link behind the disks, which carries nothing: connections cross it that have no way.
        hops: Links of a path at most: of `SEGMENTS` connections with a disk behind each.
        version: How often the routes have been set.
    """

    def __init__(self, topology: Topology, rng: np.random.Generator) -> None:
        self._topology = topology
        self._rng = rng
        self._host = {host.name: place for place, host in enumerate(topology.hosts)}
        self._switch = {switch.name: place for place, switch in enumerate(topology.switches)}
        self.directed: list[tuple[str, Direction]] = [(link.id, "up") for link in topology.links]
        self.directed += [(link.id, "down") for link in topology.links]
        self.number = {key: number for number, key in enumerate(self.directed)}
        self.nowhere = len(self.directed) + len(self._host)
        access = [topology.host_link[host] for host in self._host]
        self._up = np.array([self.number[link.id, "up"] for link in access])
        self._down = np.array([self.number[link.id, "down"] for link in access])
        self._behind, self._before = np.full((2, self.nowhere + 1), -1)
        self._behind[self._up] = self._before[self._down] = [self._switch[link.b.node] for link in access]
        self.version = 0
        self.set_down(frozenset())

    def set_down(self, links: Set[str]) -> None:
        """Route around links that carry nothing, as the controller does."""
        switches = len(self._switch)
        counts = np.zeros(switches * switches + 1, np.int64)
        choices: dict[int, Ints] = {}
        known: dict[tuple[str, tuple[int, ...]], Ints] = {}  # a switch has few sets of ports that lead anywhere
        for (switch, destination), ports in next_hops(self._topology, links).items():
            pair = self._switch[switch] * switches + self._switch[destination]
            counts[pair + 1] = len(ports)
            if (switch, ports) not in known:
                known[switch, ports] = np.array([self._behind_port(switch, port) for port in ports]).reshape(-1, 2)
            choices[pair] = known[switch, ports]
        link_of, beyond_of = np.concatenate([choices[pair] for pair in sorted(choices)]).T.astype(np.int64)
        self._choices = Choices(self._behind, self._before, np.cumsum(counts), link_of, beyond_of)
        self.hops = SEGMENTS * (max(1, self._longest()) + 3)
        self.version += 1

    def _behind_port(self, switch: str, port: int) -> tuple[int, int]:
        """The link behind a port, in the direction away from the switch, and the switch behind it."""
        link = self._topology.link_at[Endpoint(switch, port)]
        return self.number[link.id, link.direction_from(switch)], self._switch[link.far(switch).node]

    def _longest(self) -> int:
        """Links between switches that a connection crosses at most."""
        edges = np.unique(self._behind[self._up])
        here, to = (grid.ravel() for grid in np.meshgrid(edges, edges))
        offsets, links = self._choices.offsets, 0
        while True:
            pair = here * len(self._switch) + to
            leads = (here != to) & (offsets[pair] < offsets[pair + 1])
            if not leads.any():
                return links
            here, to = self._choices.beyond[offsets[pair[leads]]], to[leads]
            links += 1

    def disk(self, host: str) -> int:
        """The number of a host's disk, among the links."""
        return len(self.directed) + self._host[host]

    def ends(self, source: str, destination: str) -> tuple[int, ...]:
        """First and last link of a connection; one within a host has none."""
        at, to = self._host[source], self._host[destination]
        return () if at == to else (int(self._up[at]), int(self._down[to]))

    def ways(self, source: str, destinations: Sequence[str]) -> Ints:
        """Links of connections from one host to several, shape (destinations, hops), -1 behind the last one; a
        connection within the host has none.
        """
        at, to = self._host[source], np.array([self._host[host] for host in destinations])
        ends = np.stack([np.full(len(to), self._up[at]), self._down[to]], axis=1)
        ends[to == at] = -1
        return self.draw(ends)

    def draw(self, paths: Ints, crossing: Sequence[int] = ()) -> Ints:
        """Paths with a way for each of their connections that has none, or crosses one of some links.

        Args:
            paths: Shape (paths, links), -1 behind the last one: at most `SEGMENTS` connections and as many disks. A
                connection has its first and last link, and its links between switches between them if it has a way.
            crossing: Numbers of links.

        Returns:
            Shape (paths, hops), -1 behind the last link.
        """
        anew = np.zeros(self.nowhere + 1, np.bool_)
        anew[np.asarray(crossing, np.int64)] = True
        drawn = np.empty((len(paths), self.hops), np.int64)
        draws = self._rng.random(drawn.shape)
        _draw(paths, anew, self._choices, len(self._switch), self.nowhere, draws, drawn)
        return drawn
