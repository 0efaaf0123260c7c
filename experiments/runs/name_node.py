"""What a name node does in one run: it has the strategy place files, and keeps who wrote which, and when."""

from __future__ import annotations

import struct
from collections.abc import Collection, Sequence

import xxhash

from experiments.records.file_operations import FileOperation
from placement import File, PlacementError, Placer
from workloads.coordination.progress import JobFailure
from workloads.coordination.results import ResultBlock, ResultFile

_CHECKSUM = struct.Struct("!Q")


class NameNode:
    """The files of one run.

    Args:
        placer: the strategy at work.
        block_bytes: modelled size of the blocks of results.
    """

    def __init__(self, placer: Placer, block_bytes: int) -> None:
        self._placer = placer
        self._block_bytes = block_bytes
        self._writing: dict[str, ResultFile] = {}
        self._written: dict[str, FileOperation] = {}
        self.operations: list[FileOperation] = []

    def create(self, file: ResultFile, dead: Collection[str]) -> Sequence[ResultBlock]:
        """Place the blocks of a result, as inputs are placed; with fewer replicas where too few nodes are alive.

        Raises:
            JobFailure: they do not fit, or the strategy does not decide.
        """
        self.know_dead(dead)
        most = len(self._placer.state.view().alive)
        stored = File(file.name, file.bytes, min(file.replication, most), self._block_bytes, file.writer)
        try:
            placed = self._placer.store(stored)
        except PlacementError as error:
            raise JobFailure(str(error)) from error
        except Exception as error:  # a strategy of one's own can raise anything
            raise JobFailure(f"file {file.name}: the strategy cannot place it: {error!r}") from error
        self._writing[file.name] = file
        return [ResultBlock(block, stored.block_size(block.index), placed[block]) for block in stored.blocks]

    def know_dead(self, dead: Collection[str]) -> None:
        """These hosts have died, if that was not known."""
        state = self._placer.state
        for host in sorted(set(dead) - state.view().dead):
            state.node_dies(host)

    def complete(self, file: str, time_s: float, digests: Sequence[int | None]) -> None:
        """Keep that a file has been written; its checksum is that of the checksums of its blocks."""
        known = [_CHECKSUM.pack(digest) for digest in digests if digest is not None]
        checksum = xxhash.xxh3_64_hexdigest(b"".join(known)) if len(known) == len(digests) else None
        asked, placed = self._writing.pop(file), self._placer.state.view().stored[file]
        made = FileOperation(
            time_s, "create", file, asked.job, asked.writer, asked.bytes, checksum, tuple(placed.values())
        )
        self._written[file] = made
        self.operations.append(made)

    def discard(self, job: str, time_s: float) -> None:
        """Delete what an attempt of a job has written that has failed, at this time."""
        for file in [name for name, asked in self._writing.items() if asked.job == job]:
            del self._writing[file]
            self._placer.state.delete(file)
        for file in [name for name, made in self._written.items() if made.job == job]:
            made = self._written.pop(file)
            self._placer.state.delete(file)
            self.operations.append(
                FileOperation(time_s, "delete", file, job, None, made.bytes, made.checksum, made.blocks)
            )
