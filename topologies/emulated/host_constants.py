"""TCP's constants on a host: set on its interface, its route and in its namespace, and read back from there."""

from __future__ import annotations

import json
from dataclasses import replace
from ipaddress import IPv4Interface

from topologies.constants import UNSCALED, Constants
from topologies.emulated import host_settings, programs

_RTO_MAX = "net.ipv4.tcp_rto_max_ms"  # Linux 6.15


def obtainable(constants: Constants) -> Constants:
    """The same, as near as this kernel can have them: times in whole milliseconds, and as they are if it must be."""
    rto_max_s = constants.rto_max_s if rto_max_settable() else UNSCALED.rto_max_s
    return replace(constants, rto_min_s=round(constants.rto_min_s, 3), rto_max_s=round(rto_max_s, 3))


def rto_max_settable() -> bool:
    """Whether this kernel can wait less than two minutes between two retransmissions."""
    return host_settings.exists(_RTO_MAX)


def commands(constants: Constants, device: str, address: IPv4Interface) -> tuple[str, ...]:
    """Lines for `ip -batch`, on a host that has its address."""
    route = f"{address.network} dev {device} proto kernel scope link src {address.ip}"
    return (
        f"link set dev {device} gso_max_size {constants.super_frame_bytes}",
        f"route replace {route} rto_min {round(constants.rto_min_s * 1e3)}ms",
    )


def settings(constants: Constants) -> dict[str, str]:
    """Sysctls of a host's namespace."""
    return {_RTO_MAX: str(round(constants.rto_max_s * 1e3))} if rto_max_settable() else {}


def read_back(device: str, planned: Constants) -> Constants:
    """What the calling thread's network namespace has; queues are the switches' and are taken as planned."""
    (link,) = json.loads(programs.run(["ip", "-j", "-d", "link", "show", "dev", device]))
    (route,) = json.loads(programs.run(["ip", "-j", "route", "show", "dev", device]))
    metrics = {name: value for each in route.get("metrics", []) for name, value in each.items()}
    return replace(
        planned,
        super_frame_bytes=int(link["gso_max_size"]),
        rto_min_s=metrics["rto_min"] / 1e3 if "rto_min" in metrics else UNSCALED.rto_min_s,
        rto_max_s=int(host_settings.read(_RTO_MAX)) / 1e3 if rto_max_settable() else UNSCALED.rto_max_s,
    )
