"""Opening connections from ports that follow from what they are for.

Switches hash addresses and ports to choose among parallel paths. A kernel's own choice of ports would give every run
other paths; these are the same in all runs with one seed, wherever a connection has the same two ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

import xxhash

from workloads.agents.connection import Connection, PortTakenError, TransferError

_FIRST_PORT = 16_384
_PORTS = 49_152
_TRIES = 64


class Dialer:
    """Opens all connections of one agent.

    Args:
        ip: Address to connect from.
        deadline_s: Of socket waits.
        seed: Of the ports.
    """

    def __init__(self, ip: str, deadline_s: float, seed: int) -> None:
        self._ip = ip
        self._deadline_s = deadline_s
        self._seed = seed
        self._opened: Counter[tuple[str, tuple[str, int]]] = Counter()

    async def open(self, address: tuple[str, int], purpose: str) -> Connection:
        """Connects; of connections for the same purpose to the same address, each has ports of its own.

        Raises:
            TransferError: refused, unreachable, no answer within the deadline, or no port is free.
        """
        number = self._opened[purpose, address]
        self._opened[purpose, address] += 1
        for port in islice(source_ports(self._seed, f"{purpose} {number}"), _TRIES):
            try:
                return await Connection.open((self._ip, port), address, self._deadline_s)
            except PortTakenError:
                continue
        raise TransferError(f"connecting to {address[0]}: no port is free")


def source_ports(seed: int, purpose: str) -> Iterator[int]:
    """Ports to try, one after the other, without end: above those of services, evenly drawn."""
    attempt = 0
    while True:
        yield _FIRST_PORT + xxhash.xxh3_64_intdigest(f"{seed} {purpose} {attempt}".encode()) % _PORTS
        attempt += 1
