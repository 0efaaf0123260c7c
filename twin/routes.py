"""Ways through a network: directed links as numbers, and a shortest path for each connection, as switches hash it."""

from __future__ import annotations

from collections.abc import Sequence, Set

import numpy as np

from topologies.routing import next_hops
from topologies.topology import Direction, Endpoint, Topology
from twin.compiling import Bools, Floats, Ints, compiled

SEGMENTS = 2
"""Connections one behind the other that a path is made of at most."""


@compiled
def _draw(
    given: Ints,
    anew: Bools,
    behind: Ints,
    before: Ints,
    offsets: Ints,
    switches: int,
    ways: Ints,
    beyond: Ints,
    nowhere: int,
    draws: Floats,
    paths: Ints,
) -> None:
    """Leads connections from switch to switch: at each over one of the links on a shortest path, each as likely.

    Args:
        given: Links of each path, shape (paths, links), -1 behind the last one; a connection leads from the up-link of
            a host over links between switches, or none yet, to the down-link of a host.
        anew: Whether a connection that crosses the link is led anew; those that cross none yet are.
        behind: The switch that each link leads to from a host; -1 for others.
        before: The switch that each link leads from to a host; -1 for others.
        offsets: The choices at switch s towards switch e are those from offsets[s * switches + e] up to the next.
        switches: How many there are.
        ways: The link of each choice.
        beyond: The switch behind it.
        nowhere: The link of connections that have no choice.
        draws: From 0 to 1, one for each place in `paths`.
        paths: To fill, shape (paths, hops).
    """
    for i in range(given.shape[0]):
        paths[i, :] = -1
        at = hop = 0
        while at < given.shape[1] and given[i, at] >= 0:
            paths[i, hop] = given[i, at]
            here = behind[given[i, at]]
            at += 1
            hop += 1
            if here < 0:
                continue
            start, fresh = at, before[given[i, at]] >= 0
            while before[given[i, at]] < 0:
                fresh = fresh or anew[given[i, at]]
                at += 1
            edge = before[given[i, at]]
            if not fresh:
                for kept in range(start, at):
                    paths[i, hop] = given[i, kept]
                    hop += 1
                continue
            while here != edge:
                pair = here * switches + edge
                choices = offsets[pair + 1] - offsets[pair]
                if choices == 0:
                    paths[i, hop] = nowhere
                    hop += 1
                    break
                way = offsets[pair] + int(draws[i, hop] * choices)
                paths[i, hop] = ways[way]
                here = beyond[way]
                hop += 1


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
        choices: list[tuple[int, int, int]] = []
        for (switch, destination), ports in next_hops(self._topology, links).items():
            pair = self._switch[switch] * switches + self._switch[destination]
            counts[pair + 1] = len(ports)
            for port in ports:
                link = self._topology.link_at[Endpoint(switch, port)]
                beyond = self._switch[link.far(switch).node]
                choices.append((pair, self.number[link.id, link.direction_from(switch)], beyond))
        self._offsets = np.cumsum(counts)
        choices.sort(key=lambda choice: choice[0])
        self._ways = np.array([way for _, way, _ in choices], np.int64)
        self._beyond = np.array([beyond for _, _, beyond in choices], np.int64)
        self.hops = SEGMENTS * (max(1, self._longest()) + 3)
        self.version += 1

    def _longest(self) -> int:
        """Links between switches that a connection crosses at most."""
        edges = np.unique(self._behind[self._up])
        here, to = (grid.ravel() for grid in np.meshgrid(edges, edges))
        links = 0
        while True:
            pair = here * len(self._switch) + to
            leads = (here != to) & (self._offsets[pair] < self._offsets[pair + 1])
            if not leads.any():
                return links
            here, to = self._beyond[self._offsets[pair[leads]]], to[leads]
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
        tables = self._behind, self._before, self._offsets, len(self._switch), self._ways, self._beyond
        _draw(paths, anew, *tables, self.nowhere, self._rng.random(drawn.shape), drawn)
        return drawn
