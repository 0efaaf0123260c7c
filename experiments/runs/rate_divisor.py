"""The rate divisor of a run: as specified, or the smallest that this machine carries with CPU to spare."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import json
import tempfile
from pathlib import Path

from pydantic import PositiveFloat, TypeAdapter, ValidationError

from experiments.documents import nofollow
from experiments.documents.atomic import write_text
from experiments.documents.nofollow import FileError
from experiments.records import verdict
from experiments.records.ownership import RATE_DIVISORS
from experiments.records.provenance import machine_fingerprint
from experiments.records.verdict import Watched
from experiments.runs import network_calibration
from experiments.runs.controller_process import ControllerError
from experiments.runs.progress import OnProgress
from experiments.runs.standing_network import StandingNetwork
from experiments.runs.workload import JobFailedError
from experiments.runs.workload_run import run_workload
from experiments.specification.resolved_run import ResolvedRun
from workloads.scale import Scale

HEADROOM = 4.0
"""What slow links have more of than fast ones: frames for the same bytes, twice as many; and a run, bursts."""
CANDIDATES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
REHEARSALS = 3
_SATURATED_S = 2
_REHEARSAL_SPEED = 1.5
_REHEARSED_S = 3.0

_FINDINGS = TypeAdapter(dict[str, PositiveFloat])
_LOAD = {"node", "nodes", "data", "files", "retention", "network", "controller", "scale", "fidelity"}


def choose_divisor(
    run: ResolvedRun, standing: StandingNetwork, cache_folder: Path, on_progress: OnProgress = lambda _: None
) -> float:
    """The rate divisor to use for a run.

    `auto` loads all up-links of the undivided network at once. What they should carry over what they do, which is as
    much as the machine can forward, times `HEADROOM`, is the least divisor. From the next candidate on, the run is
    rehearsed for some seconds until one is trusted, and the finding is kept in `cache_folder` for this machine, network
    and workload. When `REHEARSALS` have failed, it is not for the links' rates, and the first candidate is used for
    now: the verdict on each run says what came of it.
    """
    wanted = run.specification.scale.rate_divisor
    if wanted != "auto":
        return wanted
    cache = cache_folder / RATE_DIVISORS
    known = _known(cache)
    key = trial_key(run)
    if key in known:
        return known[key]
    divisor, passed = _search(run, standing, on_progress)
    if passed:
        write_text(cache, json.dumps({**known, key: divisor}, indent=1))
    else:
        on_progress(f"no rehearsal is trusted on this machine as it is now; using rate divisor {divisor:g}")
    return divisor


def _search(run: ResolvedRun, standing: StandingNetwork, on_progress: OnProgress) -> tuple[float, bool]:
    """The divisor, and whether its rehearsal was trusted."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = nofollow.followed(scratch)
        least = HEADROOM * _overload(run, standing, folder / "controller.log", on_progress)
        candidates = worth_trying(least)
        for divisor in candidates:
            on_progress(f"rehearsing at rate divisor {divisor:g}")
            if not (reasons := _doubts(run, standing, divisor, folder)):
                return divisor, True
            on_progress(f"not trusted: {reasons[0]}")
    return candidates[0], False


def worth_trying(least: float) -> tuple[float, ...]:
    """The first `REHEARSALS` candidates that are not below the least divisor, or the last one."""
    return tuple(divisor for divisor in CANDIDATES if divisor >= least)[:REHEARSALS] or CANDIDATES[-1:]


def _overload(run: ResolvedRun, standing: StandingNetwork, log: Path, on_progress: OnProgress) -> float:
    """What the undivided up-links should carry, over what the machine forwards of it; 1 when that is all."""
    on_progress("measuring how much the machine forwards")
    with standing.lent(run, 1.0, log, lambda _: None) as (network, control):
        measured = network_calibration.all_uplinks(
            network, lambda *flow: control.path(network.topology, *flow), _SATURATED_S
        )
    return max(1.0, measured.fair_mbps / measured.measured_mbps) if measured.measured_mbps else 1.0


def _doubts(run: ResolvedRun, standing: StandingNetwork, divisor: float, folder: Path) -> tuple[str, ...]:
    """Why the first seconds of the run's own workload, in a fraction of their time, are not trusted.

    Agents may wait for a core longer by as much as they have more to do. A workload too short to be sampled proves
    nothing and is let pass.
    """
    volume_divisor = run.specification.scale.volume_divisor_for(divisor)
    undisturbed = dataclasses.replace(run, specification=run.specification.model_copy(update={"failures": ()}))
    hurried = Scale(divisor, _REHEARSAL_SPEED * volume_divisor)
    try:
        with standing.lent(run, divisor, folder / "controller.log", lambda _: None) as (network, control):
            agents_log = folder / "agents.log"
            work = run_workload(undisturbed, network, control, hurried, agents_log, at_most_s=_REHEARSED_S)
            watched = asyncio.run(work).watched
    except (JobFailedError, ControllerError) as error:
        return (str(error),)
    speed = Scale(divisor, volume_divisor).modelled_s(1.0) / _REHEARSAL_SPEED
    machine = Watched(watched.samples)  # the first burst holds datagrams up longer than the rest of a run does
    return verdict.assess(machine, run.specification.fidelity, None, speed=speed).reasons if machine.samples else ()


def trial_key(run: ResolvedRun) -> str:
    """The same for runs that a machine carries alike: on one network, with one workload, whatever the strategy."""
    load = run.specification.model_dump_json(include=_LOAD)
    jobs = [(planned.at_s, planned.job, planned.files) for planned in run.jobs]
    text = "\n".join([machine_fingerprint(), run.topology.to_json(), load, repr(jobs)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _known(cache: Path) -> dict[str, float]:
    """What is in the cache; nothing when it is not there or damaged, and it will be made anew."""
    try:
        return _FINDINGS.validate_json(nofollow.read_text(cache))
    except (OSError, FileError, ValidationError):
        return {}
