"""Ways through a network: directed links as numbers, and a shortest path for each connection, as switches hash it."""

from __future__ import annotations

from collections.abc import Sequence, Set

import numpy as np

from topologies.routing import next_hops
from topologies.topology import Direction, Endpoint, Topology
from twin.compiling import Floats, Ints, compiled

HOPS = 12
"""Links that a connection crosses at most, with a disk; a pipeline of two further replicas fits."""


@compiled
def _walk(
    links: Ints,
    first: Ints,
    edge: int,
    edges: Ints,
    last: Ints,
    offsets: Ints,
    switches: int,
    ways: Ints,
    beyond: Ints,
    draws: Floats,
) -> None:
    """Ways from one host to several: at every switch one of those on a shortest path, each as likely.

    Args:
        links: To fill with the links of each way, shape (ways, hops), -1 behind the last.
        first: Links before the first switch.
        edge: The first switch.
        edges: The last switch of each way.
        last: The link behind it; -1 where the destination is the source itself, and the way has no links.
        offsets: The choices at switch s towards switch e are those from offsets[s * switches + e] up to the next.
        switches: How many there are.
        ways: The link of each choice.
        beyond: The switch behind it.
        draws: From 0 to 1, one for each hop of each way, shape (ways, hops).
    """
    for i in range(edges.shape[0]):
        links[i, :] = -1
        if last[i] < 0:
            continue
        hop, here = first.shape[0], edge
        links[i, :hop] = first
        while here != edges[i]:
            pair = here * switches + edges[i]
            choices = offsets[pair + 1] - offsets[pair]
            if choices == 0:
                break
            way = offsets[pair] + int(draws[i, hop] * choices)
            links[i, hop] = ways[way]
            here = beyond[way]
            hop += 1
        links[i, hop] = last[i]


class Routes:
    """Directed links of a topology, a disk a host behind them, and ways over them.

    The way of a connection is drawn anew for each: at every switch one of the ports that the controller's routes allow,
    each as likely, as the hash of addresses and ports would choose.

    Args:
        topology: The network.
        rng: Of the choices.
    """

    def __init__(self, topology: Topology, rng: np.random.Generator) -> None:
        self._topology = topology
        self._rng = rng
        self._host = {host.name: place for place, host in enumerate(topology.hosts)}
        self._switch = {switch.name: place for place, switch in enumerate(topology.switches)}
        self.directed: list[tuple[str, Direction]] = [(link.id, "up") for link in topology.links]
        self.directed += [(link.id, "down") for link in topology.links]
        self._number = {key: number for number, key in enumerate(self.directed)}
        access = [topology.host_link[host] for host in self._host]
        self._edge = np.array([self._switch[link.b.node] for link in access])
        self._up = np.array([self._number[link.id, "up"] for link in access])
        self._down = np.array([self._number[link.id, "down"] for link in access])
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
                choices.append((pair, self._number[link.id, link.direction_from(switch)], beyond))
        self._offsets = np.cumsum(counts)
        choices.sort(key=lambda choice: choice[0])
        self._ways = np.array([way for _, way, _ in choices], np.int64)
        self._beyond = np.array([beyond for _, _, beyond in choices], np.int64)

    def disk(self, host: str) -> int:
        """The number of a host's disk, among the links."""
        return len(self.directed) + self._host[host]

    def ways(self, source: str, destinations: Sequence[str]) -> Ints:
        """Links of connections from one host to several, shape (destinations, HOPS), -1 behind the last one; a
        connection within the host has none.
        """
        at, to = self._host[source], np.array([self._host[host] for host in destinations])
        found = np.empty((len(to), HOPS), np.int64)
        last = np.where(to == at, -1, self._down[to])
        _walk(
            found,
            self._up[at : at + 1],
            int(self._edge[at]),
            self._edge[to],
            last,
            self._offsets,
            len(self._switch),
            self._ways,
            self._beyond,
            self._rng.random((len(to), HOPS)),
        )
        return found
