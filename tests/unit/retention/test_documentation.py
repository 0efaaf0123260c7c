"""The example of docs/retention.md runs."""

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np

from retention import anvil_chain, audit
from retention.block_times import block_times
from retention.terms import Terms
from retention.timeline import Timeline
from retention.transactions import Operation
from tests.unit.retention.conftest import EPOCH_S

PAGE = (Path(__file__).parents[3] / "docs" / "retention.md").read_text()


def test_the_example_runs(node, tmp_path, monkeypatch):
    """`node` skips it where there is no ledger."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"Path": Path, "EPOCH_S": EPOCH_S, "digest": hashlib.sha256(b"a").digest(), "np": np}
    names |= {"AnvilChain": anvil_chain.AnvilChain, "Terms": Terms, "Timeline": Timeline, "block_times": block_times}
    exec(code, names | {"audit": audit, "Operation": Operation})
    assert (tmp_path / "ledger" / "ledger.json").stat().st_size > 0
