"""Whether datagrams find what disturbs an emulation, and nothing where nothing does; and what sending them takes.

`python -m topologies.emulated.isolation -- python -m tests.benchmarks.bench_delay_probe [--runs 20] [--seconds 100]`
runs the thesis's experiment under its default placement, or its first seconds: so many times undisturbed, so many times
with processes beside it that take every core for a moment again and again, and so many times with the switches stopped
for a moment again and again. It prints a row for each run, and how many of each kind were found.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import psutil
from rich.console import Console

from experiments.records import verdict
from experiments.records.record import Fidelity
from experiments.runs import delay_probe
from experiments.runs.controller_process import listen
from experiments.runs.standing_network import StandingNetwork
from experiments.runs.workload_run import run_workload
from experiments.specification import specification_file
from experiments.specification.plan import runs_of
from experiments.specification.resolved_run import ResolvedRun, resolve
from topologies.emulated import isolation
from topologies.emulated.network import EmulatedNetwork
from topologies.emulated.openvswitch import OpenVSwitch
from workloads.scale import Scale

SCALE = Scale(8, 1024)
STOPPED_S, RUNNING_S = 0.25, 2.25
FIGURE = "packet_delay_s_p99"
OTHERS = "receive_delay_s_p95", "run_queue_delay_s_p95", "cpu_idle_p05"


def compute() -> None:
    """Take a core, for 100 of every 400 ms, from whatever does not run in real time."""
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    while True:
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            pass
        time.sleep(0.3)


@contextlib.contextmanager
def undisturbed(_network: EmulatedNetwork) -> Iterator[None]:
    """Nothing happens."""
    yield


@contextlib.contextmanager
def contention(_network: EmulatedNetwork) -> Iterator[None]:
    """A process in real time for each core takes it again and again, as other guests of a host do."""
    others = [multiprocessing.Process(target=compute, daemon=True) for _ in range(os.cpu_count() or 1)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.join()


@contextlib.contextmanager
def stopped_switches(network: EmulatedNetwork) -> Iterator[None]:
    """The switches' process stands still for a quarter of a second in every two and a half."""
    pid, over = network.switch.vswitchd_pid, threading.Event()

    def stop() -> None:
        while not over.wait(RUNNING_S):
            os.kill(pid, signal.SIGSTOP)
            over.wait(STOPPED_S)
            os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=stop)
    with mock.patch.object(OpenVSwitch, "require_alive"):  # it fails a run that it finds stopped
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


Disturbance = Callable[[EmulatedNetwork], contextlib.AbstractContextManager[None]]
KINDS: tuple[Disturbance, ...] = (undisturbed, contention, stopped_switches)


def probed(run: ResolvedRun, standing: StandingNetwork, disturbance: Disturbance, seconds: float) -> Fidelity:
    """The verdict on the first seconds of a run."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with (
            standing.lent(run, SCALE.rate_divisor, folder / "controller.log", lambda _: None) as (network, control),
            disturbance(network),
        ):
            work = run_workload(run, network, control, SCALE, folder / "agents.log", at_most_s=seconds)
            outcome = asyncio.run(work)
    return verdict.assess(outcome.watched, run.specification.fidelity, None, speed=SCALE.modelled_s(1.0))


@contextlib.contextmanager
def cpu_of_probes(shares: list[float]) -> Iterator[None]:
    """Keep what every probe used of a core, until it ended."""
    finish = delay_probe.DelayProbe.finish

    def finish_and_count(self: delay_probe.DelayProbe) -> object:
        process = psutil.Process(self.pid)
        times = process.cpu_times()
        shares.append((times.user + times.system) / (time.time() - process.create_time()))
        return finish(self)

    delay_probe.DelayProbe.finish = finish_and_count  # type: ignore[method-assign,assignment]
    try:
        yield
    finally:
        delay_probe.DelayProbe.finish = finish  # type: ignore[method-assign]


def main() -> int:
    """Run, print; 1 when a disturbance was missed or an undisturbed run was blamed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=100.0)
    parser.add_argument("--kinds", nargs="+", choices=[kind.__name__ for kind in KINDS], help="all unless given")
    options = parser.parse_args()
    specification = specification_file.override(specification_file.load("thesis"), ["strategies=[default]"])
    run = resolve(runs_of(specification)[0])
    console = Console(width=160)
    wrong, shares = 0, list[float]()
    with listen(isolation.current()) as listener, StandingNetwork(listener) as standing, cpu_of_probes(shares):
        for kind in KINDS:
            if options.kinds and kind.__name__ not in options.kinds:
                continue
            found = []
            for _ in range(options.runs):
                found.append(probed(run, standing, kind, options.seconds))
                figures = ", ".join(f"{name} {found[-1].figures[name] or 0:.4f}" for name in (FIGURE, *OTHERS))
                console.print(f"{kind.__name__}: {figures}; {'; '.join(found[-1].reasons)}", highlight=False)
            blamed = sum(FIGURE in "; ".join(one.reasons) for one in found)
            doubtful = sum(one.verdict == "doubtful" for one in found)
            console.print(f"{kind.__name__}: {FIGURE} blames {blamed} of {len(found)}, {doubtful} are doubtful")
            wrong += blamed if kind is undisturbed else len(found) - blamed
    console.print(f"CPU of the probe: {max(shares):.1%} of a core at most")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
