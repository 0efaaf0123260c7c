"""Which node of the modelled cluster has what: `node` for all, and `nodes` for those that differ."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from experiments.documents.diagnostics import nearest
from experiments.documents.quantities import Bytes, MegabytesPerSecond, parse_mbps
from experiments.specification.parts import OneOrMore, Part
from topologies.topology import Topology
from workloads.node_model import NodeModel

Count = Annotated[int, Field(ge=1, le=10_000)]


class NodeSpec(Part):
    """What every node of the modelled cluster has (thesis, 6.4.1)."""

    slots: Count = Field(default=8, description="Containers that fit at once")
    cores: Count = 8
    memory_bytes: Bytes = 32 * 2**30
    disk_mb_per_s: MegabytesPerSecond = Field(default=150.0, description="Shared by all readers of the node")

    @property
    def memory_mb(self) -> int:
        """Memory in MiB, the unit of containers."""
        return self.memory_bytes // 2**20

    @property
    def model(self) -> NodeModel:
        """What its agent models."""
        return NodeModel(self.cores, self.disk_mb_per_s)


class NodesSpec(Part):
    """Nodes that differ from the others: which they are, by exactly one of three keys, and what they have instead."""

    hosts: Annotated[tuple[str, ...], OneOrMore()] | None = Field(default=None, description="By their names")
    racks: Annotated[tuple[int, ...], OneOrMore()] | None = Field(default=None, description="All of these racks")
    count: Count | None = Field(
        default=None, description="So many of those that no other entry names, in the order of the topology"
    )
    slots: Count | None = None
    cores: Count | None = None
    memory_bytes: Bytes | None = None
    disk_mb_per_s: MegabytesPerSecond | None = None
    host_mbps: Annotated[float, Field(ge=0.01, le=1e7), BeforeValidator(parse_mbps)] | None = Field(
        default=None, description="Rate of their interfaces, such as 100 Mbit/s"
    )

    @model_validator(mode="after")
    def _which(self) -> NodesSpec:
        given = [name for name in ("hosts", "racks", "count") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"{' and '.join(given) or 'no nodes'}: say which nodes by one of hosts, racks and count")
        if not self.changes and self.host_mbps is None:
            raise ValueError("says nothing of its nodes; give slots, cores, memory_bytes, disk_mb_per_s or host_mbps")
        return self

    @property
    def changes(self) -> dict[str, float]:
        """Fields of `NodeSpec` that are others than for all."""
        return {name: value for name in NodeSpec.model_fields if (value := getattr(self, name)) is not None}


def problems(kinds: Sequence[NodesSpec], topology: Topology) -> Iterator[tuple[tuple[str | int, ...], object, str]]:
    """What entries name that the network does not have, or twice: place, value and remedy."""
    hosts, taken = {host.name for host in topology.hosts}, set[str]()
    for index, kind in enumerate(kinds):
        for name in kind.hosts or ():
            if name not in hosts:
                yield ("nodes", index, "hosts"), name, f"no such host; {nearest(name, hosts)}"
        for rack in kind.racks or ():
            if rack not in topology.racks:
                yield (
                    ("nodes", index, "racks"),
                    rack,
                    f"no such rack; there are {min(topology.racks)} to {max(topology.racks)}",
                )
        named = _named(kind, topology)
        for name in sorted(taken & named):
            yield ("nodes", index), name, "this host is in an entry before; leave it out of one"
        taken |= named
    counted = sum(kind.count or 0 for kind in kinds)
    if counted > len(hosts - taken):
        yield ("nodes",), counted, f"counts more nodes than are left; {len(hosts - taken)} are in no other entry"


def of_hosts(base: NodeSpec, kinds: Sequence[NodesSpec], topology: Topology) -> dict[str, NodeSpec]:
    """What each host has, by its name, in the order of the topology."""
    changed = {host: base.model_copy(update=kind.changes) for host, kind in _assigned(kinds, topology).items()}
    return {host.name: changed.get(host.name, base) for host in topology.hosts}


def with_rates(topology: Topology, kinds: Sequence[NodesSpec]) -> Topology:
    """The network whose hosts have interfaces of these rates."""
    rates = {host: kind.host_mbps for host, kind in _assigned(kinds, topology).items() if kind.host_mbps is not None}
    if not rates:
        return topology
    links = (
        dataclasses.replace(link, capacity_mbps=rates.get(link.a.node, link.capacity_mbps)) for link in topology.links
    )
    return dataclasses.replace(topology, links=tuple(links))


def _named(kind: NodesSpec, topology: Topology) -> set[str]:
    in_racks = (name for rack in kind.racks or () for name in topology.racks.get(rack, ()))
    return {*(kind.hosts or ()), *in_racks}


def _assigned(kinds: Sequence[NodesSpec], topology: Topology) -> Mapping[str, NodesSpec]:
    """The entry of each host that has one."""
    assigned = {name: kind for kind in kinds for name in _named(kind, topology)}
    left = (host.name for host in topology.hosts if host.name not in assigned)
    return {**assigned, **{name: kind for kind in kinds for _, name in zip(range(kind.count or 0), left, strict=False)}}
