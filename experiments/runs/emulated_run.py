"""One run from nothing to its record: network up, controller ready, calibrated, workload run, network down."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from experiments.errors import ExperimentError
from experiments.records import provenance, verdict
from experiments.records.outcome import save
from experiments.records.record import RunRecord, ScaleRecord, now
from experiments.records.results_folder import RunFolder
from experiments.runs import network_calibration
from experiments.runs.controller_process import Controller, Options, controller
from experiments.runs.progress import OnProgress
from experiments.runs.workload_run import run_workload
from experiments.specification.resolved_run import ResolvedRun
from topologies.emulated import isolation
from topologies.emulated.network import OPENFLOW_PORT, EmulatedNetwork, emulated
from workloads.scale import Scale

CALIBRATION_ATTEMPTS = 2


class CalibrationRefused(ExperimentError):
    """The network does not carry what it should; the message says by how much and what to do."""


@dataclass(frozen=True)
class Conditions:
    """How to run, beyond what the specification says.

    Attributes:
        listener: socket on which the controller serves its API.
        rate_divisor: the number to use for this machine and topology.
        force: run although the calibration says that the network is not as planned; the run is doubtful then.
    """

    listener: socket.socket
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
        with network_with_controller(run, log, conditions, on_progress) as (network, control):
            on_progress("calibrating")
            report, problem = calibrate(run, network, control)
            if problem and not conditions.force:
                raise CalibrationRefused(f"{problem}; free the machine, raise scale.rate_divisor, or use --force")
            record = record.updated(calibration=report, provenance=provenance.collect(network, run))
            writer.save(record)
            outcome = asyncio.run(run_workload(run, network, control, scale, folder.path / "agents.log", on_progress))
            network.verify_shaping()
        fidelity = verdict.assess(
            outcome.samples,
            specification.fidelity,
            report["shortfall"],
            problem,
            outcome.decision_share,
            scale.modelled_s(1.0),
        )
        return save(run, writer, record, outcome, scale, now(), fidelity)


@contextlib.contextmanager
def network_with_controller(
    run: ResolvedRun, log: Path, conditions: Conditions, on_progress: OnProgress
) -> Iterator[tuple[EmulatedNetwork, Controller]]:
    """The network of a run with its controller, all links discovered and all routes installed."""
    specification = run.specification
    own = isolation.current()
    topology = run.topology.scaled(conditions.rate_divisor)
    scale = Scale(conditions.rate_divisor, specification.scale.volume_divisor_for(conditions.rate_divisor))
    chosen = specification.controller
    options = Options(chosen.poll_interval_s, chosen.multipath, chosen.library, run.seed)
    datapath = specification.network.datapath
    with contextlib.ExitStack() as stack:
        on_progress("starting the network")
        control = stack.enter_context(controller(topology, own, OPENFLOW_PORT, conditions.listener, options, log))
        network = stack.enter_context(
            emulated(
                topology,
                datapath=None if datapath == "auto" else datapath,
                congestion_control=specification.network.congestion_control,
                constants=specification.network.constants(scale),
            )
        )
        on_progress("waiting for the controller")
        network.connect_controller(require_alive=control.require_alive)
        control.wait_until_ready()
        yield network, control


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
