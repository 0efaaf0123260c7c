"""What the switches report, held against the plan: which links work, what is missing, extra or miswired."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from topologies.topology import Endpoint, Link, Topology

LinkState = Literal["up", "suspect", "down"]
"""`up`: seen working as planned. `suspect`: an end's switch does not answer, or no probe has arrived yet.
`down`: a port is down or missing, or leads elsewhere."""


@dataclass(frozen=True, slots=True)
class Port:
    """A switch's port as the switch describes it; `up` is false without carrier and when switched off."""

    port_no: int
    name: str
    up: bool


@dataclass(frozen=True, slots=True)
class Findings:
    """How the network differs from the plan, by name; all empty when it is as planned."""

    missing_switches: tuple[str, ...]
    missing_links: tuple[str, ...]
    unexpected_switches: tuple[str, ...]
    unexpected_links: tuple[str, ...]

    @property
    def none(self) -> bool:
        """True when the network is as planned."""
        return not (self.missing_switches or self.missing_links or self.unexpected_switches or self.unexpected_links)


class Discovery:
    """The observed network. Feed it what switches say; ask it for link states and findings."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._planned = {switch.dpid: switch.name for switch in topology.switches}
        self._dpids = {switch.name: switch.dpid for switch in topology.switches}
        self._ports: dict[int, dict[int, Port]] = {}
        self._bridge_names: dict[int, str] = {}
        self._heard: dict[Endpoint, Endpoint] = {}

    def name(self, dpid: int) -> str:
        """The planned switch's name, or `dpid 0x...` for one that is not planned."""
        return self._planned.get(dpid, f"dpid {dpid:#x}")

    def dpid(self, switch: str) -> int:
        """The planned switch's dpid."""
        return self._dpids[switch]

    def interfaces(self) -> dict[str, Endpoint]:
        """Where each interface of a planned switch is, by its name."""
        return {
            port.name: Endpoint(name, port.port_no)
            for dpid, name in self._planned.items()
            for port in self._ports.get(dpid, {}).values()
        }

    @property
    def connected(self) -> frozenset[int]:
        """Dpids of all switches that are connected, planned or not."""
        return frozenset(self._ports)

    def port(self, end: Endpoint) -> Port | None:
        """The port at a planned switch's end of a link, None while it is not known."""
        return self._ports.get(self._dpids.get(end.node, -1), {}).get(end.port_no)

    def switch_connected(self, dpid: int, ports: Iterable[Port], bridge_name: str = "") -> None:
        """A switch has connected and described all its ports; what was heard on them before counts no more."""
        self.switch_disconnected(dpid)
        self._ports[dpid] = {port.port_no: port for port in ports}
        self._bridge_names[dpid] = bridge_name

    def switch_disconnected(self, dpid: int) -> None:
        """A switch is gone, or no longer tells."""
        self._ports.pop(dpid, None)
        self._bridge_names.pop(dpid, None)
        self._forget(lambda end: end.node == self.name(dpid))

    def port_changed(self, dpid: int, port: Port) -> None:
        """A port was added or changed."""
        if dpid in self._ports:
            self._ports[dpid][port.port_no] = port
            if not port.up:
                self._forget(lambda end: end == Endpoint(self.name(dpid), port.port_no))

    def port_removed(self, dpid: int, port_no: int) -> None:
        """A port was removed."""
        self._ports.get(dpid, {}).pop(port_no, None)
        self._forget(lambda end: end == Endpoint(self.name(dpid), port_no))

    def probe_heard(self, dpid: int, in_port: int, origin_dpid: int, origin_port: int) -> None:
        """A probe that `origin` sent has arrived here: these two ports are wired to each other."""
        port = self._ports.get(dpid, {}).get(in_port)
        if port is not None and port.up:
            self._heard[Endpoint(self.name(dpid), in_port)] = Endpoint(self.name(origin_dpid), origin_port)

    def state(self, link: Link) -> LinkState:
        """Whether a planned link works."""
        ends = [end for end in (link.a, link.b) if end.node in self._dpids]
        for end in ends:
            port = self.port(end)
            if self._dpids[end.node] in self._ports and (port is None or not port.up):
                return "down"
        if any(self._dpids[end.node] not in self._ports for end in ends):
            return "suspect"
        if len(ends) == 1:
            return "up"
        heard = self._heard.get(link.a), self._heard.get(link.b)
        if heard == (link.b, link.a):
            return "up"
        return "suspect" if heard[0] in (None, link.b) and heard[1] in (None, link.a) else "down"

    def states(self) -> dict[str, LinkState]:
        """State of every planned link, by id."""
        return {link.id: self.state(link) for link in self._topology.links}

    def unheard_ends(self) -> list[Endpoint]:
        """Ports to send a probe from: both ends of every link between connected switches that is not yet confirmed."""
        ends = []
        for link in self._topology.uplinks:
            if self.state(link) == "up":
                continue
            for end, peer in ((link.a, link.b), (link.b, link.a)):
                port = self.port(end)
                if port is not None and port.up and self._heard.get(peer) != end:
                    ends.append(end)
        return ends

    def findings(self) -> Findings:
        """How the network differs from the plan."""
        connected = self.connected
        return Findings(
            missing_switches=tuple(s.name for s in self._topology.switches if s.dpid not in connected),
            missing_links=tuple(link.id for link in self._topology.links if self.state(link) != "up"),
            unexpected_switches=tuple(self._describe(dpid) for dpid in sorted(connected) if dpid not in self._planned),
            unexpected_links=(*self._miswired(), *self._extra_ports()),
        )

    def _describe(self, dpid: int) -> str:
        bridge = self._bridge_names.get(dpid, "")
        if bridge in self._dpids:
            return f"switch {bridge} has dpid {dpid:#x}, planned {self._dpids[bridge]:#x}"
        return f"switch {bridge or '?'} with dpid {dpid:#x} is not planned"

    def _miswired(self) -> list[str]:
        found = {}
        for arrival, origin in self._heard.items():
            planned = self._topology.link_at.get(arrival)
            if planned is None or {planned.a, planned.b} != {arrival, origin}:
                low, high = sorted((arrival, origin), key=lambda end: (end.node, end.port_no))
                found[low, high] = f"{_text(low)}-{_text(high)} is wired, planned {self._planned_at(low, high)}"
        return [found[pair] for pair in sorted(found, key=str)]

    def _planned_at(self, *ends: Endpoint) -> str:
        links = {link.id: link for end in ends if (link := self._topology.link_at.get(end))}
        planned = [f"{link.id} ({_text(link.a)}-{_text(link.b)})" for link in links.values()]
        return " and ".join(planned) or "nothing"

    def _extra_ports(self) -> list[str]:
        return [
            f"{_text(Endpoint(name, port.port_no))} ({port.name}) is not planned"
            for dpid, name in sorted(self._planned.items())
            for port in self._ports.get(dpid, {}).values()
            if Endpoint(name, port.port_no) not in self._topology.link_at
        ]

    def _forget(self, concerns: Callable[[Endpoint], bool]) -> None:
        self._heard = {arrival: origin for arrival, origin in self._heard.items() if not concerns(arrival)}


def _text(end: Endpoint) -> str:
    return f"{end.node}:{end.port_no}"
