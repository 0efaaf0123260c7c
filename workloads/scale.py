"""The two divisors between the modelled cluster and what one machine emulates."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Divides rates (links, disks) and volumes (bytes, CPU seconds) of the modelled cluster.

    A modelled volume `v` at a modelled rate `r` takes `v / r` modelled seconds, and
    `(v / volume_divisor) / (r / rate_divisor)` seconds on the wall.

    Raises:
        ValueError: a divisor is not a finite number of at least 1.
    """

    rate_divisor: float = 1.0
    volume_divisor: float = 1.0

    def __post_init__(self) -> None:
        for name in ("rate_divisor", "volume_divisor"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 1):
                raise ValueError(f"{name} {value}: give a number of at least 1")

    def wall_s(self, modelled_s: float) -> float:
        """Seconds on the wall for a modelled duration."""
        return modelled_s * self.rate_divisor / self.volume_divisor

    def modelled_s(self, wall_s: float) -> float:
        """Modelled seconds for a duration on the wall."""
        return wall_s * self.volume_divisor / self.rate_divisor

    def block_wire_bytes(self, modelled: int) -> int:
        """Of a block that is not empty: at least one."""
        return max(1, self.wire_bytes(modelled))

    def wire_bytes(self, modelled_bytes: float) -> int:
        """Bytes that are really moved for a modelled volume, rounded to the nearest byte."""
        return round(modelled_bytes / self.volume_divisor)

    def modelled_bytes(self, wire_bytes: float) -> float:
        """Modelled bytes for bytes that were moved."""
        return wire_bytes * self.volume_divisor

    def wire_rate(self, modelled_rate: float) -> float:
        """The emulated rate for a modelled one, in the same unit."""
        return modelled_rate / self.rate_divisor
