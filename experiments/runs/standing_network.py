"""The network of one run after another: it stays up, cleaned and verified, as long as they want the same."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from experiments.runs.controller_process import Controller, Options, controller
from experiments.runs.progress import OnProgress
from experiments.specification.resolved_run import ResolvedRun
from topologies.constants import Constants
from topologies.emulated import isolation
from topologies.emulated.network import OPENFLOW_PORT, EmulatedNetwork, emulated
from topologies.emulated.openvswitch import Datapath
from topologies.errors import NetworkError
from topologies.topology import Topology
from workloads.scale import Scale

CALIBRATION_HOLDS_S = 600.0


class _Plan(NamedTuple):
    """What makes networks the same: the arguments of `emulated`."""

    topology: Topology
    datapath: Datapath | None
    congestion_control: str
    constants: Constants


@dataclass(frozen=True)
class _Calibration:
    report: dict[str, Any]
    measured_at: float


class StandingNetwork:
    """A context manager that has at most one network up.

    Must be used in namespaces of its own (`topologies.emulated.isolation`).

    Args:
        listener: socket on which the controllers serve their API.
    """

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._stack = contextlib.ExitStack()
        self._up: tuple[_Plan, EmulatedNetwork] | None = None
        self._calibration: _Calibration | None = None

    def __enter__(self) -> StandingNetwork:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.take_down()

    def take_down(self) -> None:
        """Take down the network, if one is up."""
        self._up = self._calibration = None
        self._stack.close()

    @contextlib.contextmanager
    def lent(
        self, run: ResolvedRun, rate_divisor: float, log: Path, on_progress: OnProgress
    ) -> Iterator[tuple[EmulatedNetwork, Controller]]:
        """The network of a run with a controller of its own, all links discovered and all routes installed.

        It is not used again after an error, nor after failures that the run asked for.
        """
        wanted = run.specification
        plan = _Plan(
            run.topology.scaled(rate_divisor),
            None if wanted.network.datapath == "auto" else wanted.network.datapath,
            wanted.network.congestion_control,
            wanted.network.constants(Scale(rate_divisor, wanted.scale.volume_divisor_for(rate_divisor))),
        )
        chosen = wanted.controller
        options = Options(chosen.poll_interval_s, chosen.multipath, chosen.library, run.seed)
        own = isolation.current()
        with controller(plan.topology, own, OPENFLOW_PORT, self._listener, options, log) as control:
            try:
                network = self._standing(plan, on_progress)
                on_progress("waiting for the controller")
                network.connect_controller(require_alive=control.require_alive)
                control.wait_until_ready()
                yield network, control
            except BaseException:
                self.take_down()
                raise
            if wanted.failures:
                self.take_down()

    def _standing(self, plan: _Plan, on_progress: OnProgress) -> EmulatedNetwork:
        if self._up is not None and self._up[0] == plan:
            try:
                self._up[1].renew()
                return self._up[1]
            except NetworkError as error:
                on_progress(f"the network of the last run is of no use: {error}")
        self.take_down()
        on_progress("starting the network")
        network = self._stack.enter_context(emulated(*plan))
        self._up = plan, network
        return network

    def keep_calibration(self, report: dict[str, Any]) -> None:
        """What the network that is up has just been found to carry."""
        self._calibration = _Calibration(report, time.monotonic())

    def forget_calibration(self) -> None:
        """The machine no longer is what it was then."""
        self._calibration = None

    def calibration(self) -> dict[str, Any] | None:
        """What the network that is up was found to carry, and how many seconds ago; None when that is too long."""
        if self._calibration is None:
            return None
        age_s = time.monotonic() - self._calibration.measured_at
        return {**self._calibration.report, "age_s": round(age_s, 1)} if age_s < CALIBRATION_HOLDS_S else None
