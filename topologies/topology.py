"""What a network is: hosts, switches and links as values, without any emulation."""

from __future__ import annotations

import dataclasses
import functools
import ipaddress
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import networkx as nx
import numpy as np
import numpy.typing as npt
import pydantic_core
from pydantic import TypeAdapter, ValidationError

from topologies.errors import NetworkError

SCHEMA_VERSION = 1

Tier = Literal["edge", "aggregation", "core"]
Direction = Literal["up", "down"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
TIERS: tuple[Tier, ...] = get_args(Tier)
"""From the hosts upwards."""

_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_LAST_PORT = 65279  # of Open vSwitch
_NAME = re.compile(r"[a-z][a-z0-9]{0,6}\Z")


class TopologyError(NetworkError, ValueError):
    """A topology that cannot exist; the message names the field, the value and the remedy."""


@dataclass(frozen=True, slots=True)
class Host:
    """An emulated machine with one network interface (its port 1)."""

    name: str
    rack: int
    ip: str
    mac: str


@dataclass(frozen=True, slots=True)
class Switch:
    """An OpenFlow switch; `rack` is None but on the edge tier."""

    name: str
    dpid: int
    tier: Tier
    rack: int | None = None


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a link: a node's name and its OpenFlow port number (hosts have port 1 only)."""

    node: str
    port_no: int


@dataclass(frozen=True, slots=True)
class Link:
    """A full-duplex link; `a` is the end nearer to the hosts.

    Direction "up" is from `a` to `b`, "down" from `b` to `a`; each has the whole `capacity_mbps`.
    """

    id: str
    a: Endpoint
    b: Endpoint
    capacity_mbps: float

    def ends(self, direction: Direction) -> tuple[Endpoint, Endpoint]:
        """Sender and receiver of one direction."""
        return (self.a, self.b) if direction == "up" else (self.b, self.a)

    def direction_from(self, node: str) -> Direction:
        """The direction of what one of its nodes sends."""
        return "up" if self.a.node == node else "down"

    def far(self, node: str) -> Endpoint:
        """The end at the other node."""
        return self.b if self.a.node == node else self.a


@dataclass(frozen=True)
class Topology:
    """Hosts, switches and links of one network; validated on construction.

    Raises:
        TopologyError: a name, address, dpid or port is used twice or is malformed, a link ends nowhere,
            a capacity is not positive, or a host cannot be reached from every other.
    """

    name: str
    hosts: tuple[Host, ...]
    switches: tuple[Switch, ...]
    links: tuple[Link, ...]

    def __post_init__(self) -> None:
        nodes = [host.name for host in self.hosts] + [switch.name for switch in self.switches]
        for name in nodes:
            if not _NAME.match(name):
                raise TopologyError(f"node name {name!r}: use a lower-case letter, then at most 5 letters or digits")
        _unique("node name", nodes)
        _unique("host ip", [host.ip for host in self.hosts])
        _unique("host mac", [host.mac for host in self.hosts])
        _unique("switch dpid", [switch.dpid for switch in self.switches])
        _unique("link id", [link.id for link in self.links])
        ends = [end for link in self.links for end in (link.a, link.b)]
        _unique("link end", ends)
        known = set(nodes)
        for host in self.hosts:
            _check_addresses(host)
        for switch in self.switches:
            if not 0 < switch.dpid < 2**64:
                raise TopologyError(f"switch {switch.name}: dpid {switch.dpid}; give one from 1 to 2^64 - 1")
        for link in self.links:
            for end in (link.a, link.b):
                if end.node not in known:
                    raise TopologyError(f"link {link.id}: node {end.node!r} does not exist; add it or correct the link")
                if not 1 <= end.port_no <= _LAST_PORT:
                    raise TopologyError(f"link {link.id}: port_no {end.port_no} of {end.node}; use 1 to {_LAST_PORT}")
            if not (math.isfinite(link.capacity_mbps) and link.capacity_mbps > 0):
                raise TopologyError(f"link {link.id}: capacity_mbps {link.capacity_mbps}; give a positive rate")
        if not self.hosts:
            raise TopologyError("hosts: none; give at least one")
        if not nx.is_connected(self._graph):
            raise TopologyError(f"topology {self.name}: not every node can be reached from {nodes[0]}; add links")
        attached = {end.node: link for link in self.links for end in (link.a, link.b)}
        for host in self.hosts:
            if attached[host.name].a.node != host.name:
                raise TopologyError(f"link {attached[host.name].id}: a host is always the `a` end; swap the ends")
            if self._graph.degree(host.name) != 1:
                raise TopologyError(f"host {host.name}: has {self._graph.degree(host.name)} links; hosts have one")

    @functools.cached_property
    def _graph(self) -> nx.Graph[str]:
        graph: nx.Graph[str] = nx.Graph()
        graph.add_nodes_from(host.name for host in self.hosts)
        graph.add_nodes_from(switch.name for switch in self.switches)
        graph.add_edges_from((link.a.node, link.b.node) for link in self.links)
        return graph

    @functools.cached_property
    def _switch_distance(self) -> Mapping[str, Mapping[str, int]]:
        between_switches = self._graph.subgraph(switch.name for switch in self.switches)
        return dict(nx.all_pairs_shortest_path_length(between_switches))

    @functools.cached_property
    def link_by_id(self) -> Mapping[str, Link]:
        """Links by their id."""
        return {link.id: link for link in self.links}

    @functools.cached_property
    def directed_mbps(self) -> Mapping[tuple[str, Direction], float]:
        """Capacity of both directions of every link, by its id and the direction."""
        return {(link.id, direction): link.capacity_mbps for link in self.links for direction in DIRECTIONS}

    @functools.cached_property
    def link_at(self) -> Mapping[Endpoint, Link]:
        """The link at a port."""
        return {end: link for link in self.links for end in (link.a, link.b)}

    @functools.cached_property
    def host_link(self) -> Mapping[str, Link]:
        """The access link of each host, by host name."""
        names = {host.name for host in self.hosts}
        return {link.a.node: link for link in self.links if link.a.node in names}

    @property
    def uplinks(self) -> tuple[Link, ...]:
        """Links between switches."""
        return tuple(link for link in self.links if link.a.node not in self.host_link)

    @functools.cached_property
    def racks(self) -> Mapping[int, tuple[str, ...]]:
        """Host names by rack number, both in order."""
        numbers = sorted({host.rack for host in self.hosts})
        return {rack: tuple(host.name for host in self.hosts if host.rack == rack) for rack in numbers}

    def hops(self, source: str, destination: str) -> int:
        """Number of switches on a shortest path between two hosts; 0 from a host to itself (thesis, eq. 6.2)."""
        if source == destination:
            return 0
        first, last = self.host_link[source].b.node, self.host_link[destination].b.node
        return self._switch_distance[first][last] + 1

    @functools.cached_property
    def switch_hops(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The number of each host's edge switch, shape (hosts,) in the order of `hosts`, and the hops between two hosts
        at two of them or at one, shape (switches, switches).
        """
        above = [self.host_link[host.name].b.node for host in self.hosts]
        switches = {switch: place for place, switch in enumerate(dict.fromkeys(above))}
        between = np.array([[self._switch_distance[a][b] + 1 for b in switches] for a in switches], dtype=np.int64)
        return np.array([switches[switch] for switch in above], dtype=np.int64), between

    @functools.cached_property
    def hop_matrix(self) -> npt.NDArray[np.int64]:
        """Hops between all pairs of hosts, shape (hosts, hosts), in the order of `hosts`."""
        switch, between = self.switch_hops
        matrix: npt.NDArray[np.int64] = between[np.ix_(switch, switch)]
        np.fill_diagonal(matrix, 0)
        return matrix

    @functools.cached_property
    def diameter(self) -> int:
        """The largest number of hops between two hosts (thesis, eq. 6.2)."""
        return int(self.switch_hops[1].max()) if len(self.hosts) > 1 else 0

    def scaled(self, rate_divisor: float) -> Topology:
        """The same network with every capacity divided, which is what gets emulated.

        Raises:
            TopologyError: the divisor is not positive.
        """
        if not (math.isfinite(rate_divisor) and rate_divisor > 0):
            raise TopologyError(f"rate_divisor {rate_divisor}: give a positive number")
        links = tuple(dataclasses.replace(link, capacity_mbps=link.capacity_mbps / rate_divisor) for link in self.links)
        return dataclasses.replace(self, links=links)

    def to_json(self) -> str:
        """One JSON object; `from_json` reads it back to an equal topology."""
        return json.dumps({"schema_version": SCHEMA_VERSION, **dataclasses.asdict(self)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Topology:
        """The topology that `to_json` wrote.

        Raises:
            TopologyError: another schema version, or fields that do not make a topology.
        """
        remedy = "write it with Topology.to_json"
        try:
            document = pydantic_core.from_json(text)
        except ValueError as error:
            raise TopologyError(f"topology document: {error}; {remedy}") from error
        version = document.get("schema_version") if isinstance(document, dict) else None
        if version != SCHEMA_VERSION:
            raise TopologyError(f"schema_version {version!r}: this version reads {SCHEMA_VERSION}")
        try:
            return _adapter().validate_json(text, strict=True)
        except ValidationError as error:
            first, *_ = error.errors(include_url=False)
            place = ".".join(map(str, first["loc"])) or "topology document"
            reason = first.get("ctx", {}).get("error", first["msg"])
            raise TopologyError(f"{place}: {reason}; {remedy}") from error


@functools.cache
def _adapter() -> TypeAdapter[Topology]:
    """What reads topologies, made once: that takes longer than to read one."""
    return TypeAdapter(Topology)


def _check_addresses(host: Host) -> None:
    try:
        ipaddress.ip_address(host.ip)
    except ValueError as error:
        raise TopologyError(f"host {host.name}: ip {host.ip!r}; {error}") from error
    if not _MAC.fullmatch(host.mac):
        raise TopologyError(f"host {host.name}: mac {host.mac!r}; write it as 02:00:0a:00:01:01, in lower case")


def _unique(field: str, values: Iterable[object]) -> None:
    seen: set[object] = set()
    for value in values:
        if value in seen:
            raise TopologyError(f"{field} {value!r}: used twice; give each its own")
        seen.add(value)
