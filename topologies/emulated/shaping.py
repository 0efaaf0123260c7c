"""Rates and queues of links as values: rendered as `tc` commands, read back from the kernel, compared.

Every sending interface gets an HTB class at the link's rate with a FIFO bounded in bytes below it. The class may go
into debt for one TCP segmentation super-frame but saves up little credit, so that rates hold over short times too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from topologies.errors import NetworkError
from topologies.topology import Endpoint, Topology

FRAME_BYTES = 1514  # a full one, with its Ethernet header
_CREDIT_S = 0.004  # late timers on a busy machine cost nothing up to here
_MOST_CREDIT_BYTES = 64 * 1024  # one TCP segmentation super-frame
_TOLERANCE = 0.002  # tc prints rates rounded to a tenth of a per cent

SWITCH_QUEUE_BYTES = 72 * 1024  # one TCP super-frame, which the kernel counts as up to 45 frames, and a little
HOST_QUEUE_BYTES = 1000 * FRAME_BYTES  # what Linux' default queue of 1000 packets holds


class ShapingError(NetworkError):
    """The kernel's traffic control differs from the plan; the message lists the differences."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What one sending interface is to have: rate in bit/s on the wire (Ethernet header included), FIFO in bytes."""

    interface: str
    rate_bps: int
    queue_bytes: int

    @property
    def burst_bytes(self) -> int:
        """Credit of the HTB class."""
        return max(2 * FRAME_BYTES, min(_MOST_CREDIT_BYTES, round(self.rate_bps / 8 * _CREDIT_S)))

    @property
    def commands(self) -> tuple[str, ...]:
        """Lines for `tc -batch`."""
        device = f"dev {self.interface}"
        rate = f"rate {self.rate_bps}bit ceil {self.rate_bps}bit"
        burst = f"burst {self.burst_bytes} cburst {self.burst_bytes} quantum {10 * FRAME_BYTES}"
        return (
            f"qdisc add {device} root handle 1: htb default 1",
            f"class add {device} parent 1: classid 1:1 htb {rate} {burst}",
            f"qdisc add {device} parent 1:1 handle 10: bfifo limit {self.queue_bytes}",
        )


def interface(end: Endpoint) -> str:
    """Name of the interface at a port."""
    return f"{end.node}-eth{end.port_no}"


def plan(topology: Topology, switch_queue_bytes: int = SWITCH_QUEUE_BYTES) -> dict[str, list[Shape]]:
    """Shapes of every sending interface, by node, so that each direction of each link has its capacity."""
    hosts = {host.name for host in topology.hosts}
    shapes: dict[str, list[Shape]] = {}
    for link in topology.links:
        for end in (link.a, link.b):
            queue = HOST_QUEUE_BYTES if end.node in hosts else switch_queue_bytes
            shape = Shape(interface(end), round(link.capacity_mbps * 1e6), queue)
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
    return lines


def read_back_commands(shapes: Sequence[Shape]) -> tuple[list[str], str]:
    """A `tc` command line and its batch that make `parse` understand what the kernel has.

    Classes are asked for one device at a time (there is no other way) and without `-j`, because tc before 6.3 prints
    HTB classes as text even then.
    """
    return ["tc", "-batch", "-"], "".join(f"class show dev {shape.interface}\n" for shape in shapes)


_CLASS = re.compile(r"class htb 1:1 root .*?rate (\d+(?:\.\d+)?)([KMGT]?)bit ceil (\d+(?:\.\d+)?)([KMGT]?)bit")
_UNIT = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def parse(shapes: Sequence[Shape], class_text: str, qdisc_json: str) -> dict[str, Shape]:
    """What the kernel has, by interface, from the output of `read_back_commands` and of `tc -j qdisc show`."""
    limits = {
        qdisc["dev"]: int(qdisc["options"]["limit"])
        for qdisc in json.loads(qdisc_json or "[]")
        if qdisc["kind"] == "bfifo" and qdisc.get("parent") == "1:1"
    }
    classes = _CLASS.findall(class_text)
    if len(classes) != len(shapes):
        raise ShapingError(f"tc shows {len(classes)} HTB classes for {len(shapes)} interfaces:\n{class_text[:500]}")
    found = {}
    for shape, (rate, rate_unit, ceil, ceil_unit) in zip(shapes, classes, strict=True):
        rate_bps = round(float(rate) * _UNIT[rate_unit])
        if rate_bps == round(float(ceil) * _UNIT[ceil_unit]) and shape.interface in limits:
            found[shape.interface] = Shape(shape.interface, rate_bps, limits[shape.interface])
    return found
