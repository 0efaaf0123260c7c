"""Networks as functions of their parameters: the two-tier fat tree, and the single switch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from topologies.topology import Endpoint, Host, Link, Switch, Topology, TopologyError

CORE_DPID = 0x100
EDGE_DPID = 0x200
AGGREGATION_DPID = 0x1000
MOST_IN_RACK = 254
MOST_RACKS = 1000
_MOST_HOSTS = 100_000
_MOST_UPLINKS = 100_000


def uplink_port_mbps(
    hosts_per_rack: int, host_mbps: float, blocking_factor: float, uplink_ports_per_rack: int
) -> float:
    """Capacity of one up-link port so that a rack is oversubscribed by the blocking factor (thesis, 6.4.1).

    Two hosts of 1000 Mbit/s, blocking factor 5 and 8 ports give 50 Mbit/s; blocking factor 1 gives 250.
    """
    return hosts_per_rack * host_mbps / blocking_factor / uplink_ports_per_rack


def fat_tree(
    racks: int = 4,
    hosts_per_rack: int = 2,
    core_switches: int = 2,
    uplink_ports_per_rack: int = 8,
    host_mbps: float = 1000.0,
    blocking_factor: float = 5.0,
    uplink_mbps: float | None = None,
    name: str = "fat-tree",
) -> Topology:
    """Edge switches `t1`..., core switches `c1`..., hosts `h1`...; every edge switch has an equal number of
    parallel links to each core switch, named `t1-c2/3`.

    Args:
        racks: number of edge switches, 1 to 1000.
        hosts_per_rack: 1 to 254, and no more than 100,000 hosts in all racks.
        core_switches: number of core switches.
        uplink_ports_per_rack: up-link ports of an edge switch, a multiple of `core_switches`; no more than 100,000 in
            all racks.
        host_mbps: rate of every host's interface.
        blocking_factor: host bandwidth of a rack over its up-link bandwidth.
        uplink_mbps: rate of an up-link port, instead of the one that follows from the blocking factor.
        name: what to call it.

    Raises:
        TopologyError: a parameter out of range.
    """
    _check_counts(racks, hosts_per_rack, core_switches, uplink_ports_per_rack)
    check_blocking_factor(blocking_factor)
    if uplink_mbps is None:
        uplink_mbps = uplink_port_mbps(hosts_per_rack, host_mbps, blocking_factor, uplink_ports_per_rack)

    hosts, links = racks_of_hosts(racks, hosts_per_rack, host_mbps)
    cores = tuple(Switch(f"c{core}", CORE_DPID + core, "core") for core in range(1, core_switches + 1))
    edges = tuple(Switch(f"t{rack}", EDGE_DPID + rack, "edge", rack) for rack in range(1, racks + 1))
    links += _uplinks(edges, cores, hosts_per_rack, uplink_ports_per_rack // core_switches, uplink_mbps)
    return Topology(name, tuple(hosts), edges + cores, tuple(links))


def check_blocking_factor(blocking_factor: float) -> None:
    """Refuse what divides nothing.

    Raises:
        TopologyError: it is not above 0.
    """
    if not blocking_factor > 0:
        raise TopologyError(f"blocking_factor {blocking_factor}: give a number above 0; 1 is non-blocking")


def check_count(field: str, value: int, most: int) -> None:
    """Refuse a number of things that is not from 1 to `most`.

    Raises:
        TopologyError: it is not; the message names the field.
    """
    if not 1 <= value <= most:
        raise TopologyError(f"{field} {value}: give a number from 1 to {most}")


def _check_counts(racks: int, hosts_per_rack: int, core_switches: int, uplink_ports_per_rack: int) -> None:
    for field, value, most in (
        ("racks", racks, MOST_RACKS),
        ("hosts_per_rack", hosts_per_rack, MOST_IN_RACK),
        ("core_switches", core_switches, 255),
        ("uplink_ports_per_rack", uplink_ports_per_rack, 10_000),
    ):
        check_count(field, value, most)
    for field, value, most in (
        ("hosts_per_rack", hosts_per_rack, _MOST_HOSTS),
        ("uplink_ports_per_rack", uplink_ports_per_rack, _MOST_UPLINKS),
    ):
        if racks * value > most:
            raise TopologyError(f"racks {racks} x {field} {value}: are {racks * value:,}; give at most {most:,} in all")
    if uplink_ports_per_rack % core_switches:
        raise TopologyError(
            f"uplink_ports_per_rack {uplink_ports_per_rack}: not a multiple of core_switches {core_switches}; "
            "every edge switch needs as many links to each core switch"
        )


def _uplinks(
    edges: Sequence[Switch], cores: Sequence[Switch], first_port: int, parallel: int, mbps: float
) -> Iterator[Link]:
    """`parallel` links from every edge switch, on ports behind `first_port`, to every core switch."""
    for rack, edge in enumerate(edges):
        for column, core in enumerate(cores):
            for copy in range(1, parallel + 1):
                below = Endpoint(edge.name, first_port + column * parallel + copy)
                above = Endpoint(core.name, rack * parallel + copy)
                yield Link(f"{edge.name}-{core.name}/{copy}", below, above, mbps)


def single_switch(hosts: int = 64, host_mbps: float = 1000.0, name: str = "single-switch") -> Topology:
    """One edge switch `t1` with `hosts` hosts (CoLoc's testbed; thesis, 5.4.1).

    Raises:
        TopologyError: a parameter out of range.
    """
    check_count("hosts", hosts, MOST_IN_RACK)
    members, links = racks_of_hosts(1, hosts, host_mbps)
    return Topology(name, tuple(members), (Switch("t1", EDGE_DPID + 1, "edge", 1),), tuple(links))


def racks_of_hosts(racks: int, hosts_per_rack: int, host_mbps: float) -> tuple[list[Host], list[Link]]:
    """Hosts `h1`..., and their links to the first ports of edge switches `t1`..., one a rack."""
    hosts: list[Host] = []
    links: list[Link] = []
    for rack in range(1, racks + 1):
        for place in range(1, hosts_per_rack + 1):
            name = f"h{len(hosts) + 1}"
            hosts.append(host_at(name, rack, place))
            links.append(Link(f"{name}-t{rack}", Endpoint(name, 1), Endpoint(f"t{rack}", place), host_mbps))
    return hosts, links


def host_at(name: str, rack: int, place: int) -> Host:
    """A host with the addresses of its place, 1 to 254, in its rack, 1 to 1000."""
    high, low = divmod(rack, 256)
    return Host(name, rack, f"10.{high}.{low}.{place}", f"02:00:0a:{high:02x}:{low:02x}:{place:02x}")


def thesis(blocking_factor: float = 5.0) -> Topology:
    """NeAwa's testbed (thesis, 6.4.1): 4 racks of 2 hosts, 2 core switches, 8 up-link ports a rack."""
    return fat_tree(blocking_factor=blocking_factor, name="thesis")
