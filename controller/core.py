"""Decides what to do about what switches report. Knows no OpenFlow library: messages in, commands out."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from controller.counters import LinkCounters, PortCounters
from controller.discovery import Discovery, LinkState, Port
from controller.elephants import Elephants, Look, Sighting
from controller.entries import (
    Command,
    Confirm,
    DeleteGroup,
    PutFlow,
    ReadCounters,
    Rules,
    SendFrame,
    changes,
)
from controller.journal import Journal
from controller.paths import Path, PathFinder
from controller.probes import ArpMessage, Probe
from controller.routing import CONTROL_FLOWS, ecmp_rules
from controller.snapshot import Location, Snapshot, Status
from topologies.topology import Endpoint, Topology

SETTLE_S = 2.0
"""Routes are installed as soon as the network is as planned, or when discovery has not progressed for this long."""

PROBE_INTERVAL_S = 0.2


class Switches(Protocol):
    """The way to the switches."""

    def send(self, dpid: int, commands: Sequence[Command]) -> None:
        """Send commands to a switch, in order; does nothing when it is not connected."""


class Core:
    """The controller's state and decisions. All methods are for one thread; `snapshot` may be read from any."""

    def __init__(
        self,
        topology: Topology,
        switches: Switches,
        journal: Journal,
        seed: int,
        nonce: bytes,
        queue_drops: Callable[[], Mapping[str, int]],
        datapath_flows: Callable[[], Sequence[Sighting]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        epoch: Callable[[], float] = time.time,
    ) -> None:
        """`datapath_flows` tells the flows that switches carry and makes the policy `least-loaded`; None is `ecmp`."""
        self.topology = topology
        self.counters = LinkCounters(topology)
        self._switches = switches
        self._journal = journal
        self._seed = seed
        self._nonce = nonce
        self._read_queue_drops = queue_drops
        self._queue_drops: Mapping[str, int] = {}
        self._clock = clock
        self._epoch = epoch
        self._discovery = Discovery(topology)
        self._names = {switch.dpid: switch.name for switch in topology.switches}
        self._hosts_by_mac = {host.mac: host for host in topology.hosts}
        self._hosts_by_ip = {host.ip: host for host in topology.hosts}
        self._datapath_flows = datapath_flows
        self._elephants = Elephants(topology, self._open_paths)
        self._finder = PathFinder(topology)
        self._routes: dict[str, Rules] = {}
        self._desired: dict[str, Rules] = {}
        self._installed: dict[str, Rules] = {}
        self._token = 0
        self._awaited: dict[str, int] = {}
        self._routing = False
        self._first_connection: float | None = None
        self._discovery_time_s: float | None = None
        self._last_progress = clock()
        self._last_probe = -PROBE_INTERVAL_S
        self._states: dict[str, LinkState] = self._discovery.states()
        self._reported: frozenset[str] = frozenset()
        self._seen: dict[str, Location] = {}
        self.snapshot = self._take_snapshot()

    # What switches report

    def switch_connected(self, dpid: int, ports: Iterable[Port], bridge_name: str = "") -> None:
        """A switch has connected and described its ports."""
        self._last_progress = self._clock()
        if self._first_connection is None:
            self._first_connection = self._last_progress
        self._discovery.switch_connected(dpid, ports, bridge_name)
        self._journal.record("switch_connected", switch=self._discovery.name(dpid), dpid=f"{dpid:#x}")
        if name := self._names.get(dpid):
            self._installed.pop(name, None)
            self._switches.send(dpid, [PutFlow(flow) for flow in CONTROL_FLOWS])
        self._reconsider("a switch connected")

    def switch_disconnected(self, dpid: int) -> None:
        """A switch's connection is gone; what it forwards is unknown."""
        self._discovery.switch_disconnected(dpid)
        name = self._discovery.name(dpid)
        self._installed.pop(name, None)
        self._awaited.pop(name, None)
        self._journal.record("switch_disconnected", logging.WARNING, switch=name, dpid=f"{dpid:#x}")
        self._reconsider(f"{name} disconnected")

    def port_changed(self, dpid: int, port: Port) -> None:
        """A port was added or changed."""
        self._discovery.port_changed(dpid, port)
        self._reconsider(f"{self._discovery.name(dpid)}:{port.port_no} is {'up' if port.up else 'down'}")

    def port_removed(self, dpid: int, port_no: int) -> None:
        """A port was removed."""
        self._discovery.port_removed(dpid, port_no)
        self._reconsider(f"{self._discovery.name(dpid)}:{port_no} was removed")

    def frame_received(self, dpid: int, in_port: int, frame: bytes) -> None:
        """A switch handed us a frame: a probe, or ARP."""
        probe = Probe.read(frame)
        if probe is not None:
            if probe.nonce == self._nonce:
                self._discovery.probe_heard(dpid, in_port, probe.dpid, probe.port_no)
                self._reconsider("a probe confirmed its wiring")
            return
        message = ArpMessage.read(frame)
        if message is not None and dpid in self._names:
            self._learn(self._names[dpid], in_port, message)
            target = self._hosts_by_ip.get(message.target_ip)
            if message.is_request and target is not None and message.target_ip != message.sender_ip:
                self._switches.send(dpid, [SendFrame(in_port, message.answered_by(target.mac).frame())])

    def groups_listed(self, dpid: int, group_ids: Iterable[int]) -> None:
        """The switch has these groups; those of former runs go."""
        rules = self._installed.get(self._discovery.name(dpid))
        if rules is not None:
            self._switches.send(dpid, [DeleteGroup(stale) for stale in group_ids if stale not in rules.groups])

    def confirmed(self, dpid: int, token: int) -> None:
        """The switch has done everything up to the command `Confirm(token)`."""
        name = self._discovery.name(dpid)
        if self._awaited.get(name) == token:
            del self._awaited[name]
            self._publish()

    def counters_read(self, dpid: int, readings: Sequence[PortCounters]) -> None:
        """A switch's port counters have arrived."""
        if name := self._names.get(dpid):
            drops = {
                reading.port_no: self._queue_drops.get(port.name, 0)
                for reading in readings
                if (port := self._discovery.port(Endpoint(name, reading.port_no))) is not None
            }
            self.counters.update(name, readings, self._epoch(), drops)

    # What time brings

    def tick(self) -> None:
        """Probe what is unconfirmed; install routes when discovery has come to rest. Call a few times a second."""
        now = self._clock()
        if now - self._last_probe >= PROBE_INTERVAL_S:
            self._last_probe = now
            self._probe()
        if not self._routing and self._discovery.connected and now - self._last_progress >= SETTLE_S:
            self._install("discovery came to rest; what is missing is left out")

    def poll(self) -> None:
        """Ask every planned switch for its counters, and the kernel for its queues'; these stay as they were where it
        does not tell them.
        """
        try:
            self._queue_drops = self._read_queue_drops()
        except OSError as error:  # such as too many open files
            self._journal.record("not_as_planned", logging.WARNING, what=f"packets dropped are unknown: {error}")
        for dpid in self._discovery.connected:
            if dpid in self._names:
                self._switches.send(dpid, [ReadCounters()])
        if self._datapath_flows is not None and self._routing:
            self._balance(self._datapath_flows())

    # Decisions

    def _reconsider(self, why: str) -> None:
        states = self._discovery.states()
        changed = states != self._states
        if changed:
            self._last_progress = self._clock()
            self._report_links(states, why)
            self._states = states
        findings = self._discovery.findings()
        unexpected = frozenset(findings.unexpected_switches + findings.unexpected_links)
        for text in sorted(unexpected - self._reported):
            self._journal.record("not_as_planned", logging.WARNING, what=text)
        self._reported = unexpected
        if self._routing and (changed or self._lacking_rules()):
            self._install(why)
        elif not self._routing and all(state == "up" for state in states.values()):
            self._install("every planned link is up")
        else:
            self._publish()

    def _lacking_rules(self) -> bool:
        return any(
            dpid in self._names and self._names[dpid] not in self._installed for dpid in self._discovery.connected
        )

    def _report_links(self, states: Mapping[str, LinkState], why: str) -> None:
        if not self._routing:
            return
        for link_id, state in states.items():
            if state != self._states[link_id]:
                level = logging.INFO if state == "up" else logging.WARNING
                self._journal.record("link_" + state, level, link=link_id, was=self._states[link_id], why=why)

    def _install(self, why: str) -> None:
        self._routing = True
        down = frozenset(link for link, state in self._states.items() if state == "down")
        suspect = frozenset(link for link, state in self._states.items() if state == "suspect")
        self._routes = ecmp_rules(self.topology, down, suspect, self._seed)
        self._elephants.forget_paths_over(down | suspect)
        self._desired = self._with_pins()
        for dpid, commands in self._bring_up_to_date():
            name = self._names[dpid]
            self._token += 1
            self._awaited[name] = self._token
            self._switches.send(dpid, [*commands, Confirm(self._token)])
            self._journal.record("rules_changed", switch=name, commands=len(commands), why=why)
        self._publish()

    def _with_pins(self) -> dict[str, Rules]:
        pinned = self._elephants.entries()
        return {name: rules.with_flows(pinned.get(name, ())) for name, rules in self._routes.items()}

    def _bring_up_to_date(self) -> Iterator[tuple[int, list[Command]]]:
        """Connected switches whose rules are not the desired ones, and what they have to be told."""
        for dpid in self._discovery.connected:
            name = self._names.get(dpid)
            if name is not None and (commands := changes(self._installed.get(name), self._desired[name])):
                self._installed[name] = self._desired[name]
                yield dpid, commands

    def _balance(self, sightings: Sequence[Sighting]) -> None:
        look = Look(sightings, self._discovery.interfaces(), self.counters.latest, self._clock())
        before = self._elephants.entries()
        for flow, path in self._elephants.update(look):
            self._journal.record("elephant_pinned", flow=str(flow), links=list(path.links), why="the emptiest path")
        if self._elephants.entries() == before:
            return
        self._desired = self._with_pins()
        for dpid, commands in self._bring_up_to_date():
            self._switches.send(dpid, commands)
        self._publish()

    def _open_paths(self, source: str, destination: str) -> Sequence[Path]:
        return self._finder.possible(source, destination, self._routes)

    def _probe(self) -> None:
        for end in self._discovery.unheard_ends():
            dpid = self._discovery.dpid(end.node)
            self._switches.send(dpid, [SendFrame(end.port_no, Probe(dpid, end.port_no, self._nonce).frame())])

    def _learn(self, switch: str, in_port: int, message: ArpMessage) -> None:
        host = self._hosts_by_mac.get(message.sender_mac)
        if host is None:
            return
        before = self._seen.get(host.name)
        self._seen = {**self._seen, host.name: Location(switch, in_port, self._epoch())}
        planned = self.topology.host_link[host.name].b
        if (switch, in_port) != (planned.node, planned.port_no) and (
            before is None or (before.switch, before.port_no) != (switch, in_port)
        ):
            what = f"host {host.name} speaks at {switch}:{in_port}, planned {planned.node}:{planned.port_no}"
            self._journal.record("not_as_planned", logging.WARNING, what=what)
        self._publish()

    def _publish(self) -> None:
        """Make a snapshot, complete before anybody sees it: other threads read it at any time."""
        before, now = self.snapshot.status, self._take_snapshot()
        if now.status == "ready" and self._discovery_time_s is None and self._first_connection is not None:
            self._discovery_time_s = self._clock() - self._first_connection
            now = self._take_snapshot()
        self.snapshot = now
        if now.status != before:
            self._report_status(now)

    def _report_status(self, now: Snapshot) -> None:
        level = logging.WARNING if now.status == "degraded" else logging.INFO
        self._journal.record(
            "status",
            level,
            status=now.status,
            missing_switches=list(now.findings.missing_switches),
            missing_links=list(now.findings.missing_links),
            discovery_time_s=now.discovery_time_s,
        )

    def _take_snapshot(self) -> Snapshot:
        findings = self._discovery.findings()
        installed = self._routing and not self._awaited and not findings.missing_switches
        status: Status = "discovering"
        if findings.none and installed:
            status = "ready"
        elif self._routing and (self._discovery_time_s is not None or not findings.none):
            status = "degraded"
        return Snapshot(
            status=status,
            switches_connected=sum(dpid in self._names for dpid in self._discovery.connected),
            findings=findings,
            link_states=self._states,
            routes_installed=installed,
            rules=dict(self._desired),
            seen=self._seen,
            discovery_time_s=self._discovery_time_s,
        )
