"""All agents of a twin, and the network between them, as a run sees them: what `AgentPool` is to the emulation."""

from __future__ import annotations

import numpy as np

from topologies.topology import Topology
from twin.agents import Agent, Surroundings
from twin.clock import Clock
from twin.compiling import Floats, Ints
from twin.fluid import Fluid
from twin.routes import Routes
from workloads.coordination.coordinator import Coordinator
from workloads.node_model import NodeModel
from workloads.protocol import FromAgent, OfJob, Stored, ToAgent
from workloads.scale import Scale

GOODPUT = 1448 / 1514
"""Payload of a full frame over what a link's rate counts (TCP over IPv4 and Ethernet, with time stamps)."""
INTERVAL_S = 1e-3
"""Modelled seconds between changes of rates, at least, times the root of the number of flows."""


class SimulatedPool(Coordinator):
    """Agents on all hosts of a network.

    Args:
        clock: Tells the time, in wall seconds.
        topology: The modelled network.
        node_model: Resources of a node.
        scale: The divisors.
        seed: Of split order, replica choices, and the ways of connections.
        draw: Of the ways, all else being the same.
    """

    def __init__(
        self, clock: Clock, topology: Topology, node_model: NodeModel, scale: Scale, seed: int, draw: int = 0
    ) -> None:
        hosts = [host.name for host in topology.hosts]
        racks = {host.name: host.rack for host in topology.hosts}
        super().__init__(hosts, racks, scale, seed, self._send, lambda: clock.now, 0.0)
        self.routes = Routes(topology, np.random.default_rng([seed, 2, draw]))
        rates = [GOODPUT * topology.link_by_id[link].capacity_mbps * 1e6 / 8 for link, _ in self.routes.directed]
        disks = [node_model.disk_mb_per_s * 1e6] * len(hosts)
        self._capacity = np.array([*rates, *disks, 0.0]) / scale.rate_divisor  # the last is that of nowhere
        self._down: set[str] = set()
        self.fluid = Fluid(clock, self._capacity.copy(), scale.wall_s(INTERVAL_S), self.routes.hops)
        self._agents: dict[str, Agent] = {}
        around = Surroundings(clock, self.fluid, self.routes, self._receive, self._agents)
        self._agents.update({host: Agent(host, node_model.cores, around) for host in hosts})

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
        return self.fluid.carried()[: len(self.routes.directed)] / GOODPUT

    def kill(self, host: str) -> None:
        """Let a host die with its agent; one that is dead stays so."""
        if host not in self._dead:
            self.lose(host, "process ended")
            self._agents[host].die()

    def _send(self, host: str, message: ToAgent) -> None:
        if host not in self._dead:
            self._agents[host].handle(message)

    def _receive(self, host: str, message: FromAgent) -> None:
        assert isinstance(message, Stored | OfJob)  # the others are about processes
        self.receive(host, message)
