"""A ledger that takes every transaction whose number is next, forgets some, and can go back."""

from retention.ledger import Block
from retention.rpc import LedgerError

WALLET = "0xAb00000000000000000000000000000000000001"


class FakeLedger:
    def __init__(self):
        self.blocks: list[Block] = []
        self.pool: dict[int, dict[str, str]] = {}
        self.included: list[dict[str, str]] = []
        self.down = False
        self.refuse = False

    @property
    def height(self):
        return len(self.blocks)

    def nonce(self, wallet):
        assert wallet == WALLET
        return len(self.included)

    def send(self, transactions):
        if self.down:
            raise LedgerError("the ledger does not answer")
        answers: list[str | LedgerError] = []
        for transaction in transactions:
            nonce = int(transaction["nonce"], 16)
            if nonce < len(self.included):
                answers.append(LedgerError("nonce too low"))
            elif nonce in self.pool:
                assert self.pool[nonce] == transaction
                answers.append(LedgerError("already known"))
            else:
                self.pool[nonce] = transaction
                answers.append(f"0x{nonce:x}")
        return answers

    def forget(self, nonces):
        """Drop transactions that are on their way."""
        for nonce in nonces:
            self.pool.pop(nonce, None)

    def mine(self, time_s, most=1_000_000):
        receipts: list[dict[str, str | None]] = []
        while len(receipts) < most and (nonce := len(self.included)) in self.pool:
            transaction = self.pool.pop(nonce)
            self.included.append(transaction)
            made = f"0x{nonce + 1:040x}" if "to" not in transaction else None
            receipts.append(
                {
                    "from": WALLET.lower(),
                    "nonce": hex(nonce),
                    "gasUsed": hex(21_000),
                    "status": "0x0" if self.refuse else "0x1",
                    "contractAddress": made,
                }
            )
        self.blocks.append(Block(len(self.blocks) + 1, time_s, tuple(receipts)))
        return self.blocks[-1]

    def block(self, number):
        return self.blocks[number - 1]

    def go_back(self, blocks):
        """As one that is restored from an older state: the last blocks never were, and nothing is on its way."""
        kept = self.blocks[: max(0, len(self.blocks) - blocks)]
        self.blocks = kept
        self.included = self.included[: sum(len(block.receipts) for block in kept)]
        self.pool.clear()
