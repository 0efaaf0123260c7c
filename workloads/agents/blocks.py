"""The agents' side of the block store: serving, reading and writing blocks, paced by the node's modelled disk.

One connection per block, as HDFS does it. A reader knows from a block's name what its checksum has to be. A replica can
be altered together with its checksum, which readers do not notice: that takes a hash that is kept elsewhere.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import xxhash

from workloads.agents.connection import Connection, TransferError
from workloads.agents.content import Content, block_name
from workloads.agents.dialing import Dialer
from workloads.agents.usage import Usage
from workloads.agents.wire import send_header
from workloads.node_model import SharedResource
from workloads.protocol import BlockHash, BlockWrite, WriteReport

_REPLY = struct.Struct("!q?")  # size, or _UNKNOWN; whether it was altered
_DIGEST = struct.Struct("!Q")
_UNKNOWN = -1
_CHUNKS = 16
_LEAST_CHUNK_BYTES = 32 * 1024


def chunk_bytes(size: int) -> int:
    """In which steps a block of `size` wire bytes goes from disk to network, or back.

    Sixteenths, so that both work at the same time at every volume divisor, but not so small that overhead counts.
    """
    return max(_LEAST_CHUNK_BYTES, -(-size // _CHUNKS))


@dataclass(frozen=True)
class Peer:
    """Where an agent listens."""

    ip: str
    port: int


class BlockStore:
    """The blocks of one node.

    Args:
        content: What blocks consist of.
        disk: The node's disk.
        peers: Where the other agents listen.
        dialer: Opens connections.
        usage: Counts what crosses the network.
    """

    def __init__(
        self,
        content: Content,
        disk: SharedResource,
        peers: Mapping[str, Peer],
        dialer: Dialer,
        usage: Usage,
    ) -> None:
        self._content = content
        self._disk = disk
        self._peers = peers
        self._dialer = dialer
        self._sizes: dict[tuple[str, int], int] = {}
        self._altered: set[tuple[str, int]] = set()
        self._usage = usage

    def put(self, file: str, index: int, size: int) -> None:
        """Places a block without moving it."""
        self._sizes[file, index] = size
        self._altered.discard((file, index))

    def drop(self, file: str, index: int) -> None:
        """Forgets a block, if it is here."""
        self._sizes.pop((file, index), None)
        self._altered.discard((file, index))

    def alter(self, file: str, index: int) -> None:
        """Makes this node's replica of a block another one, with the checksum of that."""
        self._altered.add((file, index))

    def digest(self, file: str, index: int, size: int) -> int:
        """The checksum of what this node has of a block.

        Raises:
            TransferError: no such block, or it has another size.
        """
        self._require(file, index, size)
        return self._content.expected(block_name(file, index, (file, index) in self._altered), size)

    async def read_local(self, file: str, index: int, size: int, since: float | None = None) -> float:
        """Reads a block from this node's disk; returns when the disk was due to have it read.

        `since` is when this should have begun, had the caller not been late.

        Nothing is copied, so there is no checksum to be wrong.

        Raises:
            TransferError: no such block, or it has another size.
        """
        self._require(file, index, size)
        return await self._disk.use(size, since)

    def _require(self, file: str, index: int, size: int) -> None:
        stored = self._sizes.get((file, index))
        if stored != size:
            what = "not on this node" if stored is None else f"{stored} bytes on this node, {size} expected"
            raise TransferError(f"block {index} of {file}: {what}")

    async def hash_local(self, block: BlockHash) -> int:
        """Reads the checksums of a block from this node's disk; returns that of all of it.

        Raises:
            TransferError: no such block, or it has another size.
        """
        digest = self.digest(block.file, block.block, block.bytes)
        if block.disk_bytes:
            await self._disk.use(block.disk_bytes)
        return digest

    async def read_remote(self, file: str, index: int, size: int, host: str) -> tuple[tuple[int, int], int]:
        """Reads a block from another node and checks it; returns the ports of the connection, and the checksum.

        Raises:
            TransferError: the connection failed, or the block is unknown there or has another size or checksum.
        """
        connection = await self._dialer.open(self._address(host), f"read {file} {index}")
        try:
            await send_header(connection, {"op": "read", "file": file, "index": index})
            offered, altered = _REPLY.unpack(await connection.receive_exactly(_REPLY.size))
            if offered != size:
                what = "unknown there" if offered == _UNKNOWN else f"{offered} bytes there, {size} here"
                raise TransferError(f"block {index} of {file} from {host}: {what}")
            digest = xxhash.xxh3_64()
            await connection.receive_payload(size, digest.update)
            self._usage.received_bytes += size
            (sent,) = _DIGEST.unpack(await connection.receive_exactly(_DIGEST.size))
            if not sent == digest.intdigest() == self._content.expected(block_name(file, index, altered), size):
                raise TransferError(f"block {index} of {file} from {host}: checksum differs")
            return connection.ports, sent
        finally:
            connection.close()

    async def serve_read(self, connection: Connection, file: str, index: int) -> None:
        """Sends a block to another node, no faster than the disk gives it."""
        size, altered = self._sizes.get((file, index)), (file, index) in self._altered
        if size is None:
            await connection.send(_REPLY.pack(_UNKNOWN, False))
            return
        await connection.send(_REPLY.pack(size, altered))
        digest = xxhash.xxh3_64()
        start = position = self._content.start_of(block_name(file, index, altered))
        end = start + size
        chunk = chunk_bytes(size)
        from_disk = self._disk.begin(min(chunk, size))
        try:
            while position < end:
                piece = min(chunk, end - position)
                waiting = not from_disk.done()  # else the network has held it up, and the disk has rested
                due = await from_disk
                if end - position > piece:  # the disk reads ahead by one chunk while this one is sent
                    from_disk = self._disk.begin(min(chunk, end - position - piece), due if waiting else None)
                for view in self._content.views(position, piece):
                    digest.update(view)
                    await connection.send(view)
                position += piece
                self._usage.sent_bytes += piece
        finally:
            from_disk.cancel()
        await connection.send(_DIGEST.pack(digest.intdigest()))

    async def write(self, block: BlockWrite) -> WriteReport:
        """Writes a block to this node's disk and through a pipeline to the targets, one after the other.

        Raises:
            TransferError: a replica could not be written.
        """
        clock = asyncio.get_running_loop().time
        started, (file, index, size, targets, here) = clock(), block
        on_disk = self._disk.begin(size) if here else None
        downstream = await self._open_pipeline(file, index, size, targets)
        try:
            digest = xxhash.xxh3_64()
            for view in self._content.views(self._content.start_of(block_name(file, index)), size):
                digest.update(view)
                if downstream is not None:
                    await downstream.send(view)
                    self._usage.sent_bytes += len(view)
            if on_disk is not None:
                await on_disk
            await self._close_pipeline(downstream, digest.intdigest())
            if here:
                self.put(file, index, size)
            ports = (0, 0) if downstream is None else downstream.ports
            return WriteReport(started, clock(), *ports, digest.intdigest())
        finally:
            if on_disk is not None:
                on_disk.cancel()
            if downstream is not None:
                downstream.close()

    async def serve_write(
        self, connection: Connection, file: str, index: int, size: int, targets: Sequence[str]
    ) -> None:
        """Stores a block that comes from another node and passes it on to the rest of the pipeline."""
        downstream = await self._open_pipeline(file, index, size, targets)
        on_disk: asyncio.Future[float] | None = None
        try:
            digest = xxhash.xxh3_64()
            position = self._content.start_of(block_name(file, index))
            end, chunk = position + size, chunk_bytes(size)
            while position < end:
                piece = min(chunk, end - position)
                await connection.receive_payload(piece, digest.update)
                self._usage.received_bytes += piece
                if on_disk is not None:
                    await on_disk
                on_disk = self._disk.begin(piece)
                if downstream is not None:  # the same bytes; they need no copy, the pool has them
                    await downstream.send(*self._content.views(position, piece))
                    self._usage.sent_bytes += piece
                position += piece
            if on_disk is not None:
                await on_disk
            (sent,) = _DIGEST.unpack(await connection.receive_exactly(_DIGEST.size))
            if not sent == digest.intdigest() == self._content.expected(block_name(file, index), size):
                raise TransferError(f"block {index} of {file} for writing: checksum differs")
            await self._close_pipeline(downstream, sent)
            self.put(file, index, size)
            await connection.send(_DIGEST.pack(sent))
        finally:
            if on_disk is not None:
                on_disk.cancel()
            if downstream is not None:
                downstream.close()

    def _address(self, host: str) -> tuple[str, int]:
        peer = self._peers.get(host)
        if peer is None:
            raise TransferError(f"{host}: no such agent")
        return peer.ip, peer.port

    async def _open_pipeline(self, file: str, index: int, size: int, targets: Sequence[str]) -> Connection | None:
        if not targets:
            return None
        connection = await self._dialer.open(self._address(targets[0]), f"write {file} {index}")
        header = {"op": "write", "file": file, "index": index, "size": size, "targets": list(targets[1:])}
        try:
            await send_header(connection, header)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _close_pipeline(self, downstream: Connection | None, digest: int) -> None:
        if downstream is None:
            return
        await downstream.send(_DIGEST.pack(digest))
        if _DIGEST.unpack(await downstream.receive_exactly(_DIGEST.size)) != (digest,):
            raise TransferError("write pipeline: a replica has another checksum")
