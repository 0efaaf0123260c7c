"""A ledger of one's own in a folder, with what one wallet has written on it; it opens again, and survives its node."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from retention import anvil, audit
from retention.anvil import Anvil
from retention.compiled import contract
from retention.errors import RetentionError
from retention.rpc import LedgerError
from retention.terms import Terms
from retention.tracking import Journal, Tracking
from retention.transactions import Operation, Transaction

T = TypeVar("T")

MOST_RESTARTS = 3
"""In a row."""
_ENDS_WITHIN_S = 1.0
_GAS_OF_INDEX = 2_000_000


class AnvilChain:
    """A running ledger; a context manager.

    Args:
        folder: has, or will have, its state, its journal and its terms.
        terms: of a new one.
        epoch_s: seconds since the epoch at which the clock of operations began, of a new one.

    Attributes:
        restarts: how often its node has been started again.
        index: address of the contract that knows which file has which contract; None without.
        ledger: its node, to be asked without a transaction.
        tracking: what is on its way.
    """

    ledger: Anvil
    tracking: Tracking

    def __init__(self, folder: Path, terms: Terms, epoch_s: int) -> None:
        self._folder = folder
        self.terms = terms
        self.epoch_s = epoch_s
        self.restarts = 0
        self._open = contextlib.ExitStack()
        self.index: str | None = None

    @classmethod
    def opened(cls, folder: Path) -> AnvilChain:
        """The ledger that an earlier one has left in a folder.

        Raises:
            RetentionError: there is none, or a damaged one.
        """
        try:
            known = json.loads((folder / "chain.json").read_text(encoding="utf-8"))
            return cls(folder, Terms(**known["terms"]), int(known["epoch_s"]))
        except OSError as error:
            raise RetentionError(f"no ledger there: chain.json: {error.strerror}") from error
        except (ValueError, LookupError, TypeError) as error:
            raise RetentionError(f"chain.json is damaged: {error}") from error

    def __enter__(self) -> AnvilChain:
        self._folder.mkdir(exist_ok=True)
        terms = self._folder / "chain.json"
        if not terms.exists():
            document = {"terms": dataclasses.asdict(self.terms), "epoch_s": self.epoch_s}
            terms.write_text(json.dumps(document, indent=1), encoding="utf-8")
        self._start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._open.close()

    @property
    def settled(self) -> bool:
        """Whether all that was asked is confirmed."""
        return self.tracking.manager.settled

    @property
    def transactions(self) -> tuple[Transaction, ...]:
        """All that have been sent, in the order of their numbers."""
        return self.tracking.manager.transactions

    @property
    def contracts(self) -> Mapping[str, str]:
        """Address of the contract of each file whose contract is confirmed."""
        return self.tracking.manager.contracts

    def ask(self, operations: Sequence[Operation], now_s: float) -> None:
        """Operations have been done and are to be kept; they are on disk when this returns, or raises.

        Raises:
            LedgerError: the ledger refused them, or cannot be started again.
            ValueError: see `TransactionManager.ask`.
        """
        for operation in operations:
            self.tracking.ask(operation, now_s)
        self._again_if_ended(lambda: self.tracking.send(now_s))

    def block(self, now_s: float) -> tuple[Transaction, ...]:
        """Have a block made; transactions that are confirmed by it.

        Raises:
            LedgerError: the ledger refused it, or cannot be started again.
        """
        confirmed = self._again_if_ended(lambda: self.tracking.block(now_s))
        self._again_if_ended(lambda: self.tracking.send(now_s))
        return confirmed

    def is_valid(self, file: str, digest: bytes) -> bool:
        """Whether this is the hash that a file should have now: by what waits to be confirmed, or by its contract."""
        last = self.tracking.manager.last(file)
        if last is not None and not last[1]:
            return last[0].digest == digest
        address = self.contracts.get(file)
        return address is not None and self._again_if_ended(lambda: audit.is_valid(self.ledger, address, digest))

    def _again_if_ended(self, call: Callable[[], T]) -> T:
        """What a call returns, by a new node if the node ends."""
        for _ in range(MOST_RESTARTS):
            try:
                return call()
            except LedgerError:
                if not self.ledger.ends(_ENDS_WITHIN_S):
                    raise
            self.restarts += 1
            self._open.close()
            self._start()
        return call()

    def _start(self) -> None:
        folder = self._folder
        with contextlib.ExitStack() as stack:
            log = stack.enter_context((folder / "anvil.log").open("ab"))
            state = folder / "ledger.json"
            self.ledger = stack.enter_context(anvil.running(state, self.epoch_s, self.terms.block_gas, log))
            wallet = self.ledger.accounts[0]
            self.index = self._index(wallet) if self.terms.index else None
            journal = stack.enter_context(contextlib.closing(Journal(folder / "journal")))
            self.tracking = Tracking(
                self.ledger,
                wallet,
                journal,
                self.terms.confirmations,
                self.terms.queue,
                self.index,
                self.epoch_s,
                self.terms.first_nonce,
            )
            self._open = stack.pop_all()

    def _index(self, wallet: str) -> str:
        """Address of the index, which is the first thing that the wallet makes."""
        if not self.ledger.height:
            data = contract("file_index").deployment()
            asked = {"from": wallet, "nonce": "0x0", "gas": hex(_GAS_OF_INDEX), "gasPrice": "0x0", "data": data}
            (answer,) = self.ledger.send([asked])
            if isinstance(answer, LedgerError):
                raise answer
            self.ledger.mine(self.epoch_s)
        return str(self.ledger.block(1).receipts[0]["contractAddress"])
