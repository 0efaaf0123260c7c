"""One run from nothing to its record: network up or cleaned, controller ready, calibrated, workload run."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import Any

from experiments.errors import ExperimentError
from experiments.records import provenance, verdict
from experiments.records.outcome import save
from experiments.records.record import RunRecord, ScaleRecord, now
from experiments.records.results_folder import RunFolder
from experiments.runs import network_calibration
from experiments.runs.controller_process import Controller
from experiments.runs.progress import OnProgress
from experiments.runs.standing_network import StandingNetwork
from experiments.runs.workload_run import run_workload
from experiments.specification.resolved_run import ResolvedRun
from topologies.emulated.network import EmulatedNetwork
from workloads.scale import Scale

CALIBRATION_ATTEMPTS = 2


class CalibrationRefused(ExperimentError):
    """The network does not carry what it should; the message says by how much and what to do."""


@dataclass(frozen=True)
class Conditions:
    """How to run, beyond what the specification says.

    Attributes:
        standing: has the network of the run before, which is used again if it is the same.
        rate_divisor: the number to use for this machine and topology.
        force: run although the calibration says that the network is not as planned; the run is doubtful then.
    """

    standing: StandingNetwork
    rate_divisor: float
    force: bool = False


def execute(
    run: ResolvedRun, folder: RunFolder, conditions: Conditions, on_progress: OnProgress = lambda _: None
) -> RunRecord:
    """Do one run and write its record.

    Must be called in namespaces of its own (`topologies.emulated.isolation`).

    Raises:
        CalibrationRefused: the network is out of tolerance and `force` is not set.
        Exception: whatever made the run fail; the record says so as well.
    """
    specification = run.specification
    volume_divisor = specification.scale.volume_divisor_for(conditions.rate_divisor)
    scale = Scale(conditions.rate_divisor, volume_divisor)
    with folder.writing(now) as writer:
        divisors = ScaleRecord(rate_divisor=scale.rate_divisor, volume_divisor=scale.volume_divisor)
        record = RunRecord.open(run, now(), scale=divisors)
        writer.save(record)
        log = folder.path / "controller.log"
        standing = conditions.standing
        with standing.lent(run, scale.rate_divisor, log, on_progress) as (network, control):
            report, problem = _calibrated(run, standing, network, control, on_progress)
            if problem and not conditions.force:
                raise CalibrationRefused(f"{problem}; free the machine, raise scale.rate_divisor, or use --force")
            record = record.updated(calibration=report, provenance=provenance.collect(network, run))
            writer.save(record)
            agents_log = folder.path / "agents.log"
            work = run_workload(run, network, control, scale, agents_log, on_progress, folder.retention)
            outcome = asyncio.run(work)
            network.verify_shaping()
        fidelity = verdict.assess(
            outcome.watched,
            specification.fidelity,
            report["shortfall"],
            problem,
            outcome.decision_share,
            scale.modelled_s(1.0),
        )
        if fidelity.verdict != "trusted":
            standing.forget_calibration()
        return save(run, writer, record, outcome, scale, now(), fidelity)


def _calibrated(
    run: ResolvedRun, standing: StandingNetwork, network: EmulatedNetwork, control: Controller, on_progress: OnProgress
) -> tuple[dict[str, Any], str | None]:
    """What `calibrate` says, or has said of this network a while ago, when all was well."""
    report = standing.calibration()
    if report is not None and report["shortfall"] <= run.specification.fidelity.max_rate_error:
        return report, None
    on_progress("calibrating")
    report, problem = calibrate(run, network, control)
    if problem is None:
        standing.keep_calibration(report)
    return {**report, "age_s": 0.0}, problem


def calibrate(
    run: ResolvedRun,
    network: EmulatedNetwork,
    control: Controller,
    attempts: int = CALIBRATION_ATTEMPTS,
) -> tuple[dict[str, Any], str | None]:
    """The quick calibration: its report, and what is wrong when it is outside of the tolerance in every attempt."""
    tolerance = run.specification.fidelity.max_rate_error
    for attempt in range(1, attempts + 1):
        measured = network_calibration.all_uplinks(
            network,
            lambda *flow: control.path(network.topology, *flow),
            network_calibration.settled_duration_s(network.topology),
        )
        report = {**asdict(measured), "error": measured.error, "shortfall": measured.shortfall, "attempt": attempt}
        if measured.shortfall <= tolerance:
            return report, None
    return report, (
        f"calibration: the up-links carry {measured.measured_mbps:.1f} Mbit/s instead of {measured.fair_mbps:.1f} "
        f"({measured.error:+.1%}, tolerance {tolerance:.0%})"
    )
