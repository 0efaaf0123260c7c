"""What takes its own time in a network: TCP's timers and bursts, and the switches' queues.

On the modelled cluster they are Linux's and the switches'. A scaled network has another clock: at a rate divisor of 8
and a volume divisor of 512 a second on the wall is 64 modelled ones, and a timer of 200 ms would be one of 13 seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

_KIB = 1024
_LEAST_QUEUE_BYTES = 48 * _KIB  # thirty-two full frames; with half of them more connections starve on full links
_LEAST_SUPER_FRAME_BYTES = 8 * _KIB  # so that three and more of them find room in a queue
_LEAST_RTO_S = 0.01  # no kernel's clock ticks more slowly
_LEAST_RTO_MAX_S = 1.0  # of the kernel


@dataclass(frozen=True, slots=True)
class Constants:
    """Constants of one emulated network, in wall seconds and bytes on the wire.

    Attributes:
        queue_bytes: Drop-tail queue of every switch port.
        short_packets_first: Whether packets of less than 256 bytes wait for none that are longer.
        super_frame_bytes: The most that a host hands to its interface at once, to be cut into frames on the way.
        rto_min_s: Least retransmission time-out (RFC 6298); Linux acknowledges within it, too.
        rto_max_s: Longest time between two retransmissions of a segment.
    """

    queue_bytes: int = 72 * _KIB  # a full super-frame, which the kernel counts as 45 frames, and a little
    short_packets_first: bool = False
    super_frame_bytes: int = 64 * _KIB
    rto_min_s: float = 0.2
    rto_max_s: float = 120.0

    def scaled(self, rate_divisor: float, volume_divisor: float) -> Constants:
        """What comes nearest to these on a network whose rates and volumes are divided.

        A time `t` becomes `t * rate_divisor / volume_divisor`; a queue that takes a time to empty at a link's rate, a
        `volume_divisor`-th of its bytes. Neither goes below what frames, the kernel's clock and its limits allow, nor
        above what it is. Where a queue had to be shorter, acknowledgements and small messages pass what waits in it.
        """
        pace = min(1.0, rate_divisor / volume_divisor)
        queue_bytes = round(self.queue_bytes / volume_divisor)
        return Constants(
            min(self.queue_bytes, max(_LEAST_QUEUE_BYTES, queue_bytes)),
            self.short_packets_first or queue_bytes < _LEAST_QUEUE_BYTES,
            min(self.super_frame_bytes, max(_LEAST_SUPER_FRAME_BYTES, round(self.super_frame_bytes / volume_divisor))),
            max(_LEAST_RTO_S, self.rto_min_s * pace),
            max(_LEAST_RTO_MAX_S, self.rto_max_s * pace),
        )

    def full_queue_s(self, capacity_mbps: float) -> float:
        """How long a switch port of this rate takes to send all that its queue holds."""
        return self.queue_bytes * 8 / (capacity_mbps * 1e6)

    def longest_wait_s(self, capacity_mbps: float) -> float:
        """For how long a full switch port of this rate holds a small packet up.

        Where short packets go first not at all: they have a share of the rate to themselves, for which they need not
        wait until the packet before them has been paid for. Else the whole queue and a super-frame that is being sent.
        """
        if self.short_packets_first:
            return 0.0
        return (self.queue_bytes + self.super_frame_bytes) * 8 / (capacity_mbps * 1e6)


UNSCALED = Constants()
"""Those of Linux, and the smallest queue that takes a full super-frame."""
