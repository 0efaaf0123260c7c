"""All agents of a twin, and the network between them, as a run sees them: what `AgentPool` is to the emulation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from topologies.constants import Constants
from topologies.topology import Topology
from twin.agents import Agent, Surroundings
from twin.clock import Clock
from twin.compiling import Floats, Ints
from twin.congestion import Congestion
from twin.fluid import Fluid
from twin.routes import Routes
from workloads.coordination.coordinator import Coordinator
from workloads.node_model import NodeModel
from workloads.protocol import FromAgent, Ready, ToAgent, UsageSample
from workloads.scale import Scale
from workloads.volumes import window_bytes

GOODPUT = 1448 / 1514
"""Payload of a full frame over what a link's rate counts (TCP over IPv4 and Ethernet, with time stamps)."""
INTERVAL_S = 1e-3
"""Modelled seconds between changes of rates, at least, times the root of the number of flows."""
QUEUED_SHARE = 2 / 3
"""Of a queue that drops what does not fit: what waits in it while its link is full. Calibrated: with 49 kB of 72 KiB
small messages take as long as in the emulation."""
LOSS = 0.045
"""Share of the segments that are sent again in emulated runs of the thesis's experiment."""
WINDOW_BYTES = 10 * 1448
"""TCP's initial window (RFC 6928)."""
SHORT_BYTES = 190
"""What a message holds that makes a packet of less than 256 bytes, with its headers."""
_DRAWS = 1 << 16


@dataclass(frozen=True)
class Tcp:
    """What TCP does besides sharing links fairly, in wire bytes and wall seconds.

    Attributes:
        goodput: Payload over what a link's rate counts.
        queue_bytes: What waits for a full link on the average.
        loss: Share of the segments that are lost at a full link.
        rto_s: Least retransmission time-out.
        window_bytes: Initial window.
        short_bytes: Messages of fewer wait in no queue.
    """

    goodput: float = GOODPUT
    queue_bytes: float = 0.0
    loss: float = 0.0
    rto_s: float = 0.0
    window_bytes: float = math.inf
    short_bytes: float = 0.0

    @classmethod
    def of_emulation(cls, constants: Constants) -> Tcp:
        """As it is on emulated links with these constants."""
        short = SHORT_BYTES if constants.short_packets_first else 0.0
        queued = QUEUED_SHARE * constants.queue_bytes
        return cls(GOODPUT, queued, LOSS, constants.rto_min_s, WINDOW_BYTES, short)

    @classmethod
    def of_cluster(cls, constants: Constants, scale: Scale) -> Tcp:
        """As it would be in a modelled cluster with these constants."""
        queued = QUEUED_SHARE * constants.queue_bytes / scale.volume_divisor
        return cls(GOODPUT, queued, LOSS, scale.wall_s(constants.rto_min_s), WINDOW_BYTES / scale.volume_divisor)


class SimulatedPool(Coordinator):
    """Agents on all hosts of a network.

    Args:
        clock: Tells the time, in wall seconds.
        topology: The modelled network.
        node_models: Resources of each node.
        scale: The divisors.
        seed: Of split order, replica choices, and the ways of connections.
        tcp: What it does at full links.
        draw: Of the ways, all else being the same.
        shared: Whether all lanes between two containers use one connection, or each its own.
    """

    def __init__(
        self,
        clock: Clock,
        topology: Topology,
        node_models: Mapping[str, NodeModel],
        scale: Scale,
        seed: int,
        tcp: Tcp = Tcp(),
        draw: int = 0,
        shared: bool = True,
    ) -> None:
        hosts = [host.name for host in topology.hosts]
        racks = {host.name: host.rack for host in topology.hosts}
        super().__init__(hosts, racks, scale, seed, self._send, lambda: clock.now, 0.0)
        self.routes = Routes(topology, np.random.default_rng([seed, 2, draw]))
        self._goodput = tcp.goodput
        rates = [tcp.goodput * topology.link_by_id[link].capacity_mbps * 1e6 / 8 for link, _ in self.routes.directed]
        disks = [node_models[host].disk_mb_per_s * 1e6 for host in hosts]
        self._capacity = np.array([*rates, *disks, 0.0]) / scale.rate_divisor  # the last is that of nowhere
        self._down: set[str] = set()
        congestion = self._congestion(tcp, np.random.default_rng([seed, 3, draw]))
        self.fluid = Fluid(clock, self._capacity.copy(), scale.wall_s(INTERVAL_S), self.routes.hops, congestion)
        self._agents: dict[str, Agent] = {}
        window = window_bytes(scale)
        around = Surroundings(clock, self.fluid, self.routes, self._receive, self._agents, window, shared)
        self._agents.update({host: Agent(host, node_models[host].cores, around) for host in hosts})

    def _congestion(self, tcp: Tcp, rng: np.random.Generator) -> Congestion:
        links, number = len(self.routes.directed), np.arange(len(self._capacity))
        opposite = np.where(number < links, (number + links // 2) % links, number)
        queue = np.where(number < links, tcp.queue_bytes, 0.0)
        return Congestion(queue, opposite, rng.random(_DRAWS), tcp.loss, tcp.rto_s, tcp.window_bytes, tcp.short_bytes)

    def set_link(self, link_id: str, up: bool) -> None:
        """Take a link down or bring it back.

        Connections that cross a link that goes down are led around it. When one is back all ways are drawn anew: the
        switches have other ports to choose from. A connection that has no way stands still until then.
        """
        directions = [self.routes.number[link_id, "up"], self.routes.number[link_id, "down"]]
        self._down = self._down - {link_id} if up else self._down | {link_id}
        for number in directions:
            self.fluid.set_capacity(number, self._capacity[number] if up else 0.0)

        def draw(paths: Ints) -> Ints:
            self.routes.set_down(self._down)
            return self.routes.draw(paths, range(self.routes.nowhere + 1) if up else directions)

        self.fluid.reroute(draw)

    def carried(self) -> Floats:
        """Bytes that the links of the network, in the order of `routes.directed`, have carried by now, with headers."""
        return self.fluid.carried()[: len(self.routes.directed)] / self._goodput

    def kill(self, host: str) -> None:
        """Let a host die with its agent; one that is dead stays so."""
        if host not in self._dead:
            self.lose(host, "process ended")
            self._agents[host].die()

    def _send(self, host: str, message: ToAgent) -> None:
        if host not in self._dead:
            self._agents[host].handle(message)

    def _receive(self, host: str, message: FromAgent) -> None:
        assert not isinstance(message, (Ready, UsageSample))  # which are about processes
        self.receive(host, message)
