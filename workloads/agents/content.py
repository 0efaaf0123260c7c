"""Bytes that look random, cost no disk and can be checked anywhere.

Everything that is moved is a cyclic slice of one pseudo-random pool that every agent of a run generates from the run's
seed. Where a slice starts is derived from the name of what it stands for (a block, a shuffle partition), so both ends
know the content of a block from its name alone.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import xxhash

POOL_BYTES = 2 * 2**20
_STARTS = 1024  # distinct starts; few enough that digests of whole blocks are worth remembering
_REMEMBERED = 16384


class Content:
    """The pool of one seed."""

    def __init__(self, seed: int) -> None:
        self._pool = memoryview(random.Random(seed).randbytes(POOL_BYTES))
        self._digests: dict[tuple[int, int], int] = {}

    def start_of(self, name: str) -> int:
        """Offset in the pool where the content of `name` starts."""
        return xxhash.xxh3_64_intdigest(name.encode()) % _STARTS * (POOL_BYTES // _STARTS)

    def view(self, position: int, limit: int) -> memoryview:
        """Up to `limit` bytes at a position of the endless repetition of the pool; fewer where the pool ends."""
        position %= POOL_BYTES
        return self._pool[position : position + limit]

    def views(self, start: int, size: int) -> Iterator[memoryview]:
        """The whole content from `start`, in pieces that need no copy."""
        position, end = start, start + size
        while position < end:
            view = self.view(position, end - position)
            yield view
            position += len(view)

    def checksum(self, name: str, size: int) -> int:
        """Reads all bytes of `name` and returns their xxh3_64 digest."""
        digest = xxhash.xxh3_64()
        for view in self.views(self.start_of(name), size):
            digest.update(view)
        return digest.intdigest()

    def expected(self, name: str, size: int) -> int:
        """The digest that `name` must have; remembered, as few distinct contents of one size exist."""
        key = (self.start_of(name), size)
        known = self._digests.get(key)
        if known is None:
            if len(self._digests) >= _REMEMBERED:
                self._digests.clear()
            known = self._digests[key] = self.checksum(name, size)
        return known


def block_name(file: str, index: int, altered: bool = False) -> str:
    """The name under which the content of a block is generated, as it was written or as it was altered."""
    return f"{'altered ' * altered}block {file} {index}"
