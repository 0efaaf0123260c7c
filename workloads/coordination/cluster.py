"""What coordinating takes of the agents, whoever carries the messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from workloads.errors import WorkloadError
from workloads.protocol import ToAgent
from workloads.splits import BlockKey


class AgentError(WorkloadError):
    """The agents cannot do what they are asked; the message says which host and why."""


@dataclass(frozen=True)
class Cluster:
    """All agents.

    Attributes:
        send: Sends a control message to a host's agent.
        racks: Rack of each host; empty when unknown.
        dead: Hosts whose agents have died; grows.
        sizes: Modelled bytes of every block that is stored; grows.
        clock: Wall seconds since the run's start.
        started_at: Monotonic time of the run's start.
    """

    send: Callable[[str, ToAgent], None]
    racks: Mapping[str, int]
    dead: set[str]
    sizes: dict[BlockKey, int]
    clock: Callable[[], float]
    started_at: float
