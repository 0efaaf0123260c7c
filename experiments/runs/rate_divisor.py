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

from pydantic import PositiveFloat, TypeAdapter, ValidationError

from experiments.documents import nofollow
from experiments.documents.atomic import write_text
from experiments.documents.nofollow import FileError
from experiments.records import verdict
from experiments.records.ownership import RATE_DIVISORS
from experiments.records.provenance import machine_fingerprint
from experiments.runs import emulated_run
from experiments.runs.controller_process import Controller, ControllerError
from experiments.runs.emulated_run import Conditions
from experiments.runs.machine_sampler import Probes, Sampler
from experiments.runs.progress import OnProgress
from experiments.runs.workload import JobFailedError
from experiments.runs.workload_run import run_workload
from experiments.specification.model import FidelitySpec
from experiments.specification.resolved_run import ResolvedRun
from topologies.emulated.network import EmulatedNetwork
from workloads.scale import Scale

HEADROOM = 2.0
REHEARSAL_SPEED = 4.0
REHEARSALS = 3
"""When so many fail, it is not for the links' rates: the agents have too much to do in a second of any divisor."""
CANDIDATES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)

_FINDINGS = TypeAdapter(dict[str, PositiveFloat])
_LOAD = {"workload", "node", "data", "network", "controller", "scale", "fidelity"}


def choose_divisor(
    run: ResolvedRun, listener: socket.socket, cache_folder: Path, on_progress: OnProgress = lambda _: None
) -> float:
    """The rate divisor to use for a run.

    `auto` tries the candidates from the smallest on, first with all up-links loaded at once and then with a rehearsal
    of the run. The first that is trusted in both, with reserve in the former, shows what the machine can carry; the
    divisor is `HEADROOM` times that one, because a run's bursts are longer. When `REHEARSALS` have failed, the first at
    which the links have reserve counts, and when there is none, the first at which they pass. The finding is kept in
    `cache_folder` for this machine, network and workload. When none will do, the candidate at which the network falls
    least short is used for now: the verdict on each run says what came of it.
    """
    wanted = run.specification.scale.rate_divisor
    if wanted != "auto":
        return wanted
    cache = cache_folder / RATE_DIVISORS
    known = _known(cache)
    key = trial_key(run)
    if key in known:
        return known[key]
    divisor, passed = _search(run, listener, on_progress)
    if passed:
        write_text(cache, json.dumps({**known, key: divisor}, indent=1))
    else:
        on_progress(f"no rate divisor will do on this machine as it is now; using {divisor:g}")
    return divisor


def _search(run: ResolvedRun, listener: socket.socket, on_progress: OnProgress) -> tuple[float, bool]:
    """The best divisor, and whether it will do."""
    trials: list[Trial] = []
    for divisor in CANDIDATES:
        on_progress(f"trying rate divisor {divisor:g}")
        with tempfile.TemporaryDirectory() as scratch:
            trials.append(_trial(run, Conditions(listener, divisor), nofollow.followed(scratch), on_progress))
        if trials[-1].rehearsed or sum(trial.with_reserve for trial in trials) == REHEARSALS:
            break
    return best(trials)


@dataclass(frozen=True)
class Trial:
    """What came of a divisor: whether links and workload were trusted, and what the links lacked of their rates."""

    divisor: float
    passed: bool
    with_reserve: bool
    rehearsed: bool
    shortfall: float


def best(trials: Sequence[Trial]) -> tuple[float, bool]:
    """The divisor that follows from trials, in ascending order of theirs, and whether it will do."""
    furthest = max(trials, key=lambda trial: (trial.rehearsed, trial.with_reserve, trial.passed))  # the first such
    if furthest.passed:
        return HEADROOM * furthest.divisor, True
    return min(trials, key=lambda trial: trial.shortfall).divisor, False


def _trial(run: ResolvedRun, conditions: Conditions, scratch: Path, on_progress: OnProgress) -> Trial:
    plain = run.specification.fidelity
    with emulated_run.network_with_controller(run, scratch / "controller.log", conditions, on_progress) as (
        network,
        control,
    ):
        hosts = tuple(network.host_pid(host.name) for host in network.topology.hosts)
        sampler = Sampler(Probes(network.switch.vswitchd_pid, (), hosts), time.monotonic())
        sampler.start()
        try:
            report, problem = emulated_run.calibrate(run, network, control, attempts=1)
        finally:
            sampler.stop()
        samples = sampler.samples()
        with_reserve, passed = (
            verdict.assess(samples, thresholds, report["shortfall"], problem).verdict == "trusted"
            for thresholds in (_with_reserve(plain), plain)
        )
        rehearsed = False
        if with_reserve:
            on_progress("rehearsing")
            rehearsed = _rehearsed(run, network, control, conditions.rate_divisor, scratch / "agents.log")
        return Trial(conditions.rate_divisor, passed, with_reserve, rehearsed, report["shortfall"])


def _rehearsed(run: ResolvedRun, network: EmulatedNetwork, control: Controller, rate_divisor: float, log: Path) -> bool:
    """Whether the run's own workload is trusted in a fraction of its time, with bursts instead of steady streams.

    One too short to be sampled proves nothing and is let pass.
    """
    volume_divisor = run.specification.scale.volume_divisor_for(rate_divisor)
    undisturbed = dataclasses.replace(run, specification=run.specification.model_copy(update={"failures": ()}))
    try:
        hurried = Scale(rate_divisor, REHEARSAL_SPEED * volume_divisor)
        outcome = asyncio.run(run_workload(undisturbed, network, control, hurried, log))
    except (JobFailedError, ControllerError):
        return False
    samples = outcome.samples
    speed = Scale(rate_divisor, volume_divisor).modelled_s(1.0)
    return not samples or verdict.assess(samples, run.specification.fidelity, None, speed=speed).verdict == "trusted"


def _with_reserve(thresholds: FidelitySpec) -> FidelitySpec:
    """Stricter thresholds, for a load that is steadier than a run's."""
    return thresholds.model_copy(
        update={
            "max_rate_error": thresholds.max_rate_error / 2,
            "max_receive_delay_s": thresholds.max_receive_delay_s / 4,
            "max_receive_drop_share": thresholds.max_receive_drop_share / 10,
        }
    )


def trial_key(run: ResolvedRun) -> str:
    """The same for runs that a machine carries alike: on one network, with one workload, whatever the strategy."""
    load = run.specification.model_dump_json(include=_LOAD)
    text = "\n".join([machine_fingerprint(), run.topology.to_json(), load])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _known(cache: Path) -> dict[str, float]:
    """What is in the cache; nothing when it is not there or damaged, and it will be made anew."""
    try:
        return _FINDINGS.validate_json(nofollow.read_text(cache))
    except (OSError, FileError, ValidationError):
        return {}
