import contextlib

import pytest

from retention import anvil
from retention.terms import Terms
from tests.unit.retention import real_ledger

EPOCH_S = 1_700_000_000


@pytest.fixture
def node(tmp_path):
    """Starts a real ledger, which has what those before it had."""
    real_ledger.require()

    @contextlib.contextmanager
    def start(block_gas=30_000_000):
        state, log = tmp_path / "ledger.json", tmp_path / "anvil.log"
        with log.open("ab") as file, anvil.running(state, EPOCH_S, block_gas, file) as running:
            yield running

    return start


@pytest.fixture
def chain(node, tmp_path):
    """Starts a real ledger with an index, or what an earlier one has left; `node` skips it where there is none."""
    from retention.anvil_chain import AnvilChain

    def start(confirmations=1, **terms):
        return AnvilChain(tmp_path, Terms(confirmations, **terms), EPOCH_S)

    return start


@pytest.fixture
def tracked(chain):
    """The parts of one."""

    @contextlib.contextmanager
    def start():
        with chain() as made:
            yield made.ledger, made.index, made.tracking

    return start
