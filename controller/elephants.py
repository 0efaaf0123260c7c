"""The policy `least-loaded`: flows that turn out to be large are pinned to the emptiest path.

Every flow starts where the hash puts it. The switches' datapath counts each of them; one that has carried what a link
of the fabric carries in `ELEPHANT_LOOKS` of the time between two looks, and of late at least `ELEPHANT_SHARE` of its
rate (streams of acknowledgements do not), is an elephant, and gets entries of its own along the path with the least
load. The measure is time and not bytes because it has to fit how often one looks: a flow that ends before the next look
gains nothing from being moved, however many bytes a divisor makes of it. A link's load is its utilisation, but at least
the number of elephants pinned to it: each of them takes what it can get.

Utilisation is that of the time before a look, when flows may still have been elsewhere, so some choices turn out badly.
Of elephants that share a link, one therefore moves when another path is shared by fewer. Every move leaves fewer links
that are shared by as many, so moving comes to rest.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from controller.counters import LinkKey, LinkUse
from controller.entries import ETH_TYPE_IPV4, Flow, ToPort
from controller.paths import Path, TraceError, ask_vswitchd
from controller.routing import PRIORITY_PINNED
from topologies.topology import Endpoint, Topology

ELEPHANT_LOOKS = 0.5
ELEPHANT_SHARE = 0.05
PIN_IDLE_S = 5.0
_WORTH_MOVING = 0.5  # of a link: acknowledgements and small flows are nothing to stay away from
_SWITCH_TIMEOUT_S = 60
"""Only for pins that a dead controller leaves behind; a living one removes them itself."""

_LOG = logging.getLogger("controller.elephants")
_PROTOCOLS = {6: "tcp", 17: "udp"}
_DATAPATH_FLOW = re.compile(
    r"in_port\(([^)]+)\).*?ipv4\(src=([\d.]+),dst=([\d.]+),proto=(6|17)[,)].*?(?:tcp|udp)\(src=(\d+),dst=(\d+)\)"
    r".*?bytes:(\d+),.*?actions:(\S+)$",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class FiveTuple:
    """A flow as the switches see it; `protocol` is the IP protocol's number."""

    protocol: int
    source_ip: str
    destination_ip: str
    source_port: int
    destination_port: int

    def __str__(self) -> str:
        ends = f"{self.source_ip}:{self.source_port}-{self.destination_ip}:{self.destination_port}"
        return f"{_PROTOCOLS[self.protocol]} {ends}"

    def entry(self, port_no: int) -> Flow:
        """The flow entry that sends exactly this flow out of a port."""
        name = _PROTOCOLS[self.protocol]
        match = (
            ("eth_type", ETH_TYPE_IPV4),
            ("ip_proto", self.protocol),
            ("ipv4_src", self.source_ip),
            ("ipv4_dst", self.destination_ip),
            (f"{name}_src", self.source_port),
            (f"{name}_dst", self.destination_port),
        )
        return Flow(PRIORITY_PINNED, match, ToPort(port_no), _SWITCH_TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A flow in the datapath: it came in by one interface, went out by another, and carried so many bytes there."""

    flow: FiveTuple
    in_interface: str
    out_interface: str
    carried_bytes: int


class DatapathFlows:
    """The flows that the running ovs-vswitchd carries; none while it does not answer, which is logged once."""

    def __init__(self, ask: Callable[..., str] = ask_vswitchd) -> None:
        self._ask = ask
        self._answers = True

    def __call__(self) -> list[Sighting]:
        """Those that it carries now."""
        try:
            text = self._ask("dpctl/dump-flows", "--names")
        except TraceError as error:
            if self._answers:
                _LOG.warning("datapath_not_read", extra={"fields": {"why": str(error)}})
            self._answers = False
            return []
        self._answers = True
        return read_datapath_flows(text)


def read_datapath_flows(text: str) -> list[Sighting]:
    """The flows in what `dpctl/dump-flows --names` prints; entries that are not of one TCP or UDP flow are left out."""
    return [
        Sighting(
            FiveTuple(int(protocol), source, destination, int(source_port), int(destination_port)),
            in_interface,
            out_interface,
            int(carried),
        )
        for in_interface, source, destination, protocol, source_port, destination_port, carried, out_interface
        in _DATAPATH_FLOW.findall(text)
    ]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pin:
    """An elephant's path, and when it was last seen to carry anything."""

    path: Path
    carried_bytes: int
    active_s: float


@dataclass(frozen=True, slots=True)
class Look:
    """What is known at one moment: the datapath's flows, where interfaces are, what links carry, a clock's time."""

    sightings: Sequence[Sighting]
    interfaces: Mapping[str, Endpoint]
    use: Mapping[LinkKey, LinkUse]
    now_s: float


class Elephants:
    """Knows the large flows and decides on their paths. `pins` is replaced, never changed."""

    def __init__(self, topology: Topology, possible: Callable[[str, str], Sequence[Path]]) -> None:
        """`possible` gives the paths that are open between two hosts."""
        self._topology = topology
        self._possible = possible
        self._hosts = {host.ip: host.name for host in topology.hosts}
        thinnest_mbps = min((link.capacity_mbps for link in topology.uplinks), default=float("inf"))
        self._link_bytes_per_s = thinnest_mbps * 1e6 / 8
        self._before: dict[FiveTuple, int] = {}
        self._before_s = float("-inf")
        self.pins: Mapping[FiveTuple, Pin] = {}

    def update(self, look: Look) -> list[tuple[FiveTuple, Path]]:
        """Take in what the datapath shows; returns the flows that were pinned or moved now, with their paths."""
        seen = {
            (sighting.flow, look.interfaces[sighting.in_interface]): sighting
            for sighting in look.sightings
            if sighting.in_interface in look.interfaces
        }
        entering = {flow: sighting for (flow, end), sighting in seen.items() if self._enters(flow, end)}
        self._refresh(entering, look.now_s)
        fresh = [
            (flow, path)
            for flow, sighting in entering.items()
            if flow not in self.pins
            and self._is_elephant(sighting, look.now_s)
            and (path := self._pin(sighting, self._links_of(sighting, seen, look.interfaces), look))
        ]
        fresh += self._part(look)
        self._before = {flow: sighting.carried_bytes for flow, sighting in entering.items()}
        self._before_s = look.now_s
        return fresh

    def forget_paths_over(self, links: Iterable[str]) -> None:
        """Give up the pins over links that do not work; their flows go by hash again."""
        gone = set(links)
        self.pins = {flow: pin for flow, pin in self.pins.items() if not gone.intersection(pin.path.links)}

    def entries(self) -> dict[str, list[Flow]]:
        """Flow entries of all pins, by switch."""
        entries: dict[str, list[Flow]] = {}
        for flow, pin in self.pins.items():
            for link_id, direction in self._directed(pin.path):
                end, _ = self._topology.link_by_id[link_id].ends(direction)
                entries.setdefault(end.node, []).append(flow.entry(end.port_no))
        return entries

    def _enters(self, flow: FiveTuple, end: Endpoint) -> bool:
        source = self._hosts.get(flow.source_ip)
        return source is not None and flow.destination_ip in self._hosts and self._topology.host_link[source].b == end

    def _refresh(self, entering: Mapping[FiveTuple, Sighting], now_s: float) -> None:
        """Note which pinned flows are alive, and let go of the others."""
        pins = {}
        for flow, pin in self.pins.items():
            carried = entering[flow].carried_bytes if flow in entering else pin.carried_bytes
            active_s = now_s if carried != pin.carried_bytes else pin.active_s
            if now_s - active_s < PIN_IDLE_S:
                pins[flow] = Pin(pin.path, carried, active_s)
        self.pins = pins

    def _is_elephant(self, sighting: Sighting, now_s: float) -> bool:
        """Never at the first look: the datapath remembers flows that have ended, and no rate is known yet."""
        full_link = self._link_bytes_per_s * (now_s - self._before_s)
        lately = sighting.carried_bytes - self._before.get(sighting.flow, 0)
        return lately >= ELEPHANT_SHARE * full_link and sighting.carried_bytes >= ELEPHANT_LOOKS * full_link

    def _pin(self, sighting: Sighting, own: set[LinkKey], look: Look) -> Path | None:
        flow = sighting.flow
        best, _ = self._emptiest(flow, own, look, self._pinned(look.now_s))
        if best is not None:
            self.pins = {**self.pins, flow: Pin(best, sighting.carried_bytes, look.now_s)}
        return best

    def _part(self, look: Look) -> list[tuple[FiveTuple, Path]]:
        """Move elephants that share a link to where they share with fewer; returns them with their new paths."""
        moved = []
        pinned = self._pinned(look.now_s)
        for flow, pin in self._alive(look.now_s).items():
            own = self._directed(pin.path)
            pinned.subtract(own)
            sharing = max(pinned[key] for key in own)
            best, load = self._emptiest(flow, set(own), look, pinned) if sharing else (None, 0.0)
            if best is not None and load < sharing - _WORTH_MOVING:
                moved.append((flow, best))
                own = self._directed(best)
            pinned.update(own)
        self.pins = {**self.pins, **{flow: replace(self.pins[flow], path=path) for flow, path in moved}}
        return moved

    def _pinned(self, now_s: float) -> Counter[LinkKey]:
        """How many elephants that still send are pinned to each link."""
        return Counter(key for pin in self._alive(now_s).values() for key in self._directed(pin.path))

    def _alive(self, now_s: float) -> dict[FiveTuple, Pin]:
        """Pinned flows that have carried something since the last look."""
        return {flow: pin for flow, pin in self.pins.items() if pin.active_s == now_s}

    def _emptiest(
        self, flow: FiveTuple, own: set[LinkKey], look: Look, pinned: Counter[LinkKey]
    ) -> tuple[Path | None, float]:
        """The path with the least load by others, and its fullest link's load; None within a rack.

        Args:
            flow: which is to be pinned.
            own: links that it uses now.
            look: what links carry.
            pinned: other elephants on each link.
        """

        def load(path: Path) -> tuple[float, float, bool]:
            """The fullest link's load, the sum of all, and whether the flow would have to move."""
            keys = self._directed(path)
            loads = [max(_others(look.use.get(key), key in own), pinned[key]) for key in keys]
            return max(loads), sum(loads), not own.issuperset(keys)

        paths = self._possible(self._hosts[flow.source_ip], self._hosts[flow.destination_ip])
        best = min((path for path in paths if len(path.switches) > 1), key=load, default=None)
        return (None, 0.0) if best is None else (best, load(best)[0])

    def _directed(self, path: Path) -> list[LinkKey]:
        """The path's links between switches, each with the direction it is used in."""
        keys: list[LinkKey] = []
        for switch, link_id in zip(path.switches[:-1], path.links[1:-1], strict=True):
            keys.append((link_id, self._topology.link_by_id[link_id].direction_from(switch)))
        return keys

    def _links_of(
        self,
        sighting: Sighting,
        seen: Mapping[tuple[FiveTuple, Endpoint], Sighting],
        interfaces: Mapping[str, Endpoint],
    ) -> set[LinkKey]:
        """The links that the flow uses now, followed from interface to interface through the datapath's flows."""
        links: set[LinkKey] = set()
        here: Sighting | None = sighting
        while here is not None and (end := interfaces.get(here.out_interface)) in self._topology.link_at:
            assert end is not None
            link = self._topology.link_at[end]
            key: LinkKey = (link.id, link.direction_from(end.node))
            if key in links:
                break
            links.add(key)
            here = seen.get((sighting.flow, link.far(end.node)))
        return links


def _others(use: LinkUse | None, carries_it: bool) -> float:
    """Utilisation of a link by others; a link that carries the flow itself is taken to carry no one else's."""
    return 0.0 if use is None or carries_it else use.utilisation or 0.0
