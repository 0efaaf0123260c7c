"""Loops give the same results whether they are compiled or not."""

import subprocess
import sys

import pytest

from placement.compiling import COMPILED

SIMULATION = """
import importlib.util, sys
found = importlib.util.find_spec
if sys.argv[1] == "plain":
    importlib.util.find_spec = lambda name, *package: None if name == "numba" else found(name, *package)
from experiments.runs.simulated_run import simulate
from experiments.specification import plan, specification_file
from experiments.specification.resolved_run import resolve
from placement.compiling import COMPILED
from workloads.scale import Scale

assert COMPILED == (sys.argv[1] == "compiled")
jobs = "[{profile: kmeans, input_bytes: 8000000000}, {profile: tpch-q10, input_bytes: 4000000000}]"
wanted = ["workload.preset=null", f"workload.jobs={jobs}"]
specification = specification_file.override(specification_file.load("thesis"), wanted)
outcome = simulate(resolve(plan.runs_of(specification)[0]), Scale(8, 512))
print([result.finished_s for result in outcome.results], len(outcome.events))
print([link["tx_bytes"] for link in outcome.link_readings[-1]["links"]])
"""


@pytest.mark.skipif(not COMPILED, reason="numba is not installed")
def test_plain_loops_give_what_compiled_ones_do():
    compiled, plain = (
        subprocess.run([sys.executable, "-c", SIMULATION, how], check=True, capture_output=True, text=True).stdout
        for how in ("compiled", "plain")
    )
    assert compiled == plain
    assert len(compiled) > 500
