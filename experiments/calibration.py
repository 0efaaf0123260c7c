"""Measures the emulated network against its plan, with iperf3, before anything else is measured on it.

Two questions. Does every link alone have its capacity? One TCP connection, led over that link, has to carry
`capacity * 1448 / 1514`: of a full Ethernet frame, 1448 bytes are payload when TCP timestamps are on. And can the
machine carry all up-links at once? Many connections between racks have to get what max-min fairness gives them on the
paths that they really took, as the controller tells.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from topologies.emulation import EmulatedNetwork
from topologies.fairness import max_min_rates
from topologies.topology import Direction, Host, Link, Topology

GOODPUT_SHARE = 1448 / 1514
LINK_TOLERANCE = 0.01
AGGREGATE_TOLERANCE = 0.05

_PORT = 5201
_PRIORITY = 60_000
_COOKIE = "0xca11b8"

PathOf = Callable[[str, str, int, int], Sequence[tuple[str, Direction]]]
"""Links that a TCP connection crosses, by source host, destination host, source port and destination port."""


class CalibrationError(RuntimeError):
    """The measurement itself failed; the message says where."""


@dataclass(frozen=True)
class LinkMeasurement:
    """Payload rate of one connection that has a link (`up`) and another of the same kind (`down`) to itself."""

    up: str
    down: str
    planned_mbps: float
    measured_mbps: float

    @property
    def error(self) -> float:
        """Relative difference from the plan."""
        return self.measured_mbps / self.planned_mbps - 1


@dataclass(frozen=True)
class AggregateMeasurement:
    """All up-links loaded at once: wire rate summed over the connections, and what max-min fairness gives them."""

    flows: int
    loaded_directions: int
    uplink_directions: int
    fair_mbps: float
    measured_mbps: float

    @property
    def error(self) -> float:
        """Relative difference from the max-min fair rate."""
        return self.measured_mbps / self.fair_mbps - 1


def links_alone(
    network: EmulatedNetwork, duration_s: int = 2, progress: Callable[[str], None] = lambda _: None
) -> Iterator[LinkMeasurement]:
    """Measure both directions of every link, one connection at a time."""
    topology = network.topology
    hosts = {host.name: host for host in topology.hosts}
    for sender, receiver, up, down in _pairs(topology):
        progress(f"{up.id} and {down.id}")
        source, destination = hosts[sender], hosts[receiver]
        with _steered(source, destination, up, down):
            window = network.shapes[up.b.node][0].queue_bytes * 3 // 4  # fills the queue and never overflows it
            report = _transfers(network, [(source, destination, 1)], duration_s, ["--window", str(window)])[0]
        planned = min(up.capacity_mbps, down.capacity_mbps) * GOODPUT_SHARE
        yield LinkMeasurement(up.id, down.id, planned, report.goodput_mbps)


def all_uplinks(
    network: EmulatedNetwork, path_of: PathOf, duration_s: int = 4, flows_per_host: int = 16
) -> AggregateMeasurement:
    """Load all up-links in both directions at once and compare with max-min fairness.

    Every host sends to a host of the next rack; on a network of one rack, to its neighbour.
    """
    topology = network.topology
    pairs = [(source, destination, flows_per_host) for source, destination in _ring(topology)]
    reports = _transfers(network, pairs, duration_s, [])
    paths: list[Sequence[tuple[str, Direction]]] = []
    for (source, destination, _), report in zip(pairs, reports, strict=True):
        paths += [path_of(source.name, destination.name, *ports) for ports in report.ports]
    ways: tuple[Direction, ...] = ("up", "down")
    capacities = {(link.id, way): link.capacity_mbps for link in topology.links for way in ways}
    fair = float(max_min_rates(paths, capacities).sum())
    uplinks = {(link.id, way) for link in topology.uplinks for way in ways}
    loaded = {step for path in paths for step in path} & uplinks
    measured = sum(report.goodput_mbps for report in reports) / GOODPUT_SHARE
    return AggregateMeasurement(len(paths), len(loaded), len(uplinks), fair, measured)


def _ring(topology: Topology) -> Iterator[tuple[Host, Host]]:
    by_name = {host.name: host for host in topology.hosts}
    racks = list(topology.racks.values())
    for rack, members in enumerate(racks):
        others = racks[(rack + 1) % len(racks)]
        for place, name in enumerate(members):
            partner = others[(place + (len(racks) == 1)) % len(others)]
            if partner != name:
                yield by_name[name], by_name[partner]


def _pairs(topology: Topology) -> Iterator[tuple[str, str, Link, Link]]:
    """Sender, receiver, the link measured upwards and the link measured downwards, so that all are measured once."""
    for members in topology.racks.values():
        for place, name in enumerate(members):
            partner = members[(place + 1) % len(members)]
            if partner != name:
                yield name, partner, topology.host_link[name], topology.host_link[partner]
    racks = list(topology.racks.values())
    above = {members[0]: topology.host_link[members[0]].b.node for members in racks}
    for rack, members in enumerate(racks):
        sender, receiver = members[0], racks[(rack + 1) % len(racks)][0]
        ups = [link for link in topology.uplinks if link.a.node == above[sender]]
        downs = [link for link in topology.uplinks if link.a.node == above[receiver]]
        for up, down in zip(ups, downs, strict=True):
            if up.b.node == down.b.node and up is not down:
                yield sender, receiver, up, down


@contextlib.contextmanager
def _steered(source: Host, destination: Host, up: Link, down: Link) -> Iterator[None]:
    """Lead what `source` sends to `destination` over two up-links; host links need no leading."""
    if up.a.node == source.name:
        yield
        return
    match = f"cookie={_COOKIE},priority={_PRIORITY},ip,nw_src={source.ip},nw_dst={destination.ip}"
    entries = [(up.a.node, f"{match},actions=output:{up.a.port_no}")]
    entries += [(down.b.node, f"{match},actions=output:{down.b.port_no}")]
    try:
        for switch, entry in entries:
            _run("ovs-ofctl", "-OOpenFlow13", "add-flow", switch, entry)
        yield
    finally:
        for switch, _ in entries:
            _run("ovs-ofctl", "-OOpenFlow13", "del-flows", switch, f"cookie={_COOKIE}/-1")


@dataclass(frozen=True)
class _Report:
    """One iperf3 client's connections (their source and destination ports) and the payload rate they had together."""

    goodput_mbps: float
    ports: tuple[tuple[int, int], ...]


def _transfers(
    network: EmulatedNetwork, pairs: Sequence[tuple[Host, Host, int]], duration_s: int, options: Sequence[str]
) -> list[_Report]:
    """Run iperf3 between all pairs at once; rates are the receivers', over whole seconds after the first."""
    processes: list[subprocess.Popen[str]] = []
    try:
        servers = []
        for number, (_, destination, _) in enumerate(pairs):
            argv = ["iperf3", "-s", "-1", "-J", "-p", str(_PORT + number)]
            servers.append(network.popen(destination.name, argv, stdout=subprocess.PIPE, text=True))
        processes += servers
        for number, (_, destination, _) in enumerate(pairs):
            network.wait_listening(destination.name, _PORT + number)
        clients = []
        for number, (source, destination, flows) in enumerate(pairs):
            argv = ["iperf3", "-J", "-c", destination.ip, "-p", str(_PORT + number), "-P", str(flows)]
            argv += ["-t", str(duration_s), "-O", "1", *options]
            clients.append(network.popen(source.name, argv, stdout=subprocess.PIPE, text=True))
        processes += clients
        sent = [_document(client, duration_s) for client in clients]
        received = [_document(server, duration_s) for server in servers]
        return [_report(ours, theirs) for ours, theirs in zip(sent, received, strict=True)]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()


def _document(process: subprocess.Popen[str], duration_s: int) -> dict[str, Any]:
    try:
        output, _ = process.communicate(timeout=duration_s + 20)
    except subprocess.TimeoutExpired:
        raise CalibrationError(f"iperf3 did not end within {duration_s + 20} s") from None
    try:
        document: dict[str, Any] = json.loads(output)
    except ValueError:
        raise CalibrationError(f"iperf3 printed no JSON: {output[:200]}") from None
    if "error" in document:
        raise CalibrationError(f"iperf3: {document['error']}")
    return document


def _report(sent: dict[str, Any], received: dict[str, Any]) -> _Report:
    intervals = [interval["sum"] for interval in received["intervals"] if not interval["sum"]["omitted"]]
    whole = [interval for interval in intervals if interval["seconds"] > 0.5]
    seconds = sum(interval["seconds"] for interval in whole)
    if not seconds:
        raise CalibrationError("iperf3: the receiver saw no whole second")
    goodput_mbps = sum(interval["bytes"] for interval in whole) * 8 / seconds / 1e6
    connections = sent["start"]["connected"]
    return _Report(goodput_mbps, tuple((one["local_port"], one["remote_port"]) for one in connections))


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10)
    if done.returncode != 0:
        raise CalibrationError(f"{' '.join(argv[:4])}: {done.stderr.strip()}")
