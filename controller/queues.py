"""Packets that the kernel's queues in front of the switch ports have dropped.

A switch does not see these: the shaping queue of an interface drops what it was handed before the interface counts it.
They are read from the kernel, in the controller's own network namespace, which is that of the switches.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from collections.abc import Iterator

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr
_TRAFFIC_CONTROL = struct.Struct("=BxxxiIII")  # struct tcmsg
_ATTRIBUTE = struct.Struct("=HH")  # struct rtattr
_ROOT = 0xFFFFFFFF
_DONE, _ERROR, _NEW_QDISC, _GET_QDISC = 3, 2, 36, 38
_REQUEST_DUMP = 0x1 | 0x300
_STATISTICS, _QUEUE_STATISTICS = 7, 3  # TCA_STATS2, TCA_STATS_QUEUE
_DROPS_OFFSET = 8


def queue_drops() -> dict[str, int]:
    """Packets dropped by the root queue of every interface that has one, by interface name.

    Raises:
        OSError: the kernel refused.
    """
    drops: dict[str, int] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as kernel:
        kernel.bind((0, 0))
        body = _TRAFFIC_CONTROL.pack(0, 0, 0, 0, 0)
        kernel.send(_HEADER.pack(_HEADER.size + len(body), _GET_QDISC, _REQUEST_DUMP, 1, 0) + body)
        while True:
            for kind, message in _messages(kernel.recv(1 << 18)):
                if kind == _DONE:
                    return drops
                if kind == _ERROR:
                    raise OSError(-struct.unpack_from("=i", message)[0], "netlink")
                if kind == _NEW_QDISC:
                    _, interface, _, parent, _ = _TRAFFIC_CONTROL.unpack_from(message)
                    if parent == _ROOT:
                        with contextlib.suppress(OSError):  # the interface may have gone since
                            drops[socket.if_indextoname(interface)] = _drops(message[_TRAFFIC_CONTROL.size :])


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _HEADER.size:
        length, kind, _, _, _ = _HEADER.unpack_from(data)
        yield kind, data[_HEADER.size : length]
        data = data[(length + 3) & ~3 :]


def _drops(attributes: bytes) -> int:
    for kind, value in _attributes(attributes):
        if kind == _STATISTICS:
            for inner, queue in _attributes(value):
                if inner == _QUEUE_STATISTICS:
                    return int.from_bytes(queue[_DROPS_OFFSET : _DROPS_OFFSET + 4], sys.byteorder)
    return 0


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if length < _ATTRIBUTE.size:
            return
        yield kind & 0x3FFF, data[_ATTRIBUTE.size : length]
        data = data[(length + 3) & ~3 :]
