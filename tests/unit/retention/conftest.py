import contextlib

import pytest

from retention import anvil
from retention.compiled import contract
from retention.errors import RetentionError
from retention.tracking import Journal, Tracking

EPOCH_S = 1_700_000_000


REMEDY = "python3 scripts/provision_retention.py"


@pytest.fixture
def node(tmp_path):
    """Starts a real ledger, which has what those before it had."""
    pytest.importorskip("eth_abi", reason=f"eth-abi is not installed: {REMEDY}")
    try:
        anvil.program()
    except RetentionError as error:
        pytest.skip(str(error))

    @contextlib.contextmanager
    def start(block_gas=30_000_000):
        state, log = tmp_path / "ledger.json", tmp_path / "anvil.log"
        with log.open("ab") as file, anvil.running(state, EPOCH_S, block_gas, file) as running:
            yield running

    return start


@pytest.fixture
def tracked(node, tmp_path):
    """A real ledger with an index, and what tracks files on it."""

    @contextlib.contextmanager
    def start(confirmations=1):
        with node() as ledger:
            wallet = ledger.accounts[0]
            if ledger.height == 0:
                data = contract("file_index").deployment()
                asked = {"from": wallet, "nonce": "0x0", "gas": hex(2_000_000), "gasPrice": "0x0", "data": data}
                assert isinstance(ledger.send([asked])[0], str)
                ledger.mine(EPOCH_S + 1)
            index = ledger.block(1).receipts[0]["contractAddress"]
            journal = Journal(tmp_path / "journal")
            with contextlib.closing(journal):
                yield (
                    ledger,
                    index,
                    Tracking(ledger, wallet, journal, confirmations, index=index, epoch_s=EPOCH_S, first_nonce=1),
                )

    return start
