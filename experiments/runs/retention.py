"""Tracked files of one run: what is done to them is hashed and goes to the ledger; what is read of them is proven."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from experiments.errors import ExperimentError
from experiments.records.file_operations import FileOperation
from experiments.records.retention import Retained, StoredFile, file_digest, locations
from experiments.runs.file_access import FileAccess, Replicas
from experiments.runs.resource_manager import Aside
from experiments.runs.tracked_files import TrackedFile, TrackedFiles
from experiments.specification.retention import RetentionSpec
from placement import BlockId, BlockMap
from retention.block_times import block_times
from retention.timeline import Chain, Timeline
from retention.transactions import Kind, Operation, Transaction
from workloads.coordination.cluster import AgentError
from workloads.coordination.events import Event

LOADER = "loader"
"""On whose behalf the input files are there."""
POLICY = "policy"
"""On whose behalf files are tracked for how they are used, and deleted when their time is over."""


class NotProvenError(ExperimentError):
    """The ledger has another file than the one that was to be used; the message names it."""


@dataclass(frozen=True)
class Ledger:
    """The ledger of a run.

    Attributes:
        chain: takes operations.
        aside: calls it, one call after the other.
        seed: of its block times.
        now_s: modelled seconds since the schedule started.
        wait_until_s: waits until a modelled time.
    """

    chain: Chain
    aside: Aside
    seed: int
    now_s: Callable[[], float]
    wait_until_s: Callable[[float], Awaitable[None]]


class Retention(FileAccess):
    """The files of a run, some of them tracked.

    Args:
        access: to all of them.
        wanted: what the specification says.
        ledger: of the run.
        gateway: host that hashes whole files.
    """

    def __init__(self, access: FileAccess, wanted: RetentionSpec, ledger: Ledger, gateway: str) -> None:
        super().__init__(access.names, access.files, access.clock, access.sink)
        self._wanted = wanted
        self._ledger = ledger
        self._gateway = wanted.gateway or gateway
        rng = np.random.default_rng([ledger.seed, 5])
        self._timeline = Timeline(ledger.chain, block_times(wanted.chain.block_s, wanted.chain.intervals, rng))
        self._tracked = TrackedFiles(wanted.annotations, wanted.retain_s)
        self._unconfirmed: dict[Operation, asyncio.Event] = {}
        self._altered: dict[tuple[BlockId, str], None] = {}
        self._checks = 0
        self._restarts = 0
        self._not_kept: list[str] = []
        self.names.observer = self

    # -- what happens to files -----------------------------------------------------------------------------------

    async def loaded(self) -> None:
        """Track those input files that are to be, before the clock starts."""
        view = self.names.view
        files = self._tracked.loaded(view.files)
        first = {block: hosts[:1] for file in files for block, hosts in view.stored[file.name].items()}
        hashed = await self.files.hash(first, None)
        for file in files:
            blocks = view.stored[file.name]
            file.digests = {block: hashed[block, first[block][0]] for block in blocks}
            done = Operation(file.key, "create", file.name, b"", 0, LOADER, locations(blocks.values()))
            await self._ask(file, done, 0.0)

    def changing(self, name: str) -> None:
        """A file is about to be written anew."""
        self._tracked.changing(name)

    def done(self, one: FileOperation) -> None:
        """Something was done to a file."""
        now_s = self._ledger.now_s()
        file = self._tracked.done(one, now_s)
        if file is not None and one.operation != "read":
            self._keep(file, one.operation, one.user)
        for new in self._tracked.due(now_s, [one.file]):
            self._keep(new, "create", one.user)

    def _keep(self, file: TrackedFile, kind: Kind, user: str) -> None:
        """Begin to hand over to the ledger what was done to a file, after what was done to it before."""
        self.names.know_dead(self.files.dead_hosts)
        where = locations(self.names.view.stored[file.name].values())
        done = Operation(file.key, kind, file.name, b"", int(self._ledger.now_s()), user, where)
        work = self._hand_over(file, done, self.names.blocks(file.name), file.keeping)
        file.keeping = asyncio.get_running_loop().create_task(work)
        file.keeping.add_done_callback(lambda task: task.cancelled() or task.exception())  # who waits is told

    async def _hand_over(
        self, file: TrackedFile, done: Operation, blocks: Replicas, before: asyncio.Task[None] | None
    ) -> None:
        if before is not None:
            await asyncio.wait([before])
        try:
            if done.kind == "delete":
                await self.files.drop(blocks)
            elif done.kind != "rename":
                file.digests = await self._hash(blocks)
        except AgentError as error:
            self._not_kept.append(f"{done.kind} {done.uri}: {error}")
            raise
        if file.digests:
            await self._ask(file, done, self._ledger.now_s())

    async def _hash(self, blocks: Replicas) -> dict[BlockId, int]:
        """Checksums of blocks: by those of one replica each, one after the other as HDFS's clients do it, or by reading
        all of them at the gateway, or where one is when that has died.
        """
        if self._wanted.digest == "file":
            holders = [host for hosts in blocks.values() for host in hosts]
            gateway = self._alive([self._gateway, *holders]) or self._gateway
            reports = await self.files.read(gateway, blocks, self.sink)
            return {block: report.checksum for block, report in zip(blocks, reports, strict=True)}
        return {block: await self._hash_one(block, hosts) for block, hosts in blocks.items()}

    async def _hash_one(self, block: BlockId, hosts: Sequence[str]) -> int:
        failed = AgentError(f"block {block.index} of {block.file}: no replica left")
        for host in hosts:
            try:
                return (await self.files.hash({block: [host]}, self.sink))[block, host]
            except AgentError as error:
                failed = error
        raise failed

    async def _ask(self, file: TrackedFile, done: Operation, now_s: float) -> None:
        """Hand what was done to a file over to the ledger, with what follows from it."""
        kind: Kind = done.kind if file.last is not None else "create"
        whole = dataclasses.replace(done, kind=kind, digest=file_digest(file.digests.values()))
        asked = self._wanted.terms.with_index(whole)
        if kind == "create" and self._wanted.retain_s is not None:
            until_s = self._tracked.retained_until_s(file.name)
            asked.append(dataclasses.replace(whole, kind="retain", time_s=until_s))
        file.last = self._unconfirmed[whole] = asyncio.Event()
        self._note(await self._ledger.aside(partial(self._timeline.ask, asked, now_s)))

    def _note(self, confirmed: Iterable[Transaction]) -> None:
        """Let those know who wait for it."""
        for transaction in confirmed:
            if (event := self._unconfirmed.pop(transaction.operation, None)) is not None:
                event.set()
        for _ in range(self._ledger.chain.restarts - self._restarts):
            self.sink(Event(self.clock(), "ledger_restarted"))
        self._restarts = self._ledger.chain.restarts

    async def settled(self, names: Iterable[str]) -> None:
        """Wait until what was done to files is handed over to the ledger, and is confirmed if that is waited for.

        Raises:
            AgentError: a file could not be hashed.
            LedgerError: the ledger does not take it.
        """
        for name in names:
            file = self._tracked.last(name)
            if file is None or file.keeping is None:
                continue
            await asyncio.shield(file.keeping)
            if self._wanted.wait == "confirmed" and file.last is not None:
                await file.last.wait()

    # -- time goes on --------------------------------------------------------------------------------------------

    def background(self) -> list[Coroutine[Any, Any, None]]:
        """Blocks come."""
        return [self._go_on()]

    async def _go_on(self) -> None:
        """Let blocks come, and see after each what is to be tracked or deleted now.

        Raises:
            LedgerError: the ledger has ended for good.
        """
        while True:
            at_s = self._timeline.next_block_s
            await self._ledger.wait_until_s(at_s)
            now_s = max(at_s, self._ledger.now_s())
            self._note(await self._ledger.aside(partial(self._timeline.advance, now_s)))
            for file in self._tracked.due(now_s) if self._wanted.policies else ():
                self._keep(file, "create", POLICY)
            for file in self._tracked.expired(now_s) if self._wanted.expire else ():
                self.names.delete(file.name, POLICY, self.clock())

    async def delete(self, name: str, user: str) -> None:
        """Delete a file, unless it is to be retained: that is refused, which is an event and no error.

        Raises:
            PlacementError, AgentError, LedgerError: see `FileAccess.delete` and `settled`.
        """
        if self._ledger.now_s() < self._tracked.retained_until_s(name):
            self.sink(Event(self.clock(), "deletion_refused", detail=name))
        elif self._tracked.get(name) is not None:
            self.names.delete(name, user, self.clock())
            await self.settled([name])
        else:
            await super().delete(name, user)

    # -- reading -------------------------------------------------------------------------------------------------

    async def read(self, reader: str, name: str) -> None:
        """Have a client on a host read a file and prove what it has read, if that is to be; a block that is not as it
        was kept is read from another replica.

        Raises:
            AgentError: a block has no live replica that is as it should be, or a host is dead, or dies.
            NotProvenError: the ledger has another file.
        """
        wanted = self._unaltered(self.names.blocks(name))
        while wanted:
            reports = await self.files.read(reader, wanted, self.sink)
            read = {block: [report.host] for block, report in zip(wanted, reports, strict=True)}
            altered = await self._prove([name], read, reader)
            wanted = self._unaltered({block: hosts for block, hosts in wanted.items() if block in altered})

    async def proven(self, names: Collection[str], readers: Sequence[str]) -> Replicas:
        """Replicas of files and folders that a job is about to read, without those that have been found altered.

        Raises:
            PlacementError: nothing of a name is stored.
            NotProvenError: the ledger has another file.
        """
        files = [file for name in names for file in self.names.view.files_of(name)]
        for file in files:
            self._tracked.read(file)
        while True:
            blocks = await super().proven(names, readers)
            reader, dead = self._alive(readers), self.files.dead_hosts
            try:
                if reader is not None:  # else the attempt fails anyway
                    await self._prove(files, self._unaltered(blocks), reader)
                return self._unaltered(blocks)
            except AgentError:
                if self.files.dead_hosts == dead:
                    raise
                self.names.know_dead(self.files.dead_hosts)

    def _alive(self, hosts: Iterable[str]) -> str | None:
        return next((host for host in hosts if host not in self.files.dead_hosts), None)

    def _unaltered(self, blocks: Replicas) -> dict[BlockId, Sequence[str]]:
        """Replicas that have not been found altered."""
        return {
            block: tuple(host for host in hosts if (block, host) not in self._altered)
            for block, hosts in blocks.items()
        }

    async def _prove(self, names: Iterable[str], replicas: Replicas, reader: str) -> set[BlockId]:
        """Hold replicas of tracked files against what was kept, and that against the ledger; blocks that differ."""
        if self._wanted.validation == "never":
            return set()
        began_s = self.clock()
        files = await self._kept(names)
        kept = {block: (checksum, file.name) for file in files for block, checksum in file.digests.items()}
        found = await self._checksums({block: replicas[block] for block in replicas if block in kept}, reader)
        altered = [(block, host) for (block, host), checksum in found.items() if checksum != kept[block][0]]
        for block, host in altered:
            self._event(False, f"{kept[block][1]} {block.index}", host, began_s)
        self._altered |= dict.fromkeys(altered)
        blocks = {block for block, _ in altered}
        for file in files:
            if blocks.isdisjoint(file.digests):
                self._event(True, file.name, reader, began_s)
        self._checks += len(files)
        return blocks

    async def _kept(self, names: Iterable[str]) -> list[TrackedFile]:
        """Those files that are on the ledger, whose checksums have been held against it.

        Raises:
            NotProvenError: the ledger has others.
        """
        files = []
        for file in filter(None, map(self._tracked.get, names)):
            if file.keeping is not None:
                await asyncio.wait([file.keeping])
            if file.last is None:  # it could not be hashed
                continue
            whole = file_digest(file.digests.values())
            if not await self._ledger.aside(partial(self._ledger.chain.is_valid, file.key, whole)):
                raise NotProvenError(f"file {file.name}: the ledger has another hash of it than the name node")
            files.append(file)
        return files

    def _event(self, ok: bool, detail: str, host: str, start_s: float) -> None:
        self.sink(Event(self.clock(), "validated", start_s=start_s, host=host, ok=ok, detail=detail))

    async def _checksums(self, replicas: Replicas, reader: str) -> dict[tuple[BlockId, str], int]:
        if self._wanted.digest == "blocks":
            return await self.files.hash(replicas, self.sink)
        reports = await self.files.read(reader, replicas, self.sink)
        return {(block, report.host): report.checksum for block, report in zip(replicas, reports, strict=True)}

    # -- the end -------------------------------------------------------------------------------------------------

    async def finish(self, origin_s: float) -> Retained:
        """Let blocks come until everything is confirmed, and say what there is now.

        Args:
            origin_s: where the schedule started, wall seconds since the run's start.

        Raises:
            AgentError: a host dies meanwhile.
            LedgerError: the ledger has ended for good.
        """
        every = [*self._tracked, *self._tracked.deleted]
        await asyncio.gather(*(file.keeping for file in every if file.keeping is not None), return_exceptions=True)
        self._note(await self._ledger.aside(self._timeline.settle))
        return Retained(
            origin_s,
            self._ledger.chain.transactions,
            self._checks,
            [(block.file, block.index, host) for block, host in self._altered],
            self._not_kept,
            self._restarts,
            [*(StoredFile(file.name, file.key, None) for file in self._tracked.deleted), *await self._stored()],
        )

    async def _stored(self) -> list[StoredFile]:
        there = {name: self.names.blocks(name) for name in self.names.view.files}
        hashed = await self.files.hash(BlockMap.merged(there.values()), None)
        found = []
        for name, blocks in there.items():
            digests = tuple({host: hashed[block, host] for host in hosts} for block, hosts in blocks.items())
            file = self._tracked.get(name)
            found.append(StoredFile(name, file.key if file is not None else None, digests))
        return found
