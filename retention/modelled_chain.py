"""What can be said of a ledger without one: when transactions are confirmed, if contracts refuse none."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from retention.terms import MOST_GAS, Terms
from retention.transactions import Kind, Operation, Receipt, Transaction, TransactionManager

GAS_USED: dict[Kind, int] = {
    "create": 875_800,
    "change": 168_000,
    "rename": 168_000,
    "delete": 168_000,
    "retain": 48_000,
    "register": 54_000,
}
"""What transactions take on anvil, about."""


class ModelledChain:
    """Puts transactions into blocks in their order, as many as fit.

    Args:
        terms: of the ledger.
    """

    restarts = 0

    def __init__(self, terms: Terms) -> None:
        self._block_gas = terms.block_gas
        self._manager = TransactionManager(terms.confirmations, terms.queue, terms.first_nonce)
        self._on_their_way: deque[Transaction] = deque()
        self._height = 0

    @property
    def settled(self) -> bool:
        """Whether all that was asked is confirmed."""
        return self._manager.settled

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        """All that have been sent, in the order of their numbers."""
        return self._manager.transactions

    def ask(self, operations: Sequence[Operation], now_s: float) -> None:
        """Operations have been done and are to be kept.

        Raises:
            ValueError: see `TransactionManager.ask`.
        """
        for operation in operations:
            self._manager.ask(operation, now_s)
        self._on_their_way += self._manager.send(now_s)

    def block(self, now_s: float) -> tuple[Transaction, ...]:
        """A block comes; transactions that are confirmed by it."""
        self._height += 1
        left, receipts = self._block_gas, []
        while self._on_their_way and MOST_GAS[self._on_their_way[0].operation.kind] <= left:
            sent = self._on_their_way.popleft()
            gas = GAS_USED[sent.operation.kind]
            made = f"{sent.nonce:#042x}" if sent.operation.kind == "create" else None
            receipts.append(Receipt(sent.nonce, self._height, gas, made))
            left -= gas
        confirmed = self._manager.block(self._height, now_s, receipts)
        self._on_their_way += self._manager.send(now_s)
        return confirmed

    def is_valid(self, file: str, digest: bytes) -> bool:
        """Whether this is the hash that a file should have now."""
        last = self._manager.last(file)
        return last is not None and last[0].digest == digest
