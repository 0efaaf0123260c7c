"""Which hosts send to which when a network is calibrated: to load all links at once, and to load each link alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from topologies.topology import Host, Link, Topology


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
    """One connection that is led over the link `up` towards the core, and over `down` away from it."""

    sender: str
    receiver: str
    up: Link
    down: Link

    @property
    def capacity_mbps(self) -> float:
        """What the connection can get."""
        return min(self.up.capacity_mbps, self.down.capacity_mbps)


def link_rounds(topology: Topology) -> Iterator[list[LinkTrial]]:
    """Trials that measure every direction of every link once; those of one round share no rack."""
    racks = list(topology.racks.values())
    for place in range(max(len(members) for members in racks)):
        trials = []
        for members in racks:
            if place < len(members) > 1:
                sender, receiver = members[place], members[(place + 1) % len(members)]
                trials.append(LinkTrial(sender, receiver, topology.host_link[sender], topology.host_link[receiver]))
        if trials:
            yield trials
    for matching in _matchings(len(racks)):
        yield from _uplink_rounds(topology, [(racks[sender][0], racks[receiver][0]) for sender, receiver in matching])


def _matchings(racks: int) -> list[list[tuple[int, int]]]:
    """The steps from every rack to the next, divided so that no rack occurs twice in a part."""
    parts: list[list[tuple[int, int]]] = []
    for rack in range(racks if racks > 1 else 0):
        step = (rack, (rack + 1) % racks)
        for part in parts:
            if not any({*step} & {*other} for other in part):
                part.append(step)
                break
        else:
            parts.append([step])
    return parts


def _uplink_rounds(topology: Topology, pairs: Sequence[tuple[str, str]]) -> Iterator[list[LinkTrial]]:
    """One round for every up-link port: the n-th of each sender's rack with the n-th of its receiver's rack."""

    def uplinks(host: str) -> list[Link]:
        return [link for link in topology.uplinks if link.a.node == topology.host_link[host].b.node]

    for port in range(len(uplinks(pairs[0][0]))):
        yield [LinkTrial(a, b, uplinks(a)[port], uplinks(b)[port]) for a, b in pairs]
