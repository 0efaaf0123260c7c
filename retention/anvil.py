"""A ledger of one's own: anvil, a node of the Ethereum Virtual Machine that makes a block when it is told to."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import psutil

from retention.errors import RetentionError
from retention.ledger import Block
from retention.rpc import LedgerError, Rpc

REMEDY = "run `python3 scripts/provision_retention.py`, or say in ANVIL where it is"
_INSTALLED = Path(sys.prefix) / "anvil" / "node_modules" / "@foundry-rs"
_PR_SET_PDEATHSIG = 1
_STARTED_WITHIN_S = 20.0
_ENDED_WITHIN_S = 20.0


def program() -> str:
    """Path of anvil.

    Raises:
        RetentionError: it is not there.
    """
    named = os.environ.get("ANVIL")
    candidates = [named] if named else [*map(str, sorted(_INSTALLED.glob("anvil-*/bin/anvil"))), "anvil"]
    found = next(filter(None, map(shutil.which, candidates)), None)
    if found is None:
        raise RetentionError(f"anvil is not installed; {REMEDY}")
    return found


def require_installed() -> None:
    """Refuse what needs a ledger where none is installed.

    Raises:
        RetentionError: so.
    """
    program()
    if find_spec("eth_abi") is None:
        raise RetentionError(f"eth-abi is not installed; {REMEDY}")


class Anvil:
    """A running node; made by `running`.

    Attributes:
        pid: of its process.
        accounts: wallets whose transactions it signs; the first one is the platform's.
    """

    def __init__(self, process: subprocess.Popen[bytes], rpc: Rpc) -> None:
        self._process = process
        self._rpc = rpc
        self.accounts: tuple[str, ...] = tuple(rpc.call("eth_accounts"))

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    @property
    def height(self) -> int:
        """Number of the last block."""
        return int(self._rpc.call("eth_blockNumber"), 16)

    def nonce(self, wallet: str) -> int:
        """The first number that no transaction of a wallet in a block has had."""
        return int(self._rpc.call("eth_getTransactionCount", wallet, "latest"), 16)

    def send(self, transactions: Sequence[dict[str, Any]]) -> list[str | LedgerError]:
        """Hand in transactions; the hash of each, or why it was refused."""
        return self._rpc.batch([("eth_sendTransaction", [transaction]) for transaction in transactions])

    def mine(self, time_s: int) -> Block:
        """Make a block of this time, with the transactions that fit; seconds, after that of the block before.

        Raises:
            LedgerError: the time is not after the last block's.
        """
        self._rpc.call("evm_setNextBlockTimestamp", time_s)
        self._rpc.call("evm_mine")
        return self.block(self.height)

    def block(self, number: int) -> Block:
        """One that has been made."""
        header = self._rpc.call("eth_getBlockByNumber", hex(number), True)
        nonces = {transaction["hash"]: transaction["nonce"] for transaction in header["transactions"]}
        receipts = self._rpc.call("eth_getBlockReceipts", hex(number)) if nonces else ()
        with_nonces = ({**receipt, "nonce": nonces[receipt["transactionHash"]]} for receipt in receipts)
        return Block(number, int(header["timestamp"], 16), tuple(with_nonces))

    def view(self, contract: str, data: str) -> str:
        """What a call returns that changes nothing, on the last block.

        Raises:
            LedgerError: the contract refused it.
        """
        return str(self._rpc.call("eth_call", {"to": contract, "data": data}, "latest"))

    def logs(self, contract: str) -> list[dict[str, Any]]:
        """All events of a contract, in order."""
        asked = {"address": contract, "fromBlock": "0x0", "toBlock": "latest"}
        return list(self._rpc.call("eth_getLogs", asked))

    def ends(self, within_s: float) -> bool:
        """Wait whether it ends by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(within_s)
        return self._process.returncode is not None


@contextlib.contextmanager
def running(state: Path, genesis_s: int, block_gas: int, log: IO[bytes]) -> Iterator[Anvil]:
    """Start a node, and end it, upon which it writes its state; it is killed when this process is.

    Args:
        state: file that has the ledger of an earlier one, if there was one, and will have that of this one; written
            every second, too.
        genesis_s: time of the first block, when there was none, seconds since the epoch.
        block_gas: most that the transactions of a block may take.
        log: takes what it has to say.

    Raises:
        RetentionError: anvil is not installed.
        LedgerError: it does not start.
    """
    argv = [program(), "--quiet", "--host", "127.0.0.1", "--port", "0", "--no-mining", "--order", "fifo"]
    argv += ["--base-fee", "0", "--gas-price", "0"]
    argv += ["--timestamp", str(genesis_s), "--gas-limit", str(block_gas)]
    argv += ["--state", str(state), "--state-interval", "1"]
    argv += ["--prune-history"]  # else the states of all blocks fill the home of who runs it
    parent = os.getpid()
    process = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=lambda: _end_with(parent)
    )
    try:
        rpc = Rpc(_port(process))
        try:
            yield Anvil(process, rpc)
        finally:
            rpc.close()
    finally:
        _end(process)


def _end_with(parent: int) -> None:
    """Be killed when the process that forked this one ends (prctl(2))."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _port(process: subprocess.Popen[bytes]) -> int:
    """Where it listens, once it does."""
    give_up = time.monotonic() + _STARTED_WITHIN_S
    while process.poll() is None and time.monotonic() < give_up:
        with contextlib.suppress(psutil.NoSuchProcess):
            for one in psutil.Process(process.pid).net_connections("tcp4"):
                if one.status == psutil.CONN_LISTEN:
                    return int(one.laddr.port)
        time.sleep(0.01)
    raise LedgerError(f"anvil does not start within {_STARTED_WITHIN_S:g} s: exit code {process.poll()}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_ENDED_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
