"""Operations on tracked files on their way: who decides what is sent, the journal, and the ledger, together."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from retention.compiled import contract
from retention.errors import RetentionError
from retention.ledger import Block, Ledger
from retention.rpc import LedgerError
from retention.terms import MOST_GAS
from retention.transactions import Kind, Operation, Queue, Receipt, Transaction, TransactionManager

CODES: dict[Kind, int] = {"create": 0, "change": 1, "rename": 2, "delete": 3}
"""What the contract calls them."""

_SENT_AGAIN_AFTER_BLOCKS = 3
_ALREADY_THERE = ("nonce too low", "already known", "already imported")


def user_bytes(user: str) -> bytes:
    """A user's name as a contract has it: the first 32 bytes."""
    return user.encode()[:32].ljust(32, b"\0")


class Journal:
    """What has been asked, and what is about to be sent: a line each, on disk before anything else happens.

    Args:
        path: of the file, which may have what an earlier one has written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] = path.open("ab")

    def repeat(self, manager: TransactionManager) -> None:
        """Let a new manager know what an earlier one did; a last line that was broken off never happened.

        Raises:
            RetentionError: another line is damaged.
        """
        whole, _, broken = self._path.read_bytes().rpartition(b"\n")
        if broken:
            self._file.truncate(len(whole) + 1 if whole else 0)
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                known = json.loads(line)
                if "operation" in known:
                    asked = {**known["operation"], "digest": bytes.fromhex(known["operation"]["digest"])}
                    manager.ask(Operation(**asked), known["asked_s"])
                else:
                    manager.sent(**known)
            except (ValueError, TypeError, LookupError) as error:
                raise RetentionError(f"line {number} of {self._path.name} is damaged: {error}") from error

    def asked(self, operation: Operation, now_s: float) -> None:
        """An operation is to be kept."""
        fields = {**dataclasses.asdict(operation), "digest": operation.digest.hex()}
        self._write([{"operation": fields, "asked_s": now_s}])

    def sent(self, transactions: Iterable[Transaction]) -> None:
        """Some are about to be sent."""
        self._write({"file": one.operation.file, "to": one.to, "sent_s": one.sent_s} for one in transactions)

    def _write(self, lines: Iterable[dict[str, Any]]) -> None:
        self._file.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Nothing more comes."""
        self._file.close()


class Tracking:
    """The transactions of one wallet on one ledger.

    Args:
        ledger: takes them.
        wallet: whose.
        journal: of the wallet; what it has and the ledger does not know is sent again.
        confirmations: see `TransactionManager`.
        queue: see `TransactionManager`.
        index: address of the index; None without one.
        epoch_s: seconds since the epoch at which the clock of operations began.
        first_nonce: the wallet's next number when its journal was empty.
    """

    def __init__(
        self,
        ledger: Ledger,
        wallet: str,
        journal: Journal,
        confirmations: int,
        queue: Queue = "creation",
        index: str | None = None,
        epoch_s: int = 0,
        first_nonce: int = 0,
    ) -> None:
        self._ledger = ledger
        self._wallet = wallet
        self._journal = journal
        self._index = index
        self._epoch_s = epoch_s
        self._first_nonce = first_nonce
        self._next_pending: int | None = None
        self._held_up = 0  # blocks in a row that did not have the first of those that are on their way
        self.manager = TransactionManager(confirmations, queue, first_nonce)
        journal.repeat(self.manager)
        for number in range(1, ledger.height + 1):
            block = ledger.block(number)
            self.manager.block(number, block.time_s - epoch_s, self._receipts(block))
        self._hand_in(self.manager.send_again(ledger.nonce(wallet)))

    def ask(self, operation: Operation, now_s: float) -> None:
        """An operation has been done and is to be kept.

        Raises:
            ValueError: see `TransactionManager.ask`.
        """
        self.manager.ask(operation, now_s)
        self._journal.asked(operation, now_s)

    def send(self, now_s: float) -> None:
        """Hand in what can go now."""
        sent = self.manager.send(now_s)
        self._journal.sent(sent)
        self._hand_in(sent)

    def block(self, now_s: float) -> tuple[Transaction, ...]:
        """Have a block made; transactions that are confirmed by it."""
        mined = self._ledger.mine(self._epoch_s + int(now_s))
        confirmed = self.manager.block(mined.number, now_s, self._receipts(mined))
        pending = self.manager.next_pending
        self._held_up = self._held_up + 1 if pending == self._next_pending else 0
        self._next_pending = pending
        if pending is not None and self._held_up >= _SENT_AGAIN_AFTER_BLOCKS:
            self._held_up = 0
            self._hand_in(self.manager.send_again(self._ledger.nonce(self._wallet)))
        return confirmed

    def _receipts(self, block: Block) -> Iterator[Receipt]:
        for receipt in block.receipts:
            nonce = int(receipt["nonce"], 16)
            if receipt["from"].lower() == self._wallet.lower() and nonce >= self._first_nonce:
                yield Receipt(
                    nonce=nonce,
                    block=block.number,
                    gas=int(receipt["gasUsed"], 16),
                    contract=receipt.get("contractAddress"),
                    refused=None if int(receipt["status"], 16) else "the contract refused it",
                )

    def _hand_in(self, transactions: Iterable[Transaction]) -> None:
        for answer in self._ledger.send([self._signed(transaction) for transaction in transactions]):
            if isinstance(answer, LedgerError) and not any(words in str(answer) for words in _ALREADY_THERE):
                raise answer

    def _signed(self, transaction: Transaction) -> dict[str, Any]:
        done = transaction.operation
        asked = {
            "from": self._wallet,
            "nonce": hex(transaction.nonce),
            "gas": hex(MOST_GAS[done.kind]),
            "gasPrice": "0x0",
        }
        tracking, time_s = contract("file_tracking"), self._epoch_s + done.time_s
        if done.kind == "create":
            data = tracking.deployment(done.uri, done.digest, time_s, user_bytes(done.user), done.locations)
            return {**asked, "data": data}
        address = transaction.to
        if done.kind == "register":
            assert self._index is not None
            return {**asked, "to": self._index, "data": contract("file_index").call("register", done.uri, address)}
        if done.kind == "retain":
            return {**asked, "to": address, "data": tracking.call("retain", time_s)}
        call = CODES[done.kind], done.uri, done.digest, time_s, user_bytes(done.user), done.locations
        return {**asked, "to": address, "data": tracking.call("fileOperation", *call)}
