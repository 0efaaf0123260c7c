"""What is agreed on how a ledger is written, and what that may take."""

from __future__ import annotations

from dataclasses import dataclass, replace

from retention.transactions import Kind, Operation, Queue

MOST_GAS: dict[Kind, int] = {
    "create": 1_500_000,
    "change": 400_000,
    "rename": 400_000,
    "delete": 400_000,
    "retain": 100_000,
    "register": 150_000,
}
"""What a transaction may take; a block takes it if it has as much left."""
MOST_LOCATIONS = 4096
"""Bytes that the hosts of a file's blocks may take in a transaction, within that."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms.

    Attributes:
        confirmations: blocks that have to come, that of a transaction included, until it is confirmed.
        queue: what an operation waits for, see `TransactionManager`.
        block_gas: most that the transactions of a block may take.
        index: whether there is a contract that knows which file has which contract.
    """

    confirmations: int = 5
    queue: Queue = "creation"
    block_gas: int = 30_000_000
    index: bool = True

    @property
    def first_nonce(self) -> int:
        """Number of the wallet's first transaction for a file: the index is made before."""
        return int(self.index)

    def with_index(self, done: Operation) -> list[Operation]:
        """An operation, and what the index is to be told of it: which name the contract of a file has."""
        told = self.index and done.kind in ("create", "rename")
        return [done, replace(done, kind="register")] if told else [done]
