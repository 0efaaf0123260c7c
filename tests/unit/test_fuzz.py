"""Damaged files of every kind are told in lines: the short form of `python -m tests.fuzz`."""

import subprocess
import sys

import pytest


@pytest.mark.timeout(400)
def test_no_damaged_file_makes_a_traceback_hangs_or_fills_the_memory():
    words = [sys.executable, "-m", "tests.fuzz", "--cases", "150"]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
