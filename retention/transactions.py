"""Which transactions are sent when, for which operations: in their order, each once, whatever is lost on the way.

Pure: what is to be sent is returned, and what the ledger says is handed in. One wallet sends all of them, so that their
numbers (nonces) are one sequence; the ledger takes each number once. That makes a restart simple: what was asked and
sent is repeated from the journal, and all from the wallet's next number on is sent again, with the numbers that it had
(thesis, 7.3.2).
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

Kind = Literal["create", "change", "rename", "delete", "retain", "register"]
Queue = Literal["creation", "confirm"]


@dataclass(frozen=True, slots=True)
class Operation:
    """What was done to a tracked file, or what its contract or the index is to be told of it.

    Attributes:
        file: tells it from all others, whatever its name is.
        kind: of a file's first operation, create; retain: not to be deleted before `time_s`; register: the index is to
            know the file's contract by `uri`.
        uri: its name from now on.
        digest: hash of its content from now on, 32 bytes.
        time_s: when it was done, whole seconds.
        user: who did it, at most 32 bytes.
        locations: hosts of the replicas of its blocks.
    """

    file: str
    kind: Kind
    uri: str
    digest: bytes
    time_s: int
    user: str
    locations: str

    @property
    def of_content(self) -> bool:
        """Whether it is of the file itself, so that its hash is that of the file."""
        return self.kind not in ("retain", "register")


@dataclass(frozen=True, slots=True)
class Transaction:
    """An operation on its way.

    Attributes:
        nonce: its number among those of the wallet.
        operation: what it keeps.
        asked_s: when the operation was handed in.
        sent_s: when it was first sent.
        to: address of the contract of its file; None of what makes it.
        block: number of the block that has it; None while none has.
        included_s: when that block came.
        confirmed_s: when enough blocks had come on top of it.
        contract: address of the contract that it made.
        gas: what it took.
        refused: why the contract did not take it.
    """

    nonce: int
    operation: Operation
    asked_s: float
    sent_s: float
    to: str | None = None
    block: int | None = None
    included_s: float | None = None
    confirmed_s: float | None = None
    contract: str | None = None
    gas: int | None = None
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the ledger says of a transaction that a block has."""

    nonce: int
    block: int
    gas: int
    contract: str | None = None
    refused: str | None = None


@dataclass
class _File:
    """One tracked file: what waits to be sent, its transactions by their numbers, and whether its contract is there."""

    waiting: deque[tuple[Operation, float]] = field(default_factory=deque)
    sent: list[int] = field(default_factory=list)
    contract: str | None = None


class TransactionManager:
    """The transactions of one wallet.

    Args:
        confirmations: blocks that have to come, that of the transaction included, until it is confirmed.
        queue: what an operation waits for: until its file's contract is confirmed (creation), or until the operation
            before it on the same file is (confirm).
        first_nonce: the wallet's next number at the beginning.
    """

    def __init__(self, confirmations: int, queue: Queue = "creation", first_nonce: int = 0) -> None:
        self._confirmations = confirmations
        self._queue = queue
        self._first_nonce = first_nonce
        self._files: dict[str, _File] = {}
        self._transactions: list[Transaction] = []
        self._unconfirmed: dict[int, None] = {}
        self._height = 0

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        """All that have been sent, in the order of their numbers."""
        return tuple(self._transactions)

    @property
    def waiting(self) -> int:
        """Operations that have not been sent yet."""
        return sum(len(file.waiting) for file in self._files.values())

    @property
    def next_pending(self) -> int | None:
        """The first number of a transaction that no block has yet."""
        return next((nonce for nonce in self._unconfirmed if self._of(nonce).block is None), None)

    @property
    def settled(self) -> bool:
        """Whether all that was asked is confirmed."""
        return not self._unconfirmed and not self.waiting

    @property
    def contracts(self) -> Mapping[str, str]:
        """Address of the contract of each file whose contract is confirmed."""
        return {name: file.contract for name, file in self._files.items() if file.contract is not None}

    def last(self, file: str) -> tuple[Operation, bool] | None:
        """The last operation that was done to a file, and whether it is confirmed; None where nothing was."""
        known = self._files.get(file, _File())
        waiting = ((operation, False) for operation, _ in reversed(known.waiting))
        sent = ((one.operation, one.confirmed_s is not None) for one in map(self._of, reversed(known.sent)))
        return next((one for one in itertools.chain(waiting, sent) if one[0].of_content), None)

    def ask(self, operation: Operation, now_s: float) -> None:
        """An operation has been done and is to be kept.

        Raises:
            ValueError: a file's first operation does not create it, or a later one does.
        """
        file = self._files.setdefault(operation.file, _File())
        first = not file.waiting and not file.sent
        if first != (operation.kind == "create"):
            what = "is not tracked; annotate it first" if first else "is tracked already"
            if first:
                del self._files[operation.file]
            raise ValueError(f"file {operation.file}: {operation.kind}: it {what}")
        file.waiting.append((operation, now_s))

    def send(self, now_s: float) -> tuple[Transaction, ...]:
        """What is to be sent now, in this order; it counts as sent."""
        sent = []
        for file in self._files.values():
            while file.waiting and self._may_follow(file):
                sent.append(self._sent(file, now_s, file.contract))
        return tuple(sent)

    def sent(self, file: str, to: str | None, sent_s: float) -> Transaction:
        """The next operation on a file was sent by an earlier manager, whose journal says so."""
        return self._sent(self._files[file], sent_s, to)

    def _sent(self, file: _File, now_s: float, to: str | None) -> Transaction:
        operation, asked_s = file.waiting.popleft()
        transaction = Transaction(self._first_nonce + len(self._transactions), operation, asked_s, now_s, to)
        self._transactions.append(transaction)
        self._unconfirmed[transaction.nonce] = None
        file.sent.append(transaction.nonce)
        return transaction

    def send_again(self, wallet_nonce: int) -> tuple[Transaction, ...]:
        """What has been sent and the ledger does not know of: all from the wallet's next number on.

        Args:
            wallet_nonce: the first number that no transaction of the wallet has had, as the ledger knows.
        """
        return tuple(self._transactions[max(0, wallet_nonce - self._first_nonce) :])

    def block(self, number: int, time_s: float, receipts: Iterable[Receipt]) -> tuple[Transaction, ...]:
        """A block has come.

        Args:
            number: its number.
            time_s: when it came.
            receipts: of the transactions of the wallet that it has.

        Returns:
            Transactions that are confirmed from now on.
        """
        self._height = number
        for receipt in receipts:
            place = receipt.nonce - self._first_nonce
            known = self._transactions[place]
            self._transactions[place] = replace(
                known,
                block=receipt.block,
                included_s=time_s,
                contract=receipt.contract,
                gas=receipt.gas,
                refused=receipt.refused,
            )
        return tuple(self._confirm(time_s))

    def _may_follow(self, file: _File) -> bool:
        """Whether the first operation of a file that waits can be sent."""
        if not file.sent:
            return True
        if self._queue == "creation":
            return file.contract is not None
        return self._of(file.sent[-1]).confirmed_s is not None

    def _confirm(self, time_s: float) -> Iterator[Transaction]:
        for nonce in list(self._unconfirmed):
            known = self._of(nonce)
            if known.block is None or self._height - known.block + 1 < self._confirmations:
                continue
            confirmed = self._transactions[nonce - self._first_nonce] = replace(known, confirmed_s=time_s)
            del self._unconfirmed[nonce]
            if confirmed.operation.kind == "create":
                self._files[confirmed.operation.file].contract = confirmed.contract
            yield confirmed

    def _of(self, nonce: int) -> Transaction:
        return self._transactions[nonce - self._first_nonce]
