"""Folded Clos networks with more than one way to be built: the k-ary fat tree of three tiers, and leaf and spine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from topologies.fat_tree import (
    AGGREGATION_DPID,
    CORE_DPID,
    EDGE_DPID,
    MOST_IN_RACK,
    MOST_RACKS,
    check_blocking_factor,
    check_count,
    racks_of_hosts,
    uplink_port_mbps,
)
from topologies.topology import Endpoint, Link, Switch, Topology, TopologyError

_LARGEST_K = 32


def k_ary_fat_tree(
    k: int = 4,
    host_mbps: float = 1000.0,
    blocking_factor: float = 1.0,
    uplink_mbps: float | None = None,
    core_mbps: float | None = None,
    name: str = "k-ary-fat-tree",
) -> Topology:
    """A fat tree of switches with `k` ports (Al-Fares, Loukissas, Vahdat: SIGCOMM 2008).

    `k` pods of k/2 edge switches `t1`... and k/2 aggregation switches `a1`..., (k/2)^2 core switches `c1`..., and k/2
    hosts at every edge switch, which is their rack. The n-th aggregation switch of every pod has a link to each core
    switch of the n-th group.

    Args:
        k: even, 4 to 32; makes k^3 / 4 hosts.
        host_mbps: rate of every host's interface.
        blocking_factor: host bandwidth of a rack over its up-link bandwidth; 1 is rearrangeably non-blocking.
        uplink_mbps: rate of a link between edge and aggregation, instead of what follows from the blocking factor.
        core_mbps: rate of a link between aggregation and core; the same when left out.
        name: what to call it.

    Raises:
        TopologyError: a parameter out of range.
    """
    if not 4 <= k <= _LARGEST_K or k % 2:
        raise TopologyError(f"k {k}: give an even number from 4 to {_LARGEST_K}")
    check_blocking_factor(blocking_factor)
    half = k // 2
    if uplink_mbps is None:
        uplink_mbps = uplink_port_mbps(half, host_mbps, blocking_factor, half)
    hosts, links = racks_of_hosts(k * half, half, host_mbps)
    edges = tuple(Switch(f"t{rack}", EDGE_DPID + rack, "edge", rack) for rack in range(1, k * half + 1))
    above = tuple(Switch(f"a{place}", AGGREGATION_DPID + place, "aggregation") for place in range(1, k * half + 1))
    cores = tuple(Switch(f"c{core}", CORE_DPID + core, "core") for core in range(1, half * half + 1))
    for pod, lower, upper in product(range(k), range(half), range(half)):
        edge, middle = edges[pod * half + lower], above[pod * half + upper]
        links.append(_link(edge, half + upper + 1, middle, lower + 1, uplink_mbps))
    for pod, upper, place in product(range(k), range(half), range(half)):
        middle, core = above[pod * half + upper], cores[upper * half + place]
        links.append(_link(middle, half + place + 1, core, pod + 1, uplink_mbps if core_mbps is None else core_mbps))
    return Topology(name, tuple(hosts), edges + above + cores, tuple(links))


def leaf_spine(
    leaves: int = 4,
    hosts_per_leaf: int = 4,
    spines: int = 2,
    host_mbps: float = 1000.0,
    blocking_factor: float = 1.0,
    spine_mbps: Sequence[float] | None = None,
    name: str = "leaf-spine",
) -> Topology:
    """Every leaf, an edge switch `t1`..., has one link to each spine, a core switch `c1`...

    Args:
        leaves: 1 to 1000.
        hosts_per_leaf: 1 to 254.
        spines: 1 to 254.
        host_mbps: rate of every host's interface.
        blocking_factor: host bandwidth of a leaf over its up-link bandwidth.
        spine_mbps: rate of a leaf's link to each spine, in their order, instead of equal ones that follow from the
            blocking factor.
        name: what to call it.

    Raises:
        TopologyError: a parameter out of range.
    """
    for field, value, most in (
        ("leaves", leaves, MOST_RACKS),
        ("hosts_per_leaf", hosts_per_leaf, MOST_IN_RACK),
        ("spines", spines, 254),
    ):
        check_count(field, value, most)
    check_blocking_factor(blocking_factor)
    if spine_mbps is None:
        spine_mbps = [uplink_port_mbps(hosts_per_leaf, host_mbps, blocking_factor, spines)] * spines
    if len(spine_mbps) != spines:
        raise TopologyError(f"spine_mbps: {len(spine_mbps)} rates for {spines} spines; give one for each")
    hosts, links = racks_of_hosts(leaves, hosts_per_leaf, host_mbps)
    edges = tuple(Switch(f"t{rack}", EDGE_DPID + rack, "edge", rack) for rack in range(1, leaves + 1))
    cores = tuple(Switch(f"c{spine}", CORE_DPID + spine, "core") for spine in range(1, spines + 1))
    links += _full_mesh(edges, cores, hosts_per_leaf, spine_mbps)
    return Topology(name, tuple(hosts), edges + cores, tuple(links))


def _full_mesh(
    lower: Sequence[Switch], upper: Sequence[Switch], first_port: int, mbps: Sequence[float]
) -> Iterator[Link]:
    for (row, below), (column, above) in product(enumerate(lower, 1), enumerate(upper, 1)):
        yield _link(below, first_port + column, above, row, mbps[column - 1])


def _link(below: Switch, below_port: int, above: Switch, above_port: int, mbps: float) -> Link:
    return Link(f"{below.name}-{above.name}", Endpoint(below.name, below_port), Endpoint(above.name, above_port), mbps)
