"""The example of docs/retention.md runs."""

import hashlib
import re
from pathlib import Path
from typing import Any

from retention import anvil, audit
from retention.tracking import Journal, Tracking
from retention.transactions import Operation
from tests.unit.retention.conftest import EPOCH_S

PAGE = (Path(__file__).parents[3] / "docs" / "retention.md").read_text()


def test_the_example_runs(node, tmp_path, monkeypatch):
    """`node` skips it where there is no ledger."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"Path": Path, "EPOCH_S": EPOCH_S, "digest": hashlib.sha256(b"a").digest()}
    names |= {"anvil": anvil, "audit": audit, "Journal": Journal, "Tracking": Tracking, "Operation": Operation}
    exec(code, names)
    assert (tmp_path / "ledger.json").stat().st_size > 0
