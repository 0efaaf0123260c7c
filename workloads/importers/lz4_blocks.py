"""The stream of blocks that Spark writes as LZ4: lz4-java's LZ4BlockOutputStream, which the program lz4 cannot read.

A block is `LZ4Block`, a byte whose upper half says how it is packed, the lengths of what is packed and of what it
unpacks to, a checksum of the latter, and the packed bytes; numbers are of 32 bits, the lowest byte first. A block of
nothing ends the stream. https://github.com/lz4/lz4-java has its source.
"""

from __future__ import annotations

import struct
from typing import Final

import lz4.block
import xxhash

from workloads.importers.trace import TraceError

MAGIC: Final = b"LZ4Block"
_HEADER: Final = struct.Struct("<8sBIII")
_RAW, _PACKED = 0x10, 0x20
_LARGEST: Final = 2**25
_SEED: Final = 0x9747B28C
_CHECKSUM_BITS: Final = 0x0FFFFFFF


class BlockError(TraceError):
    """A block that is none, or not what was packed."""


class BlockDecompressor:
    """Unpacks one stream, piece by piece, as decompressors of the standard library do."""

    def __init__(self) -> None:
        self._held = bytearray()
        self.eof = False

    @property
    def unused_data(self) -> bytes:
        """What came after the end of the stream."""
        return bytes(self._held) if self.eof else b""

    def decompress(self, data: bytes, /) -> bytes:
        """What can be unpacked with some more bytes.

        Raises:
            BlockError: the stream is damaged.
        """
        self._held += data
        found = []
        while not self.eof and (block := self._next()) is not None:
            found.append(block)
            self.eof = not block
        return b"".join(found)

    def _next(self) -> bytes | None:
        """The next block; None when it is not all there."""
        if len(self._held) < _HEADER.size:
            return None
        magic, token, packed, size, checksum = _HEADER.unpack_from(self._held)
        if magic != MAGIC or packed > _LARGEST or size > _LARGEST:
            raise BlockError("no block where one begins")
        end = _HEADER.size + packed
        if len(self._held) < end:
            return None
        block = _unpacked(token & 0xF0, bytes(self._held[_HEADER.size : end]), size)
        if block and xxhash.xxh32_intdigest(block, seed=_SEED) & _CHECKSUM_BITS != checksum:
            raise BlockError("a block with another checksum than its own")
        del self._held[:end]
        return block


def _unpacked(method: int, packed: bytes, size: int) -> bytes:
    if method == _PACKED:
        try:
            return bytes(lz4.block.decompress(packed, uncompressed_size=size))
        except lz4.block.LZ4BlockError as error:
            raise BlockError(str(error)) from error
    if method != _RAW or len(packed) != size:
        raise BlockError("a block that is packed in an unknown way")
    return packed
