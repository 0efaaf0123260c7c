"""Measures what a network carries of a traffic pattern, against what TCP makes of the paths really taken."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.records import verdict
from experiments.records.record import Fidelity
from experiments.records.verdict import Watched
from experiments.runs import network_calibration
from experiments.runs.controller_process import Controller
from experiments.runs.watching import ready_to_watch
from experiments.specification.resolved_run import ResolvedRun
from topologies.emulated import shaping
from topologies.emulated.network import EmulatedNetwork
from topologies.fairness import alpha_fair_rates, max_min_rates
from topologies.topology import Direction, Topology
from topologies.traffic import Pairs
from workloads.scale import Scale


@dataclass(frozen=True)
class PatternMeasurement:
    """What all hosts together received, Mbit/s on the wire of the modelled network.

    Attributes:
        pattern: its name.
        connections: one for each pair of hosts.
        ideal_mbps: max-min fair, if only the hosts' own links limited it.
        fair_mbps: max-min fair on the paths that the connections took.
        expected_mbps: what TCP makes of these paths: more in all, as connections over several full links get less.
        measured_mbps: what the links to the hosts carried, without acknowledgements where these have their own queue.
        fidelity: whether the machine kept up meanwhile.
    """

    pattern: str
    connections: int
    ideal_mbps: float
    fair_mbps: float
    expected_mbps: float
    measured_mbps: float
    fidelity: Fidelity

    @property
    def error(self) -> float:
        """Relative difference from what TCP makes of the paths."""
        return self.measured_mbps / self.expected_mbps - 1


def measure(
    run: ResolvedRun,
    network: EmulatedNetwork,
    controller: Controller,
    scale: Scale,
    pattern: tuple[str, Pairs],
    duration_s: int,
    log: Path,
) -> PatternMeasurement:
    """Let every sender of a pattern send as fast as it can, by one TCP connection of iperf3 to each receiver.

    Args:
        run: says how the machine is judged.
        network: where; all its links are discovered and all routes installed.
        controller: tells the paths.
        scale: of the network.
        pattern: name, and at least one pair of hosts.
        duration_s: wall seconds; what is sent in the first third is not counted.
        log: takes what the program that measures delays has to say.

    Raises:
        CalibrationError: iperf3 failed.
        ControllerError: the controller cannot tell.
    """
    name, pairs = pattern
    topology = network.topology
    hosts = {host.name: host for host in topology.hosts}
    found = Watched()
    with (
        ready_to_watch(network, controller, run.seed, log) as watch,
        watch.watching(found, agents=(), started=time.monotonic()),
    ):
        connections = [(hosts[source], hosts[destination], 1) for source, destination in pairs]
        rates_mbps, clients = network_calibration.loaded(network, connections, duration_s, shaping.LONG)
    paths = [
        controller.path(topology, *pair, *ports)
        for pair, client in zip(pairs, clients, strict=True)
        for ports in network_calibration.connection_ports(client)
    ]
    received_mbps = sum(rates_mbps[shaping.interface(link.b)] for link in topology.host_link.values())
    ideal, fair, expected = (scale.rate_divisor * mbps for mbps in _expected_mbps(topology, paths))
    judged = verdict.assess(found, run.specification.fidelity, None, speed=scale.modelled_s(1.0))
    return PatternMeasurement(name, len(paths), ideal, fair, expected, scale.rate_divisor * received_mbps, judged)


def _expected_mbps(topology: Topology, paths: Sequence[Sequence[tuple[str, Direction]]]) -> tuple[float, float, float]:
    """What connections on these paths receive in all, if only the hosts' links limited them, by max-min fairness, and
    by TCP.
    """
    capacities = topology.directed_mbps
    ideal = max_min_rates([(path[0], path[-1]) for path in paths], capacities)
    fair, expected = max_min_rates(paths, capacities), alpha_fair_rates(paths, capacities)
    return float(ideal.sum()), float(fair.sum()), float(expected.sum())
