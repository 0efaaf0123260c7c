"""All agents of a twin, and the network between them, as a run sees them: what `AgentPool` is to the emulation."""

from __future__ import annotations

import numpy as np

from topologies.topology import Topology
from twin.agents import Agent, Surroundings
from twin.clock import Clock
from twin.fluid import Fluid
from twin.routes import HOPS, Routes
from workloads.coordination.coordinator import Coordinator
from workloads.node_model import NodeModel
from workloads.protocol import FromAgent, OfJob, Stored, ToAgent
from workloads.scale import Scale

GOODPUT = 1448 / 1514
"""Payload of a full frame over what a link's rate counts (TCP over IPv4 and Ethernet, with time stamps)."""
INTERVAL_S = 0.1
"""Modelled seconds between changes of rates, at least."""


class SimulatedPool(Coordinator):
    """Agents on all hosts of a network.

    Args:
        clock: Tells the time, in wall seconds.
        topology: The modelled network.
        node_model: Resources of a node.
        scale: The divisors.
        seed: Of split order, replica choices, and the ways of connections.
    """

    def __init__(self, clock: Clock, topology: Topology, node_model: NodeModel, scale: Scale, seed: int) -> None:
        hosts = [host.name for host in topology.hosts]
        racks = {host.name: host.rack for host in topology.hosts}
        super().__init__(hosts, racks, scale, seed, self._send, lambda: clock.now, 0.0)
        self.routes = Routes(topology, np.random.default_rng([seed, 2]))
        rates = [GOODPUT * topology.link_by_id[link].capacity_mbps * 1e6 / 8 for link, _ in self.routes.directed]
        capacity = np.array([*rates, *(node_model.disk_mb_per_s * 1e6 for _ in hosts)]) / scale.rate_divisor
        self.fluid = Fluid(clock, capacity, scale.wall_s(INTERVAL_S), HOPS)
        around = Surroundings(clock, self.fluid, self.routes, self._receive)
        self._clock = clock
        self._agents = {host: Agent(host, node_model.cores, around) for host in hosts}

    def _send(self, host: str, message: ToAgent) -> None:
        self._agents[host].handle(message)

    def _receive(self, host: str, message: FromAgent) -> None:
        assert isinstance(message, Stored | OfJob)  # the others are about processes
        self.receive(host, message)
