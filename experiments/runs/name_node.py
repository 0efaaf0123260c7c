"""What a name node does in one run: it has the strategy place files, and keeps who did what to which, and when."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

import xxhash

from experiments.records.file_operations import FileOperation
from experiments.specification.files import Operation
from placement import BlockId, BlockMap, ClusterView, File, PlacementError, Placer
from workloads.coordination.cluster import AgentError
from workloads.coordination.progress import JobFailure
from workloads.coordination.results import ResultBlock, ResultFile

_CHECKSUM = struct.Struct("!Q")


class Observer(Protocol):
    """Is told of what is done to files."""

    def changing(self, name: str) -> None:
        """A file is about to be written anew."""

    def done(self, one: FileOperation) -> None:
        """Something was done to a file; one that is deleted is still there."""

    async def settled(self, names: Iterable[str]) -> None:
        """Wait for what follows from what was done to files.

        Raises:
            AgentError: that cannot be done.
        """


class NameNode:
    """The files of one run: results of jobs, and what clients do. Times are wall seconds since the run's start.

    Args:
        placer: the strategy at work.
        block_bytes: modelled size of blocks.
        replication: of what clients write.

    Attributes:
        operations: all that was done, in the order in which it was complete.
        observer: is told of it; None for nobody.
    """

    def __init__(self, placer: Placer, block_bytes: int, replication: int) -> None:
        self._placer = placer
        self._block_bytes = block_bytes
        self._replication = replication
        self._writing: dict[str, ResultFile] = {}
        self._results: dict[str, list[str]] = {}  # complete ones, by job
        self._checksums: dict[str, str | None] = {}
        self._versions = Counter[str]()
        self.operations: list[FileOperation] = []
        self.observer: Observer | None = None

    @property
    def view(self) -> ClusterView:
        """The cluster as it is now."""
        return self._placer.state.view()

    def know_dead(self, dead: Collection[str]) -> None:
        """These hosts have died, if that was not known."""
        state = self._placer.state
        for host in sorted(set(dead) - state.view().dead):
            state.node_dies(host)

    # -- results of jobs -----------------------------------------------------------------------------------------

    def create(self, file: ResultFile, dead: Collection[str]) -> Sequence[ResultBlock]:
        """Place the blocks of a result, as inputs are placed; with fewer replicas where too few nodes are alive.

        Raises:
            JobFailure: they do not fit, or the strategy does not decide.
        """
        self.know_dead(dead)
        try:
            placed, sizes = self.place(file.name, file.bytes, file.writer, file.replication)
        except PlacementError as error:
            raise JobFailure(str(error)) from error
        except Exception as error:  # a strategy of one's own can raise anything
            raise JobFailure(f"file {file.name}: the strategy cannot place it: {error!r}") from error
        self._writing[file.name] = file
        return [ResultBlock(block, sizes[block], replicas) for block, replicas in placed.items()]

    def complete(self, file: str, start_s: float, time_s: float, digests: Sequence[int | None]) -> None:
        """Keep that a result has been written."""
        asked = self._writing.pop(file)
        self._results.setdefault(asked.job, []).append(file)
        self.has_written("create", file, asked.job, asked.writer, start_s, time_s, digests)

    def discard(self, job: str, time_s: float) -> None:
        """Delete what an attempt of a job has written that has failed."""
        for file in [name for name, asked in self._writing.items() if asked.job == job]:
            del self._writing[file]
            self._placer.state.delete(file)
        for file in self._results.pop(job, ()):
            self.delete(file, job, time_s)

    async def settled(self, job: str) -> None:
        """Wait for what follows from the results of a job.

        Raises:
            JobFailure: that cannot be done.
        """
        if self.observer is not None:
            try:
                await self.observer.settled(self._results.get(job, ()))
            except AgentError as error:
                raise JobFailure(str(error)) from error

    # -- clients -------------------------------------------------------------------------------------------------

    def place(
        self, file: str, size: int, writer: str, replication: int | None = None
    ) -> tuple[BlockMap, Mapping[BlockId, int]]:
        """Nodes and sizes of the blocks of a file that a job or a client on a node is about to write.

        Raises:
            PlacementError: they do not fit, or there is such a file.
        """
        wanted = min(replication or self._replication, len(self.view.alive))
        self._versions[file] += 1
        version = self._versions[file]
        named = file if version == 1 else f"{file}#{version}"  # other content than that of the versions before
        stored = File(file, size, wanted, self._block_bytes, writer, named)
        placed = self._placer.store(stored)
        return placed, {block: stored.block_size(block.index) for block in stored.blocks}

    def has_written(
        self,
        operation: Operation,
        file: str,
        user: str,
        host: str,
        start_s: float,
        time_s: float,
        digests: Sequence[int | None],
    ) -> None:
        """Keep that a file has been written; its checksum is that of the checksums of its blocks."""
        known = [_CHECKSUM.pack(digest) for digest in digests if digest is not None]
        self._checksums[file] = xxhash.xxh3_64_hexdigest(b"".join(known)) if len(known) == len(digests) else None
        self._keep(operation, file, user, host, start_s, time_s)

    def has_read(self, file: str, user: str, host: str, start_s: float, time_s: float) -> None:
        """Keep that a client on a host has read all of a file."""
        self._keep("read", file, user, host, start_s, time_s)

    def rename(self, file: str, to: str, user: str, time_s: float) -> None:
        """Give a file another name.

        Raises:
            PlacementError: there is no such file, or one of that name.
        """
        self._placer.state.rename(file, to)
        self._checksums[to] = self._checksums.pop(file, None)
        self._keep("rename", to, user, None, time_s, time_s, was=file)

    def delete(self, file: str, user: str, time_s: float) -> BlockMap:
        """Remove a file; the blocks that nobody needs now.

        Raises:
            PlacementError: there is no such file.
        """
        self._keep("delete", file, user, None, time_s, time_s)
        return self.forget(file)

    def forget(self, file: str) -> BlockMap:
        """Remove a file that will be written anew; the blocks that nobody needs now.

        Raises:
            PlacementError: there is no such file.
        """
        blocks = self.blocks(file)
        if self.observer is not None:
            self.observer.changing(file)
        self._placer.state.delete(file)
        self._checksums.pop(file, None)
        return blocks

    def blocks(self, file: str) -> BlockMap:
        """The live replicas of a file's blocks.

        Raises:
            PlacementError: there is no such file.
        """
        return self.view.blocks_of([file])

    def _keep(
        self, operation: Operation, file: str, user: str, host: str | None, start_s: float, time_s: float, was: str = ""
    ) -> None:
        view = self.view
        where, size = tuple(view.stored[file].values()), view.files[file].size_bytes
        checksum = self._checksums.get(file)
        done = FileOperation(time_s, start_s, operation, file, was or None, user, host, size, checksum, where)
        self.operations.append(done)
        if self.observer is not None:
            self.observer.done(done)
