"""What the northbound API shows: immutable values that the OpenFlow side swaps in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from controller.discovery import Findings, LinkState
from controller.entries import Rules

Status = Literal["discovering", "ready", "degraded"]


@dataclass(frozen=True, slots=True)
class Location:
    """Where a host was last heard: by its own ARP messages."""

    switch: str
    port_no: int
    time_s: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The network as the controller knows it at one moment; `rules` are those that switches have been sent."""

    status: Status
    switches_connected: int
    findings: Findings
    link_states: Mapping[str, LinkState]
    routes_installed: bool
    rules: Mapping[str, Rules] = field(default_factory=dict)
    seen: Mapping[str, Location] = field(default_factory=dict)
    discovery_time_s: float | None = None
