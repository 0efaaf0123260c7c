"""What coordinating takes of the agents, whoever carries the messages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from workloads.errors import WorkloadError
from workloads.protocol import BlockWrite, ToAgent
from workloads.scale import Scale
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
        scale: The divisors.
        sizes: Modelled bytes of every block that is stored; grows.
        clock: Wall seconds since the run's start.
        started_at: Monotonic time of the run's start.
    """

    send: Callable[[str, ToAgent], None]
    racks: Mapping[str, int]
    dead: set[str]
    scale: Scale
    sizes: dict[BlockKey, int]
    clock: Callable[[], float]
    started_at: float

    def order(self, block: BlockKey, size: int, writer: str, replicas: Sequence[str]) -> BlockWrite:
        """What a host is to write of a block, whose size is known from now on: its own replica, if it is to have one,
        and those of the others.
        """
        self.sizes[block] = size
        others = tuple(host for host in replicas if host != writer)
        return BlockWrite(block.file, block.index, self.scale.block_wire_bytes(size), others, writer in replicas)
