"""A program that sends small datagrams through an emulated network and says how long each was on its way.

    (echo PLAN; sleep 1; echo; sleep 10) | python -m topologies.emulated.delay_probe > DATAGRAMS

It makes ready upon the first line, sends from the second one on at random times (RFC 2330, 11.1.1) until its standard
input ends, and prints a `ROW` for each datagram. A datagram passes by the queue of its host's
interface and carries the time when it was sent; the kernel keeps the time when it arrived on the other host, so that
it does not matter when this program gets to look (one-way delay, RFC 7679).
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import os
import random
import select
import socket
import struct
import sys
import time
from dataclasses import dataclass
from ipaddress import IPv4Address
from typing import IO

from topologies.emulated import isolation

PORT = 7301
"""UDP port where datagrams arrive, on every host."""
DATAGRAM_BYTES = 54
"""Of a datagram's frame, with its Ethernet header."""
ROW = struct.Struct("=id")
"""One datagram: index of its flow, and for how many seconds it was on its way; NaN if it never arrived."""

_WAKE_UPS_PER_S = 32.0
_LATE_S = 0.5  # how long, at the end, datagrams on their way are waited for
_SOL_PACKET = 263
_PACKET_QDISC_BYPASS = 20
_SO_TIMESTAMPNS = 35
_ETHERNET = struct.Struct("!6s6sH")
_ETHERTYPE_IP = 0x0800
_IP = struct.Struct("!BBHHHBBH4s4s")
_DO_NOT_FRAGMENT, _HOPS = 0x4000, 64
_UDP = struct.Struct("!HHHH")
_PAYLOAD = struct.Struct("!IQ")  # number of the datagram, nanoseconds since the epoch
_STAMP = struct.Struct("@qq")  # struct timespec
_READ_BYTES = 64


@dataclass(frozen=True, slots=True)
class Port:
    """A host's place in the network: a process in its network namespace, its interface and addresses."""

    pid: int
    interface: str
    ip: str
    mac: str


@dataclass(frozen=True, slots=True)
class Flow:
    """Datagrams from one host to another, all from one UDP port and so all on one path."""

    source: Port
    destination: Port
    source_port: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send.

    Attributes:
        flows: which take turns.
        datagrams_per_s: of all flows together.
        seed: of the times.
    """

    flows: tuple[Flow, ...]
    datagrams_per_s: float
    seed: int

    def to_json(self) -> str:
        """As the program reads it."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan of such a text."""
        document = json.loads(text)
        flows = (
            Flow(Port(**one["source"]), Port(**one["destination"]), one["source_port"]) for one in document["flows"]
        )
        return cls(tuple(flows), document["datagrams_per_s"], document["seed"])


def headers(flow: Flow) -> bytes:
    """Ethernet, IPv4 (RFC 791) and UDP (RFC 768, without its checksum) headers of a flow's datagrams."""
    ip_bytes = DATAGRAM_BYTES - _ETHERNET.size
    macs = (bytes.fromhex(port.mac.replace(":", "")) for port in (flow.destination, flow.source))
    fields = 0x45, 0, ip_bytes, 0, _DO_NOT_FRAGMENT, _HOPS, socket.IPPROTO_UDP
    addresses = IPv4Address(flow.source.ip).packed, IPv4Address(flow.destination.ip).packed
    total = sum(struct.unpack("!10H", _IP.pack(*fields, 0, *addresses)))
    checksum = ~(total % 0xFFFF) & 0xFFFF  # RFC 1071
    return (
        _ETHERNET.pack(*macs, _ETHERTYPE_IP)
        + _IP.pack(*fields, checksum, *addresses)
        + _UDP.pack(flow.source_port, PORT, ip_bytes - _IP.size, 0)
    )


class Probe:
    """Sends a plan's datagrams and gathers what arrives.

    Raises:
        OSError: a host refuses the sockets.
    """

    def __init__(self, plan: Plan) -> None:
        self._headers = [headers(flow) for flow in plan.flows]
        senders = {port: _sender(port) for port in {flow.source for flow in plan.flows}}
        self._senders = [senders[flow.source] for flow in plan.flows]
        receivers = map(_receiver, {flow.destination for flow in plan.flows})
        self._receivers = {receiver.fileno(): receiver for receiver in receivers}
        self._arrived = select.epoll()
        for descriptor in self._receivers:
            self._arrived.register(descriptor, select.EPOLLIN)
        self._sent: list[int] = []  # flows
        self._delays_ns: dict[int, int] = {}

    def send(self, count: int) -> None:
        """Send a datagram of each of the next so many flows."""
        for number in range(len(self._sent), len(self._sent) + count):
            flow = number % len(self._headers)
            now_ns = time.clock_gettime_ns(time.CLOCK_REALTIME)
            self._senders[flow].send(self._headers[flow] + _PAYLOAD.pack(number, now_ns))
            self._sent.append(flow)

    def receive(self) -> None:
        """Take what has arrived."""
        for descriptor, _ in self._arrived.poll(0):
            with contextlib.suppress(BlockingIOError):
                while True:
                    payload, notes, _, _ = self._receivers[descriptor].recvmsg(_READ_BYTES, _READ_BYTES)
                    number, sent_ns = _PAYLOAD.unpack(payload)
                    seconds, nanoseconds = _STAMP.unpack(notes[0][2])
                    self._delays_ns[number] = seconds * 10**9 + nanoseconds - sent_ns

    @property
    def complete(self) -> bool:
        """Whether all that was sent has arrived."""
        return len(self._delays_ns) == len(self._sent)

    def rows(self) -> bytes:
        """Every datagram, a `ROW` each, in the order of sending."""
        delays_ns = (self._delays_ns.get(number, math.nan) for number in range(len(self._sent)))
        return b"".join(ROW.pack(flow, delay / 1e9) for flow, delay in zip(self._sent, delays_ns, strict=True))


def run(plan: Plan, commands: IO[bytes]) -> bytes:
    """Send a plan's datagrams from the next line of a stream on until it ends; every datagram is a `ROW`."""
    probe = Probe(plan)
    commands.readline()
    rng = random.Random(plan.seed)
    at_once = max(1, round(plan.datagrams_per_s / _WAKE_UPS_PER_S))
    ending = select.poll()
    ending.register(commands, select.POLLIN)
    next_s = time.monotonic()
    while True:
        next_s += rng.expovariate(plan.datagrams_per_s / at_once)
        if ending.poll(max(0.0, next_s - time.monotonic()) * 1000):  # what is late is made up for
            break
        probe.receive()
        probe.send(at_once)
    deadline = time.monotonic() + _LATE_S
    while not probe.complete and time.monotonic() < deadline:
        time.sleep(0.01)
        probe.receive()
    return probe.rows()


def _sender(port: Port) -> socket.socket:
    """Sends frames to a host's link at once, past the queue of its interface (packet(7), PACKET_QDISC_BYPASS)."""
    with isolation.process_network(port.pid):
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sender.bind((port.interface, 0))
    sender.setsockopt(_SOL_PACKET, _PACKET_QDISC_BYPASS, 1)
    return sender


def _receiver(port: Port) -> socket.socket:
    """Receives datagrams with the time of their arrival (socket(7), SO_TIMESTAMPNS)."""
    with isolation.process_network(port.pid):
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.setblocking(False)
    receiver.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    receiver.bind((port.ip, PORT))
    return receiver


def _main() -> int:
    plan = Plan.from_json(sys.stdin.buffer.readline().decode())
    with contextlib.suppress(OSError):  # where a container may not: then the program may be late to send
        most = os.sched_get_priority_max(os.SCHED_FIFO)
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(most))
    sys.stdout.buffer.write(run(plan, sys.stdin.buffer))
    return 0


if __name__ == "__main__":
    sys.exit(_main())
