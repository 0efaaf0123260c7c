"""What a container, or a node, uses."""

from __future__ import annotations

from dataclasses import dataclass

from workloads.protocol import UsageRow


@dataclass
class Usage:
    """Running totals, and the memory held now.

    Attributes:
        memory_bytes: Memory held, by the model; a container holds what it has asked for as long as it is there.
        cpu_s: CPU seconds of the model, on the wall.
        disk_bytes: Bytes from and to the modelled disk.
        sent_bytes: Payload sent over the network; what stays on the node is not counted.
        received_bytes: Payload received over the network.
    """

    memory_bytes: int = 0
    cpu_s: float = 0.0
    disk_bytes: float = 0.0
    sent_bytes: int = 0
    received_bytes: int = 0

    def row(self, job: str | None, container: int | None) -> UsageRow:
        """For the coordinator."""
        return UsageRow(
            job, container, self.memory_bytes, self.cpu_s, self.disk_bytes, self.sent_bytes, self.received_bytes
        )
