"""How the twin's time grows with the network: a job that shuffles all-to-all, and the thesis's experiment.

`python -m tests.benchmarks.bench_twin_speed [--hosts 8 64 256 1024 4096 10000 100000]` simulates a job of a tenth as
many tasks as hosts (at least 7, at most 1,000) that reads, shuffles behind a barrier and ends, on fat trees at a
blocking factor of 5, each in a process of its own that has loaded its compiled loops. It prints the seconds for the
specification and the network, and for the run, flows a second and memory; then the medians of the thesis's runs and of
eight jobs of 31 tasks on 64 nodes (figure 5.8) over the run on the smallest network.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from experiments.runs.simulated_run import simulate
from experiments.specification import plan, specification_file, sweep_file
from experiments.specification.model import Specification
from experiments.specification.resolved_run import resolve
from experiments.specification.sweep import points
from workloads.coordination.events import Transfers
from workloads.scale import Scale

SCALE = Scale(rate_divisor=8, volume_divisor=512)
SHUFFLE = {
    "name": "shuffle",
    "description": "Reads a file and shuffles it.",
    "provenance": "made up for the benchmark",
    "weights": {"closeness": 0.5, "locality": 0.5},
    "input_bytes": 10**9,
    "containers": 8,
    "slots_per_container": 1,
    "memory_mb": 3072,
    "vcores": 1,
    "stages": [
        {"name": "map", "inputs": [{"read": "data", "share": 1.0, "cpu_s_per_gb": 10.0}]},
        {
            "name": "reduce",
            "inputs": [{"from": "map", "bytes_per_input_byte": 1.0, "cpu_s_per_gb": 10.0, "pipelined": False}],
        },
    ],
}


class Taken(NamedTuple):
    """Seconds of CPU, and what was done in them."""

    prepared_s: float
    run_s: float
    flows: int
    modelled_s: float
    megabytes: float


def specification(hosts: int, tasks: int) -> dict[str, Any]:
    """One job of so many tasks, a gigabyte each, on so many hosts."""
    in_rack = 250 if hosts > 40 * 255 else 40 if hosts >= 1024 else min(16, hosts // 4)
    parameters = {"racks": hosts // in_rack, "hosts_per_rack": in_rack, "core_switches": 4, "uplink_ports_per_rack": 16}
    job = {"profile": "shuffle", "containers": tasks + 1, "input_bytes": 10**9 * tasks}
    return {
        "schema_version": 1,
        "name": "scale",
        "topology": {"preset": "fat-tree", "parameters": parameters, "blocking_factor": 5},
        "strategies": ["default"],
        "workload": {"jobs": [job], "profiles": {"shuffle": SHUFFLE}},
    }


def shuffled(hosts: int, tasks: int) -> Taken:
    """What a job takes; the loops have been compiled by a small one."""
    simulate(resolve(plan.runs_of(specification_file.parse(specification(8, 7)))[0]), SCALE)
    begun = time.process_time()
    run = resolve(plan.runs_of(specification_file.parse(specification(hosts, tasks)))[0])
    prepared = time.process_time()
    outcome = simulate(run, SCALE)
    ended = time.process_time()
    (result,) = outcome.results
    flows = sum(len(some.times_s) if isinstance(some, Transfers) else some.kind == "read" for some in outcome.kept)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    assert result.finished_s is not None
    return Taken(prepared - begun, ended - prepared, flows, SCALE.modelled_s(result.finished_s), memory)


def thesis() -> float:
    """Median seconds of CPU of the runs of the thesis's experiment, each done twice before."""
    return median_s(specification_file.load("thesis"), 5)


def figure() -> float:
    """The same of eight jobs of 31 tasks on 64 nodes."""
    return median_s(points(sweep_file.load("figure-5.8"))[0].specification, 3)


def median_s(specification: Specification, repeats: int) -> float:
    """Median seconds of CPU of the runs of a specification, in a few repeats after two that do not count."""
    runs = [resolve(run) for run in plan.runs_of(specification)]
    taken_s = []
    for repeat in range(2 + repeats):
        for run in runs:
            begun = time.process_time()
            simulate(run, SCALE)
            taken_s += [time.process_time() - begun] if repeat >= 2 else []
    return statistics.median(taken_s)


def apart(function: Any, *arguments: Any) -> Any:
    """What a function returns in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, nargs="+", default=[8, 64, 256, 1024, 4096, 10000, 100000])
    options = parser.parse_args()
    table = Table(title="One shuffle behind a barrier")
    for name in ("Hosts", "Tasks", "Flows", "Modelled, s", "Prepared, CPU s", "Run, CPU s", "Flows a second", "MB"):
        table.add_column(name, justify="right")
    least_s = None
    for hosts in options.hosts:
        tasks = max(7, min(1000, hosts // 10))
        taken: Taken = apart(shuffled, hosts, tasks)
        least_s = least_s or taken.run_s
        figures = (
            f"{taken.prepared_s:.2f}",
            f"{taken.run_s:.2f}",
            f"{taken.flows / taken.run_s:.0f}",
            f"{taken.megabytes:.0f}",
        )
        table.add_row(str(hosts), str(tasks), str(taken.flows), f"{taken.modelled_s:.0f}", *figures)
    console = Console()
    console.print(table)
    for name, measure in (("a run of the thesis's experiment", thesis), ("eight jobs on 64 nodes", figure)):
        taken_s: float = apart(measure)
        console.print(f"{name}: {taken_s:.2f} CPU s, {taken_s / least_s:.1f} times the first row's")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
