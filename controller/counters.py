"""What each link carries: port counters turned into rates and utilisation, with a history."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from topologies.topology import Direction, Link, Topology

HISTORY_SAMPLES = 1200


@dataclass(frozen=True, slots=True)
class PortCounters:
    """One port's counters, read at `age_s` seconds after the switch created the port: the counters' own clock.

    Bytes and packets are those of the kernel's interface: with segmentation offload one "packet" may be up to 64 KB.
    """

    port_no: int
    age_s: float
    rx_bytes: int
    tx_bytes: int
    rx_packets: int
    tx_packets: int
    rx_drops: int
    tx_drops: int


@dataclass(frozen=True, slots=True)
class LinkUse:
    """One direction of a link at its last reading.

    `bits_per_s` is the mean since the reading before, None at the first one; `utilisation` is that over the planned
    capacity, `drops` the packets lost at the sender's queue and port since the port exists.
    """

    link_id: str
    direction: Direction
    capacity_mbps: float
    time_s: float
    age_s: float
    tx_bytes: int
    tx_packets: int
    drops: int
    bits_per_s: float | None
    utilisation: float | None


@dataclass(frozen=True, slots=True)
class Sample:
    """One point of a link direction's history; `time_s` is seconds since the epoch."""

    time_s: float
    tx_bytes: int
    bits_per_s: float | None
    utilisation: float | None
    drops: int


LinkKey = tuple[str, Direction]


class LinkCounters:
    """The latest use of every link direction, and the last `HISTORY_SAMPLES` readings of each.

    Counter of a direction: what the sending switch's port sent; where a host sends, what its switch's port received.
    `latest` is replaced, never changed, so another thread may read it.
    """

    def __init__(self, topology: Topology) -> None:
        self._directions: dict[tuple[str, int], list[tuple[Link, Direction, bool]]] = {}
        self.latest: Mapping[LinkKey, LinkUse] = MappingProxyType({})
        self._history: dict[LinkKey, deque[Sample]] = {}
        switches = {switch.name for switch in topology.switches}
        directions: tuple[Direction, Direction] = ("up", "down")
        for link in topology.links:
            for direction in directions:
                sender, receiver = link.ends(direction)
                sends = sender.node in switches
                end = sender if sends else receiver
                self._directions.setdefault((end.node, end.port_no), []).append((link, direction, sends))
                self._history[link.id, direction] = deque(maxlen=HISTORY_SAMPLES)

    def update(
        self, switch: str, readings: Iterable[PortCounters], time_s: float, queue_drops: Mapping[int, int] | None = None
    ) -> None:
        """Take in a switch's port counters.

        Args:
            switch: its name.
            readings: the counters of its ports.
            time_s: when they arrived, seconds since the epoch.
            queue_drops: packets that the queue in front of a port has dropped, by port number.
        """
        latest = dict(self.latest)
        for reading in readings:
            for link, direction, sends in self._directions.get((switch, reading.port_no), ()):
                key = link.id, direction
                queued = (queue_drops or {}).get(reading.port_no, 0)
                use = _use(link, direction, sends, reading, time_s, queued, latest.get(key))
                latest[key] = use
                self._history[key].append(Sample(time_s, use.tx_bytes, use.bits_per_s, use.utilisation, use.drops))
        self.latest = MappingProxyType(latest)

    def history(self, link_id: str, direction: Direction) -> tuple[Sample, ...]:
        """The readings of one direction, oldest first. Safe from another thread: a deque copies in one step."""
        return tuple(self._history[link_id, direction].copy())


def _use(
    link: Link,
    direction: Direction,
    sends: bool,
    reading: PortCounters,
    time_s: float,
    queue_drops: int,
    before: LinkUse | None,
) -> LinkUse:
    tx_bytes, tx_packets = (reading.tx_bytes, reading.tx_packets) if sends else (reading.rx_bytes, reading.rx_packets)
    bits_per_s = None
    if before is not None and reading.age_s > before.age_s and tx_bytes >= before.tx_bytes:
        bits_per_s = (tx_bytes - before.tx_bytes) * 8 / (reading.age_s - before.age_s)
    return LinkUse(
        link_id=link.id,
        direction=direction,
        capacity_mbps=link.capacity_mbps,
        time_s=time_s,
        age_s=reading.age_s,
        tx_bytes=tx_bytes,
        tx_packets=tx_packets,
        drops=reading.tx_drops + queue_drops if sends else reading.rx_drops,
        bits_per_s=bits_per_s,
        utilisation=None if bits_per_s is None else bits_per_s / (link.capacity_mbps * 1e6),
    )
