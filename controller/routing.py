"""Which ports lead where: shortest paths over all parallel links, as groups and flow entries."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Set

from controller.entries import (
    ETH_TYPE_ARP,
    ETH_TYPE_IPV4,
    ETH_TYPE_LLDP,
    Flow,
    Group,
    Match,
    Rules,
    ToController,
    ToGroup,
    ToPort,
)
from topologies.routing import next_hops
from topologies.topology import Topology, TopologyError

PRIORITY_CONTROL = 1000
PRIORITY_PINNED = 200
PRIORITY_HOST = 100
PRIORITY_PREFIX = 50

CONTROL_FLOWS = tuple(
    Flow(PRIORITY_CONTROL, (("eth_type", eth_type),), ToController()) for eth_type in (ETH_TYPE_LLDP, ETH_TYPE_ARP)
)
"""On every switch: probes and ARP go to the controller and nowhere else. There is no entry that floods."""


def ecmp_rules(
    topology: Topology, down: Set[str] = frozenset(), suspect: Set[str] = frozenset(), seed: int = 0
) -> dict[str, Rules]:
    """Rules of every switch: exact entries for its own hosts, a select group over all shortest paths to other edges.

    Every hop is one step nearer to the destination's switch, so there are no loops, and in a fat tree every path goes
    up, then down, as long as such a path is left. A failure changes groups only: a group without buckets drops.

    Args:
        topology: the planned network, with IPv4 hosts.
        down: ids of links that carry nothing.
        suspect: ids of links that may work (their switch does not answer); used where no other path is left.
        seed: perturbs every switch's flow hash.

    Returns:
        Rules by switch name.

    Raises:
        TopologyError: a host's address is not IPv4.
    """
    toward = next_hops(topology, down, suspect)
    prefixes = destination_prefixes(topology)
    attached = {host.name: topology.host_link[host.name].b for host in topology.hosts}
    rules: dict[str, Rules] = {}
    for switch in topology.switches:
        flows = list(CONTROL_FLOWS)
        groups = []
        for host in topology.hosts:
            if attached[host.name].node == switch.name:
                match = ipv4_match(ipaddress.IPv4Network(host.ip))
                flows.append(Flow(PRIORITY_HOST, match, ToPort(attached[host.name].port_no)))
        for group_id, (destination, networks) in enumerate(prefixes.items(), start=1):
            if destination != switch.name:
                ports = toward[switch.name, destination]
                groups.append(Group(group_id, ports, switch_seed(seed, switch.dpid)))
                flows += [Flow(PRIORITY_PREFIX, ipv4_match(network), ToGroup(group_id)) for network in networks]
        rules[switch.name] = Rules.of(groups, flows)
    return rules


def destination_prefixes(topology: Topology) -> dict[str, tuple[ipaddress.IPv4Network, ...]]:
    """Networks behind each edge switch: one prefix where it covers none but its hosts, else one per host.

    Raises:
        TopologyError: a host's address is not IPv4.
    """
    behind: dict[str, list[ipaddress.IPv4Address]] = {}
    for host in topology.hosts:
        try:
            address = ipaddress.IPv4Address(host.ip)
        except ValueError as error:
            raise TopologyError(f"host {host.name}: ip {host.ip!r} is not IPv4; the controller routes IPv4") from error
        behind.setdefault(topology.host_link[host.name].b.node, []).append(address)
    prefixes: dict[str, tuple[ipaddress.IPv4Network, ...]] = {}
    for switch, addresses in behind.items():
        prefix = _common_prefix(addresses)
        alone = all(address not in prefix for other, them in behind.items() if other != switch for address in them)
        prefixes[switch] = (prefix,) if alone else tuple(ipaddress.IPv4Network(address) for address in addresses)
    return prefixes


def _common_prefix(addresses: list[ipaddress.IPv4Address]) -> ipaddress.IPv4Network:
    low, high = int(min(addresses)), int(max(addresses))
    length = 32 - (low ^ high).bit_length()
    return ipaddress.IPv4Network((low, length), strict=False)


def ipv4_match(network: ipaddress.IPv4Network) -> Match:
    """Match on an IPv4 destination."""
    if network.prefixlen == 32:
        return ("eth_type", ETH_TYPE_IPV4), ("ipv4_dst", str(network.network_address))
    return ("eth_type", ETH_TYPE_IPV4), ("ipv4_dst", (str(network.network_address), str(network.netmask)))


def switch_seed(seed: int, dpid: int) -> int:
    """64 bits that differ between switches, so that switches on one path do not repeat each other's choice."""
    return int.from_bytes(hashlib.blake2b(f"{seed}/{dpid}".encode(), digest_size=8).digest(), "big")
