"""What numba compiled is kept, and used again as long as it is what the sources say."""

import os
import subprocess
import sys

import pytest

from placement.compiling import COMPILED, compiler, folder_of

ANNEALED = """
import numpy as np
from placement import Annealer, Instance
from placement.search import compiled_moves
from tests.unit.placement.worlds import thesis_problem
Annealer().place(Instance.of(*thesis_problem()), np.random.default_rng(1), True)
print(sum(compiled_moves.run.stats.cache_hits.values()), sum(compiled_moves.run.stats.cache_misses.values()))
"""


def test_what_was_compiled_of_other_sources_is_not_used(tmp_path):
    for name in ("a.py", "b.py"):
        (tmp_path / name).write_text("x = 1\n")
    first = folder_of(tmp_path)
    assert first.startswith(str(tmp_path / "__pycache__"))
    assert folder_of(tmp_path, "/var/kept").startswith("/var/kept/")
    (tmp_path / "b.py").write_text("x = 2\n")
    assert folder_of(tmp_path) != first


@pytest.mark.skipif(not COMPILED, reason="numba is not installed")
def test_the_next_process_compiles_no_moves(tmp_path):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    first, second = (
        subprocess.run([sys.executable, "-c", ANNEALED], check=True, capture_output=True, text=True, env=environment)
        for _ in range(2)
    )
    assert first.stdout == "0 1\n"
    assert second.stdout == "1 0\n"


@pytest.mark.skipif(not COMPILED, reason="numba is not installed")
def test_where_nothing_can_be_kept_loops_are_compiled_anew(monkeypatch, tmp_path):
    def nowhere(dispatcher):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr("numba.core.dispatcher.Dispatcher.enable_caching", nowhere)
    twice = compiler(tmp_path)(lambda number: 2 * number)
    assert twice(21) == 42
    assert len(twice.signatures) == 1  # type: ignore[attr-defined]  # of numba's
