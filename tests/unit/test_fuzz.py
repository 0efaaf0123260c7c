"""Damaged files of every kind are told in lines: the short form of `python -m tests.fuzz`."""

import subprocess
import sys
from random import Random

import pytest

from controller.__main__ import _read_topology
from experiments.records.ownership import RATE_DIVISORS
from experiments.runs import rate_divisor
from tests.fuzz.mutations import damage
from topologies.fat_tree import thesis
from topologies.topology import Topology


@pytest.mark.timeout(400)
def test_no_damaged_file_makes_a_traceback_hangs_or_fills_the_memory():
    words = [sys.executable, "-m", "tests.fuzz", "--cases", "150"]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_damaged_topology_is_refused_in_a_line_or_makes_a_network(tmp_path, capsys):
    path, codes = tmp_path / "topology.json", []
    for seed in range(200):
        path.unlink(missing_ok=True)
        path.write_text(thesis().to_json())
        damage(path, Random(seed))
        try:
            found = _read_topology(path)
        except SystemExit as ended:
            codes.append(ended.code)
            assert len(capsys.readouterr().err.splitlines()) == 1
        else:
            assert isinstance(found, Topology)
    assert len(codes) > 100
    assert set(codes) == {2}


def test_a_damaged_cache_of_rate_divisors_holds_numbers_or_nothing(tmp_path):
    path = tmp_path / RATE_DIVISORS
    for seed in range(200):
        path.unlink(missing_ok=True)
        path.write_text('{"a": 16.0, "b": 8.0}')
        damage(path, Random(seed))
        found = rate_divisor._known(path)
        assert all(isinstance(key, str) and value > 0 for key, value in found.items())
