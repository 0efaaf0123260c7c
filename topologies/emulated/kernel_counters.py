"""Running totals that the kernel keeps of switches, links and processes, as its tools and files print them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any


def frames_received(links: Sequence[Mapping[str, Any]]) -> int:
    """Frames that arrived at the ports of all switches, from `ip -j -s link show`.

    One that crosses three switches arrives three times.
    """
    return sum(int(link["stats64"]["rx"]["packets"]) for link in links if link["ifname"] != "lo")


def receive_queues(listing: str) -> tuple[int, dict[str, int]]:
    """Bytes waiting in the switches' packet sockets, and by descriptor the packets that each socket dropped.

    From `ss --packet --memory --processes`.
    """
    pattern = r"ovs-vswitchd\",pid=\d+,fd=(\d+)\).*?skmem:\(r(\d+),[^)]*?d(\d+)\)"
    sockets = re.findall(pattern, listing.replace("\n\t", " "))
    return sum(int(waiting) for _, waiting, _ in sockets), {fd: int(lost) for fd, _, lost in sockets}


def queues(qdiscs: Sequence[Mapping[str, Any]]) -> tuple[int, int, int]:
    """Bytes sent, bytes waiting and packets dropped in the links' FIFOs, from `tc -j -s qdisc show`."""
    links = [qdisc for qdisc in qdiscs if qdisc["kind"] == "bfifo"]
    sent, waiting, dropped = (sum(int(qdisc[name]) for qdisc in links) for name in ("bytes", "backlog", "drops"))
    return sent, waiting, dropped


def tcp_counters(snmp: str) -> dict[str, int]:
    """The Tcp line of /proc/net/snmp by name."""
    names, values = (line.split()[1:] for line in snmp.splitlines() if line.startswith("Tcp:"))
    return {name: int(value) for name, value in zip(names, values, strict=True)}
