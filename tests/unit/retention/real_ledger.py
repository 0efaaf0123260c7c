"""Skips tests where no ledger is installed."""

import pytest

from retention import anvil
from retention.errors import RetentionError

REMEDY = "python3 scripts/provision_retention.py"


def require():
    """Go on only where there is one."""
    pytest.importorskip("eth_abi", reason=f"eth-abi is not installed: {REMEDY}")
    try:
        anvil.program()
    except RetentionError as error:
        pytest.skip(str(error))
