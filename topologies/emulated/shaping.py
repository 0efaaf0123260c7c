"""Rates and queues of links as values: rendered as `tc` commands, read back from the kernel, compared.

Every sending interface gets an HTB class at the link's rate with a FIFO bounded in bytes below it. The class may go
into debt for one TCP segmentation super-frame but saves up little credit, so that rates hold over short times too.
Where short packets go first, there is a class below that one for them and another for the others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from topologies.constants import Constants
from topologies.errors import NetworkError
from topologies.topology import Endpoint, Topology

FRAME_BYTES = 1514  # a full one, with its Ethernet header
_CREDIT_S = 0.004  # late timers on a busy machine cost nothing up to here
_MOST_CREDIT_BYTES = 64 * 1024  # one TCP segmentation super-frame
_SHARES = 20  # of the rate: one is kept for long packets, however many short ones come
_IS_SHORT = "u32 match u16 0 0xff00 at 2"  # total length of the IP packet below 256 bytes
_TOLERANCE = 0.002  # tc prints rates rounded to a tenth of a per cent

WHOLE, LONG, SHORT = "1:", "10:", "20:"
"""Handles of a port's queues: the whole, that of long packets, or of all where there is no other, and of short ones."""

HOST_QUEUE_BYTES = 1000 * FRAME_BYTES  # what Linux' default queue of 1000 packets holds


class ShapingError(NetworkError):
    """The kernel's traffic control differs from the plan; the message lists the differences."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What one sending interface is to have.

    Attributes:
        rate_bps: Bit/s on the wire, Ethernet header included.
        queue_bytes: Of the FIFO.
        short_first: Whether packets of less than 256 bytes wait in a FIFO of their own, which is served first.
    """

    interface: str
    rate_bps: int
    queue_bytes: int
    short_first: bool = False

    @property
    def burst_bytes(self) -> int:
        """Credit of the HTB class."""
        return max(2 * FRAME_BYTES, min(_MOST_CREDIT_BYTES, round(self.rate_bps / 8 * _CREDIT_S)))

    @property
    def commands(self) -> tuple[str, ...]:
        """Lines for `tc -batch`."""
        device = f"dev {self.interface}"
        rate = f"rate {self.rate_bps}bit ceil {self.rate_bps}bit"
        share = f"rate {self.rate_bps // _SHARES}bit ceil {self.rate_bps}bit"  # and more as long as the link has it
        burst = f"burst {self.burst_bytes} cburst {self.burst_bytes} quantum {10 * FRAME_BYTES}"
        fifo = f"bfifo limit {self.queue_bytes}"
        link = f"class add {device} parent 1: classid 1:1 htb {rate} {burst}"
        if not self.short_first:
            return (
                f"qdisc add {device} root handle {WHOLE} htb default 1",
                link,
                f"qdisc add {device} parent 1:1 handle {LONG} {fifo}",
            )
        return (
            f"qdisc add {device} root handle {WHOLE} htb default 2",
            link,
            f"class add {device} parent 1:1 classid 1:2 htb {share} {burst} prio 1",
            f"class add {device} parent 1:1 classid 1:3 htb {share} {burst} prio 0",
            f"qdisc add {device} parent 1:2 handle {LONG} {fifo}",
            f"qdisc add {device} parent 1:3 handle {SHORT} {fifo}",
            f"filter add {device} parent 1: protocol ip {_IS_SHORT} flowid 1:3",
        )


def interface(end: Endpoint) -> str:
    """Name of the interface at a port."""
    return f"{end.node}-eth{end.port_no}"


def plan(topology: Topology, constants: Constants) -> dict[str, list[Shape]]:
    """Shapes of every sending interface, by node, so that each direction of each link has its capacity."""
    hosts = {host.name for host in topology.hosts}
    shapes: dict[str, list[Shape]] = {}
    for link in topology.links:
        for end in (link.a, link.b):
            rate_bps = round(link.capacity_mbps * 1e6)
            if end.node in hosts:
                shape = Shape(interface(end), rate_bps, HOST_QUEUE_BYTES)
            else:
                shape = Shape(interface(end), rate_bps, constants.queue_bytes, constants.short_packets_first)
            shapes.setdefault(end.node, []).append(shape)
    return shapes


def differences(shapes: Iterable[Shape], found: Mapping[str, Shape]) -> list[str]:
    """What the kernel has otherwise than planned, one line each; empty when all is as planned."""
    lines = []
    for shape in shapes:
        real = found.get(shape.interface)
        if real is None:
            lines.append(f"{shape.interface}: not shaped")
            continue
        if abs(real.rate_bps - shape.rate_bps) > _TOLERANCE * shape.rate_bps:
            lines.append(f"{shape.interface}: {real.rate_bps} bit/s instead of {shape.rate_bps}")
        if real.queue_bytes != shape.queue_bytes:
            lines.append(f"{shape.interface}: queue of {real.queue_bytes} bytes instead of {shape.queue_bytes}")
        if real.short_first != shape.short_first:
            lines.append(f"{shape.interface}: short packets {'go' if real.short_first else 'do not go'} first")
    return lines


def read_back_commands(shapes: Sequence[Shape]) -> tuple[list[str], str]:
    """A `tc` command line and its batch that make `parse` understand what the kernel has.

    Classes and filters are asked for one device at a time (there is no other way) and without `-j`, because tc before
    6.3 prints HTB classes as text even then.
    """
    commands = (f"class show dev {shape.interface}\nfilter show dev {shape.interface}\n" for shape in shapes)
    return ["tc", "-batch", "-"], "".join(commands)


_FILTER = re.compile(r"flowid 1:3.*\n\s+match 00000000/0000ff00 at 0\n")
_CLASS = re.compile(r"class htb 1:1 root .*?rate (\d+(?:\.\d+)?)([KMGT]?)bit ceil (\d+(?:\.\d+)?)([KMGT]?)bit")
_UNIT = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def parse(shapes: Sequence[Shape], class_text: str, qdisc_json: str) -> dict[str, Shape]:
    """What the kernel has, by interface, from the output of `read_back_commands` and of `tc -j qdisc show`."""
    queues = {
        (qdisc["dev"], qdisc.get("parent")): int(qdisc["options"]["limit"])
        for qdisc in json.loads(qdisc_json or "[]")
        if qdisc["kind"] == "bfifo"
    }
    classes = list(_CLASS.finditer(class_text))
    if len(classes) != len(shapes):
        raise ShapingError(f"tc shows {len(classes)} HTB classes for {len(shapes)} interfaces:\n{class_text[:500]}")
    ends = [one.start() for one in classes[1:]] + [len(class_text)]
    found = {}
    for shape, one, end in zip(shapes, classes, ends, strict=True):
        rate, rate_unit, ceil, ceil_unit = one.groups()
        rate_bps = round(float(rate) * _UNIT[rate_unit])
        short, long = queues.get((shape.interface, "1:3")), queues.get((shape.interface, "1:2"))
        only = queues.get((shape.interface, "1:1"))
        first = short is not None and _FILTER.search(class_text, one.end(), end) is not None
        queue = long if first else only
        if rate_bps == round(float(ceil) * _UNIT[ceil_unit]) and queue is not None:
            found[shape.interface] = Shape(shape.interface, rate_bps, queue, first)
    return found
