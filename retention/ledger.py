"""What a ledger is asked for, whichever it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from retention.rpc import LedgerError


@dataclass(frozen=True)
class Block:
    """A block: its number, its time in seconds since the epoch, and the receipts of its transactions.

    Receipts are as a node gives them, each with the `nonce` of its transaction.
    """

    number: int
    time_s: int
    receipts: tuple[dict[str, Any], ...]


class Ledger(Protocol):
    """A node that takes transactions."""

    @property
    def height(self) -> int:
        """Number of the last block."""

    def nonce(self, wallet: str) -> int:
        """The first number that no transaction of a wallet in a block has had."""

    def send(self, transactions: Sequence[dict[str, Any]]) -> list[str | LedgerError]:
        """Hand in transactions; the hash of each, or why it was refused."""

    def mine(self, time_s: int) -> Block:
        """Make a block of this time, seconds since the epoch, with the transactions that fit."""

    def block(self, number: int) -> Block:
        """One that has been made."""


class Readable(Protocol):
    """A node that can be asked without a transaction."""

    def view(self, contract: str, data: str) -> str:
        """What a call returns that changes nothing.

        Raises:
            LedgerError: the contract refused it.
        """

    def logs(self, contract: str) -> list[dict[str, Any]]:
        """All events of a contract, in order."""
