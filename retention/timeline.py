"""Operations and blocks in the order of their times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol

from retention.transactions import Operation, Transaction

MOST_BLOCKS_AFTER = 10_000


class Chain(Protocol):
    """What keeps operations: a real ledger (`anvil_chain`), or what can be said of one (`modelled_chain`)."""

    @property
    def settled(self) -> bool:
        """Whether all that was asked is confirmed."""

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        """All that have been sent, in the order of their numbers."""

    @property
    def restarts(self) -> int:
        """How often the ledger has been started again."""

    def ask(self, operations: Sequence[Operation], now_s: float) -> None:
        """Operations have been done and are to be kept."""

    def block(self, now_s: float) -> tuple[Transaction, ...]:
        """A block comes; transactions that are confirmed by it."""

    def is_valid(self, file: str, digest: bytes) -> bool:
        """Whether this is the hash that a file should have now, confirmed or not."""


class Timeline:
    """Blocks that come at their times, before what happens later.

    Args:
        chain: gets them.
        blocks: their times, without end, seconds.
    """

    def __init__(self, chain: Chain, blocks: Iterator[float]) -> None:
        self.chain = chain
        self._blocks = blocks
        self.next_block_s = next(blocks)

    def advance(self, now_s: float) -> list[Transaction]:
        """Let all blocks come that are due; transactions that are confirmed by them."""
        confirmed: list[Transaction] = []
        while self.next_block_s <= now_s:
            confirmed += self.chain.block(self.next_block_s)
            self.next_block_s = next(self._blocks)
        return confirmed

    def ask(self, operations: Sequence[Operation], now_s: float) -> list[Transaction]:
        """Operations have been done; transactions that are confirmed by the blocks before."""
        confirmed = self.advance(now_s)
        self.chain.ask(operations, now_s)
        return confirmed

    def settle(self) -> list[Transaction]:
        """Let blocks come until everything is confirmed, whatever the time is; what is confirmed by them."""
        confirmed: list[Transaction] = []
        for _ in range(MOST_BLOCKS_AFTER):
            if self.chain.settled:
                break
            confirmed += self.advance(self.next_block_s)
        return confirmed


def replay(chain: Chain, operations: Iterable[Operation], blocks: Iterator[float]) -> tuple[Transaction, ...]:
    """Let operations happen at their times, and blocks come at theirs, until everything is confirmed.

    Args:
        chain: takes them.
        operations: in the order of their times.
        blocks: times of blocks, without end, seconds on the operations' clock.

    Returns:
        All transactions.

    Raises:
        LedgerError: the ledger ended.
    """
    timeline = Timeline(chain, blocks)
    for operation in operations:
        timeline.ask([operation], operation.time_s)
    timeline.settle()
    return chain.transactions
