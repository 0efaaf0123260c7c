"""A run that retained files, long after: what its ledger proves of the files that it has left."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from experiments.documents import nofollow
from experiments.documents.atomic import write_text
from experiments.documents.diagnostics import nearest
from experiments.errors import RequestError
from experiments.records.record import RecordError, now
from experiments.records.results_folder import RunFolder
from experiments.records.retention import StoredFile, file_digest, locations, stored_document, stored_files
from experiments.runs import ledgers
from retention.annotations import matches
from retention.block_times import block_times
from retention.errors import RetentionError
from retention.timeline import Timeline
from retention.transactions import Operation

if TYPE_CHECKING:
    from retention.anvil_chain import AnvilChain
    from retention.audit import Entry, Finding

MOST_COMBINATIONS = 1024


@dataclass(frozen=True)
class Validation:
    """Whether a file is as the ledger has it.

    Attributes:
        file: its name.
        valid: whether for every block there is a replica as it was kept.
        altered: replicas that are not: block and host.
    """

    file: str
    valid: bool
    altered: tuple[tuple[int, str], ...] = ()


@contextlib.contextmanager
def opened(folder: RunFolder) -> Iterator[RetainedRun]:
    """A run's ledger and what it has left.

    Raises:
        RecordError: there is no such run, or somebody is writing it.
        RequestError: it has not finished.
        RetentionError: it has retained nothing, or there is no ledger on this machine.
    """
    record = folder.record()
    if record.status != "finished":
        raise RequestError(f"{folder.path}: {record.status}, so that nobody knows what it left; give one that finished")
    try:
        block_s = float(record.specification["retention"]["chain"]["block_s"])
    except (KeyError, TypeError, ValueError):
        raise RetentionError(f"{folder.path}: no ledger there; give a run that retained files") from None
    with folder.writing(now), ledgers.reopened(folder.retention) as chain:
        yield RetainedRun(folder, chain, block_s)


class RetainedRun:
    """What can be asked; made by `opened`.

    Raises:
        RecordError: what it has left is damaged.
    """

    def __init__(self, folder: RunFolder, chain: AnvilChain, block_s: float) -> None:
        self._chain = chain
        self._block_s = block_s
        self._file = folder.retention / "files.json"
        try:
            self.files = {one.name: one for one in stored_files(nofollow.read_text(self._file))}
        except ValueError as error:
            raise RecordError(f"{self._file}: damaged ({str(error).splitlines()[0]}); do the run again") from error

    @property
    def epoch_s(self) -> int:
        """Seconds since the epoch at which the clock of operations began."""
        return self._chain.epoch_s

    def address(self, name: str) -> str:
        """Contract of a file: of the key that is attached to it, or else by the index.

        Raises:
            RequestError: the run has left no such file.
            RetentionError: it is not tracked.
        """
        from retention import audit

        file = self.files.get(name)
        if file is None:
            raise RequestError(f"{name}: the run has left no such file; {nearest(name, self.files)}")
        known = self._chain.contracts.get(file.key or "")
        if known is not None or self._chain.index is None:
            return known or self._untracked(name)
        return audit.address_of(self._chain.ledger, self._chain.index, name)

    def _untracked(self, name: str) -> str:
        raise RequestError(f"{name}: it is not tracked; `retention annotate` begins that")

    def history(self, name: str) -> list[Entry]:
        """All that was done to a file, oldest first.

        Raises:
            RequestError, RetentionError: see `address`.
        """
        from retention import audit

        return list(audit.history(self._chain.ledger, self.address(name)))

    def digest_at(self, name: str, time_s: float) -> bytes:
        """Hash of a file as it was at a modelled time since the schedule's start.

        Raises:
            RequestError, RetentionError: see `address`; or it was not there yet.
        """
        from retention import audit

        return audit.digest_at(self._chain.ledger, self.address(name), self.epoch_s + int(time_s))

    def validate(self, name: str) -> Validation:
        """Hold what the run has left of a file against its contract.

        Raises:
            RequestError, RetentionError: see `address`; or it was deleted.
        """
        from retention import audit

        address = self.address(name)
        if self.files[name].blocks is None:
            raise RequestError(f"{name}: it was deleted; `retention history` says when")
        return validation(self.files[name], lambda digest: audit.is_valid(self._chain.ledger, address, digest))

    def audit(self) -> tuple[list[Finding], list[Validation]]:
        """What is wrong with tracked files as a whole, and those that have altered replicas.

        Raises:
            RetentionError: the ledger is damaged.
        """
        from retention import audit

        contracts = {file.name: self._chain.contracts[file.key] for file in self.files.values() if file.key is not None}
        there = [file.name for file in self.files.values() if file.key is not None and file.blocks is not None]
        found = [self.validate(name) for name in there]
        stored = {one.file: self._whole(self.files[one.file], one) for one in found}
        problems = list(audit.audit(self._chain.ledger, contracts, stored))
        return problems, [one for one in found if one.altered]

    def _whole(self, file: StoredFile, found: Validation) -> bytes:
        """Hash of a file by its replicas that are as they were kept."""
        altered, blocks = set(found.altered), file.blocks or ()
        good = [
            next((one for host, one in block.items() if (number, host) not in altered), 0)
            for number, block in enumerate(blocks)
        ]
        return file_digest(good)

    def annotate(self, patterns: Sequence[str], user: str) -> list[str]:
        """Track files that the run has left, from now on; their names.

        Args:
            patterns: names, or patterns of them.
            user: on whose behalf.

        Raises:
            RequestError: a name is tracked already, or nothing is called so.
        """
        wanted: dict[str, StoredFile] = {}
        for pattern in patterns:
            there = {name: file for name, file in self.files.items() if file.blocks and matches(pattern, name)}
            if not there:
                raise RequestError(f"{pattern}: the run has left no such file; {nearest(pattern, self.files)}")
            if pattern in there and there[pattern].key is not None:
                raise RequestError(f"{pattern}: it is tracked already; `retention history` says since when")
            wanted |= {name: file for name, file in there.items() if file.key is None}
        last = self._chain.ledger.block(self._chain.ledger.height)
        now_s = float(last.time_s - self.epoch_s)
        timeline = Timeline(self._chain, block_times(self._block_s, "fixed", np.random.default_rng(0), now_s))
        keys = itertools.count(
            1 + max((int(one.key) for one in self.files.values() if one.key is not None), default=-1)
        )
        for name, file in wanted.items():
            self.files[name] = dataclasses.replace(file, key=str(next(keys)))
            timeline.ask(self._created(self.files[name], int(now_s), user), now_s)
        timeline.settle()
        write_text(self._file, stored_document(self.files.values()))
        return list(wanted)

    def _created(self, file: StoredFile, time_s: int, user: str) -> list[Operation]:
        blocks = file.blocks or ()
        digest = file_digest(next(iter(block.values())) for block in blocks)
        done = Operation(str(file.key), "create", file.name, digest, time_s, user, locations(map(list, blocks)))
        return self._chain.terms.with_index(done)


def validation(file: StoredFile, is_valid: Callable[[bytes], bool]) -> Validation:
    """Find replicas that together are the file that was kept, and so those that are others.

    Where replicas of blocks differ, combinations of them are tried, those that most hosts have first.

    Args:
        file: as it was found.
        is_valid: whether a hash is that of the file.
    """
    blocks = file.blocks or ()
    choices = [[one for one, _ in Counter(block.values()).most_common()] for block in blocks]
    for chosen in itertools.islice(itertools.product(*choices), MOST_COMBINATIONS):
        if is_valid(file_digest(chosen)):
            altered = [
                (number, host)
                for number, (block, right) in enumerate(zip(blocks, chosen, strict=True))
                for host, one in block.items()
                if one != right
            ]
            return Validation(file.name, True, tuple(altered))
    return Validation(file.name, False)
