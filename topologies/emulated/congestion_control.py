"""TCP congestion control of the machine: which algorithms its kernel has, and loading those that are modules."""

from __future__ import annotations

from collections.abc import Sequence

from topologies.emulated import host_settings, programs

_AVAILABLE = "net.ipv4.tcp_available_congestion_control"


def available() -> tuple[str, ...]:
    """Algorithms of the calling thread's network namespace, which are those that are built in or loaded."""
    return tuple(host_settings.read(_AVAILABLE).split())


def obtainable(name: str) -> bool:
    """Whether an algorithm is there or its module can be loaded."""
    return name in available() or programs.succeeds(_modprobe(name, "--dry-run"))


def load(name: str) -> bool:
    """Have an algorithm there, by its module where it takes one; returns whether it is."""
    return name in available() or (programs.succeeds(_modprobe(name)) and name in available())


def _modprobe(name: str, *options: str) -> Sequence[str]:
    return ["modprobe", "--quiet", *options, f"tcp_{name}"]
