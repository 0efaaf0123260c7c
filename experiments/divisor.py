"""The rate divisor of a run: as specified, or the smallest that this machine carries with CPU to spare."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import socket
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments import fidelity, runner
from experiments.atomic import write_text
from experiments.controller_process import Controller
from experiments.fidelity import Probes, Sample, Sampler
from experiments.plan import Run
from experiments.progress import Say
from experiments.provenance import machine_fingerprint
from experiments.runner import Conditions
from experiments.specification import FidelitySpec
from experiments.workload_run import run_workload
from topologies.emulation import EmulatedNetwork
from workloads.scale import Scale

REHEARSAL_SPEED = 4
CANDIDATES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)


def choose_divisor(run: Run, listener: socket.socket, cache_folder: Path, say: Say = lambda _: None) -> float:
    """The rate divisor to use for a run.

    `auto` tries the candidates from the smallest on, first with all links loaded at once and then with a rehearsal of
    the run, and takes the first that passes both with reserve; when there is none, the first that passes without. The
    finding is kept in `cache_folder` for this machine, topology and workload. When none will do, the one at which the
    network falls least short is used for now: the verdict on each run says what came of it.
    """
    wanted = run.specification.scale.rate_divisor
    if wanted != "auto":
        return wanted
    cache = cache_folder / ".rate-divisors.json"
    known: dict[str, float] = json.loads(cache.read_text()) if cache.is_file() else {}
    key = _key(run)
    if key in known:
        return known[key]
    divisor, passed = _search(run, listener, say)
    if passed:
        write_text(cache, json.dumps({**known, key: divisor}, indent=1))
    else:
        say(f"no rate divisor will do on this machine as it is now; using {divisor:g}")
    return divisor


def _search(run: Run, listener: socket.socket, say: Say) -> tuple[float, bool]:
    """The best divisor, and whether it will do."""
    barely: list[float] = []
    shortfalls: dict[float, float] = {}
    for divisor in CANDIDATES:
        say(f"trying rate divisor {divisor:g}")
        with tempfile.TemporaryDirectory() as scratch:
            trial = _trial(run, Conditions(listener, divisor), Path(scratch), say)
        if trial.with_reserve:
            return divisor, True
        if trial.passed:
            barely.append(divisor)
        shortfalls[divisor] = trial.shortfall
    return (barely[0], True) if barely else (min(shortfalls, key=lambda divisor: shortfalls[divisor]), False)


@dataclass(frozen=True)
class _Trial:
    """What came of a divisor: whether all of it was trusted, with reserve too, and what the links lacked."""

    passed: bool
    with_reserve: bool
    shortfall: float


def _trial(run: Run, conditions: Conditions, scratch: Path, say: Say) -> _Trial:
    with runner.network_with_controller(run, scratch / "controller.log", conditions, say) as (network, control):
        hosts = tuple(network.host_pid(host.name) for host in network.topology.hosts)
        sampler = Sampler(Probes(network.switch.vswitchd_pid, (), hosts), time.monotonic())
        sampler.start()
        try:
            report, problem = runner.calibrate(run, network, control, attempts=1, with_neighbours=True)
        finally:
            samples = sampler.stop()
        plain = run.specification.fidelity
        reserve = _with_reserve(plain)
        shortfall = report["shortfall"]
        if not _trusted(samples, plain, shortfall, problem):
            return _Trial(False, False, shortfall)
        say("rehearsing")
        rehearsal = _rehearse(run, network, control, conditions.rate_divisor)
    with_reserve = _trusted(samples, reserve, shortfall, problem) and _trusted(rehearsal, reserve)
    return _Trial(_trusted(rehearsal, plain), with_reserve, shortfall)


def _trusted(
    samples: Sequence[Sample], thresholds: FidelitySpec, shortfall: float | None = None, problem: str | None = None
) -> bool:
    return fidelity.assess(samples, thresholds, shortfall, problem).verdict == "trusted"


def _rehearse(run: Run, network: EmulatedNetwork, control: Controller, rate_divisor: float) -> tuple[Sample, ...]:
    """Samples of the run's own workload in a fraction of its time: bursts, unlike the calibration's steady streams."""
    volume_divisor = REHEARSAL_SPEED * run.specification.scale.volume_divisor_for(rate_divisor)
    undisturbed = dataclasses.replace(run, specification=run.specification.model_copy(update={"failures": ()}))
    return asyncio.run(run_workload(undisturbed, network, control, Scale(rate_divisor, volume_divisor))).samples


def _with_reserve(thresholds: FidelitySpec) -> FidelitySpec:
    """Thresholds that leave room for a run, whose bursts are longer than the trial's."""
    return thresholds.model_copy(
        update={
            "max_rate_error": thresholds.max_rate_error / 2,
            "max_receive_delay_s": thresholds.max_receive_delay_s / 4,
            "max_receive_drop_share": thresholds.max_receive_drop_share / 10,
        }
    )


def _key(run: Run) -> str:
    parts = {"network", "workload", "node", "data", "fidelity"}
    specification = run.specification.model_dump_json(include=parts)
    text = "\n".join([machine_fingerprint(), run.topology().to_json(), specification])
    return hashlib.sha256(text.encode()).hexdigest()[:16]
