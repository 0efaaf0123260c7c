"""Operations and blocks in the order of their times, on no clock but theirs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from retention.tracking import Tracking
from retention.transactions import Operation, Transaction

MOST_BLOCKS_AFTER = 10_000


def replay(tracking: Tracking, operations: Iterable[Operation], blocks: Iterator[float]) -> tuple[Transaction, ...]:
    """Let operations happen at their times, and blocks come at theirs, until everything is confirmed.

    Args:
        tracking: takes them.
        operations: in the order of their times.
        blocks: times of blocks, without end, seconds on the operations' clock.

    Returns:
        All transactions.

    Raises:
        LedgerError: the ledger ended.
    """
    next_block_s = next(blocks)

    def come(until_s: float) -> None:
        nonlocal next_block_s
        while next_block_s <= until_s:
            tracking.block(next_block_s)
            tracking.send(next_block_s)
            next_block_s = next(blocks)

    for operation in operations:
        come(operation.time_s)
        tracking.ask(operation, operation.time_s)
        tracking.send(operation.time_s)
    for _ in range(MOST_BLOCKS_AFTER):
        if tracking.manager.settled:
            break
        come(next_block_s)
    return tracking.manager.transactions
