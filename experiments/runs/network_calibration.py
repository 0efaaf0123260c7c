"""Measures the emulated network against its plan, with iperf3, before anything else is measured on it.

Two questions. Does every link alone have its capacity? One TCP connection, led over that link, has to fill it. And can
the machine carry all up-links at once? With many connections between racks, the up-links have to carry what max-min
fairness gives these on the paths that they really took, as the controller tells. Both are answered by the bytes on the
wire that the kernel counts behind the links' queues.
"""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.errors import ExperimentError
from experiments.runs.calibration_pairs import LinkTrial, link_rounds, ring
from topologies.emulated import programs, shaping
from topologies.emulated.network import EmulatedNetwork
from topologies.emulated.shaping import interface
from topologies.fairness import max_min_rates
from topologies.topology import DIRECTIONS, Direction, Endpoint, Host, Topology

LINK_TOLERANCE = 0.01
AGGREGATE_TOLERANCE = 0.05

_PORT = 5201
_PRIORITY = 60_000
_COOKIE = "0xca11b8"
_SETTLING_MEGABITS = 18.75
_ENDLESS = ("-t", "600")  # until a signal ends it
_CONNECTED_WITHIN_S = 30.0
_ENDED_WITHIN_S = 30.0
_MOST_CONNECTIONS = 256  # at once, of all hosts together, unless these are more

PathOf = Callable[[str, str, int, int], Sequence[tuple[str, Direction]]]
"""Links that a TCP connection crosses, by source host, destination host, source port and destination port."""


class CalibrationError(ExperimentError):
    """The measurement itself failed; the message says where."""


@dataclass(frozen=True)
class LinkMeasurement:
    """Wire rate of one connection that has a link (`up`) and another of the same kind (`down`) to itself.

    `attempt` is 2 when the first try was out of tolerance.
    """

    up: str
    down: str
    planned_mbps: float
    measured_mbps: float
    attempt: int = 1

    @property
    def error(self) -> float:
        """Relative difference from the plan."""
        return self.measured_mbps / self.planned_mbps - 1


@dataclass(frozen=True)
class AggregateMeasurement:
    """All up-links loaded at once: the wire rates of all their directions together, and what max-min fairness gives.

    On a network without up-links, the same of the links from the switch to the hosts.
    """

    flows: int
    loaded_directions: int
    uplink_directions: int
    fair_mbps: float
    measured_mbps: float

    @property
    def error(self) -> float:
        """Relative difference from the max-min fair rate."""
        return self.measured_mbps / self.fair_mbps - 1 if self.fair_mbps else 0.0

    @property
    def shortfall(self) -> float:
        """By how much the network carries less than it should.

        More than the max-min fair sum is no fault of the machine: where TCP shares a link unfairly, connections that
        cross fewer full links gain more than the others lose.
        """
        return max(0.0, -self.error)


def links_alone(
    network: EmulatedNetwork, duration_s: int = 4, progress: Callable[[str], None] = lambda _: None
) -> Iterator[LinkMeasurement]:
    """Measure both directions of every link.

    Several links are measured at a time, but no two whose connections, acknowledgements included, could share a link.
    Links out of tolerance are measured once more: a fault of a link stays, a stall of the machine does not.
    """
    rounds = link_rounds(network.topology)
    for number, trials in enumerate(rounds, 1):
        progress(f"links alone, round {number} of {len(rounds)}")
        measured = _alone(network, trials, duration_s)
        missed = [trial for trial, found in zip(trials, measured, strict=True) if abs(found.error) > LINK_TOLERANCE]
        again = {found.up: found for found in _alone(network, missed, duration_s, attempt=2)}
        yield from (again.get(found.up, found) for found in measured)


def _alone(
    network: EmulatedNetwork, trials: Sequence[LinkTrial], duration_s: int, attempt: int = 1
) -> list[LinkMeasurement]:
    hosts = {host.name: host for host in network.topology.hosts}
    pairs = [(hosts[trial.sender], hosts[trial.receiver], 1) for trial in trials]
    with contextlib.ExitStack() as stack:
        for trial, (source, destination, _) in zip(trials, pairs, strict=True):
            stack.enter_context(_steered(source, destination, trial.steps))
        rates_mbps, _ = loaded(network, pairs, duration_s)
    return [
        LinkMeasurement(
            trial.up.id, trial.down.id, trial.capacity_mbps, rates_mbps[interface(trial.down.ends("down")[0])], attempt
        )
        for trial in trials
    ]


def all_uplinks(
    network: EmulatedNetwork,
    path_of: PathOf,
    duration_s: int,
    flows_per_host: int = 16,
) -> AggregateMeasurement:
    """Load all up-links in both directions at once and compare with max-min fairness.

    Every host sends to a host of the next rack; on a network of one rack, to its neighbour, and the links to the hosts
    are looked at. On large networks the hosts have fewer connections each.
    """
    topology = network.topology
    partners = list(ring(topology))
    if not partners:
        return aggregate(topology, (), {})
    flows = max(1, min(flows_per_host, _MOST_CONNECTIONS // len(partners)))
    pairs = [(source, destination, flows) for source, destination in partners]
    rates_mbps, clients = loaded(network, pairs, duration_s)
    paths = [
        path_of(source.name, destination.name, *ports)
        for (source, destination, _), client in zip(pairs, clients, strict=True)
        for ports in connection_ports(client)
    ]
    return aggregate(topology, paths, rates_mbps)


def aggregate(
    topology: Topology, paths: Sequence[Sequence[tuple[str, Direction]]], rates_mbps: Mapping[str, float]
) -> AggregateMeasurement:
    """What the up-links carried together, against the max-min fair rates of connections on these paths.

    Args:
        topology: the network.
        paths: of each connection.
        rates_mbps: wire rate of every interface that sends to a link.
    """
    uplinks = {(link.id, way) for link in topology.uplinks for way in DIRECTIONS}
    watched = uplinks or {(link.id, "down") for link in topology.links}
    loaded = {step for path in paths for step in path} & watched
    fair_mbps = sum(
        rate * len(watched.intersection(path))
        for rate, path in zip(max_min_rates(paths, topology.directed_mbps), paths, strict=True)
    )
    measured_mbps = sum(rates_mbps[interface(topology.link_by_id[link].ends(way)[0])] for link, way in loaded)
    return AggregateMeasurement(len(paths), len(loaded), len(watched), float(fair_mbps), measured_mbps)


def settled_duration_s(topology: Topology) -> int:
    """How long many connections must be watched: the slower the thinnest link, the longer TCP takes to fill it.

    Three seconds on links of 6.25 Mbit/s and more, at most twelve.
    """
    thinnest_mbps = min(link.capacity_mbps for link in topology.links)
    return round(min(12.0, max(3.0, _SETTLING_MEGABITS / thinnest_mbps)))


@contextlib.contextmanager
def _steered(source: Host, destination: Host, steps: Iterable[Endpoint]) -> Iterator[None]:
    """Lead what `source` sends to `destination` out of these switch ports."""
    match = f"cookie={_COOKIE},priority={_PRIORITY},ip,nw_src={source.ip},nw_dst={destination.ip}"
    steered = []
    try:
        for step in steps:
            steered.append(step.node)
            entry = f"{match},actions=output:{step.port_no}"
            programs.run(["ovs-ofctl", "-OOpenFlow13", "add-flow", step.node, entry])
        yield
    finally:
        for switch in steered:
            programs.run(["ovs-ofctl", "-OOpenFlow13", "del-flows", switch, f"cookie={_COOKIE}/-1"])


def loaded(
    network: EmulatedNetwork, pairs: Sequence[tuple[Host, Host, int]], duration_s: int, queue: str = shaping.WHOLE
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """The wire rates, Mbit/s, of all switch ports while so many connections send between all pairs, and what iperf3's
    clients say of them; what is sent in the first third of the time is not counted.

    Args:
        network: where.
        pairs: sending and receiving host, and their number of connections.
        duration_s: how long, wall seconds.
        queue: which packets are counted: all, or those of one of a port's queues (`topologies.emulated.shaping`).
    """
    with _connections(network, pairs) as clients:
        for number, (_, destination, flows) in enumerate(pairs):
            # and one that controls them; on a full network some are tried several times
            network.wait_connected(destination.name, _PORT + number, flows + 1, timeout_s=_CONNECTED_WITHIN_S)
        time.sleep(_settling_s(duration_s))
        begin_s, before = _sent_bytes(queue)
        time.sleep(duration_s - _settling_s(duration_s))
        end_s, after = _sent_bytes(queue)
        if any(client.poll() is not None for client in clients):
            raise CalibrationError("iperf3: a connection ended while all were watched")
        for client in clients:
            client.send_signal(signal.SIGINT)
        documents = [_document(client) for client in clients]
    return {name: (after[name] - before[name]) * 8 / (end_s - begin_s) / 1e6 for name in before}, documents


_Processes = list["subprocess.Popen[str]"]


@contextlib.contextmanager
def _connections(network: EmulatedNetwork, pairs: Sequence[tuple[Host, Host, int]]) -> Iterator[_Processes]:
    """Start iperf3 between all pairs, with so many connections each, and end it; the clients."""
    clients: _Processes = []
    servers: _Processes = []
    try:
        for number, (_, destination, _) in enumerate(pairs):
            argv = ["iperf3", "-s", "-1", "-p", str(_PORT + number)]
            servers.append(network.popen(destination.name, argv, stdout=subprocess.DEVNULL))
        for number, (_, destination, _) in enumerate(pairs):
            network.wait_listening(destination.name, _PORT + number)
        for number, (source, destination, flows) in enumerate(pairs):
            argv = ["iperf3", "-J", "-c", destination.ip, "-p", str(_PORT + number), "-P", str(flows), *_ENDLESS]
            clients.append(network.popen(source.name, argv, stdout=subprocess.PIPE, text=True))
        yield clients
    finally:
        for process in [*clients, *servers]:
            if process.poll() is None:
                process.kill()
            process.wait()


def _settling_s(duration_s: int) -> int:
    return max(1, duration_s // 3)


def _sent_bytes(queue: str) -> tuple[float, dict[str, int]]:
    """Now, and the bytes that every switch port has sent, from the queues of the kernel."""
    qdiscs = json.loads(programs.run(["tc", "-j", "-s", "qdisc", "show"]))
    return time.monotonic(), {one["dev"]: int(one["bytes"]) for one in qdiscs if one["handle"] == queue}


def _document(process: subprocess.Popen[str]) -> dict[str, Any]:
    try:
        output, _ = process.communicate(timeout=_ENDED_WITHIN_S)
    except subprocess.TimeoutExpired:
        raise CalibrationError(f"iperf3 did not end within {_ENDED_WITHIN_S:g} s") from None
    try:
        document: dict[str, Any] = json.loads(output)
    except ValueError:
        raise CalibrationError(f"iperf3 printed no JSON: {output[:200]}") from None
    return document


def connection_ports(document: dict[str, Any]) -> list[tuple[int, int]]:
    """Source and destination ports of a client's connections."""
    return [(one["local_port"], one["remote_port"]) for one in document["start"]["connected"]]
