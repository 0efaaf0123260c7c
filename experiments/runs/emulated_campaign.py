"""The runs of a campaign, emulated on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from experiments.records.record import RunRecord
from experiments.records.results_folder import Assignment, ResultsFolder
from experiments.runs import campaign, emulated_run
from experiments.runs.controller_process import listen
from experiments.runs.emulated_run import Conditions
from experiments.runs.progress import OnProgress, Reporter
from experiments.runs.rate_divisor import choose_divisor, trial_key
from experiments.runs.standing_network import StandingNetwork
from experiments.specification.plan import Run
from experiments.specification.resolved_run import ResolvedRun, resolve
from topologies.emulated import isolation


@dataclass(frozen=True)
class Options:
    """How to do the runs.

    Attributes:
        http_port: loopback port of the controller's API; 0 takes a free one.
        force: run although the calibration is out of tolerance.
    """

    http_port: int = 0
    force: bool = False


def run_all(folder: ResultsFolder, options: Options, reporter: Reporter) -> list[str]:
    """Do those runs of a results folder that have not finished yet: see `emulate`."""
    return emulate(folder.assignments(), folder.path.parent, options, reporter)


def emulate(assignments: Sequence[Assignment], cache_folder: Path, options: Options, reporter: Reporter) -> list[str]:
    """Do those runs that have not finished yet; see `campaign.do`.

    Raises:
        ControllerError: the port is taken.
        KeyboardInterrupt, SystemExit: the user stopped it; the runs so far are in their folders.
    """
    with listen(isolation.current(), options.http_port) as listener, StandingNetwork(listener) as standing:
        return campaign.do(assignments, _Emulation(standing, cache_folder, options.force).execute, reporter)


@dataclass
class _Emulation:
    """Does runs on this machine, those that are to be compared with the same rate divisor."""

    standing: StandingNetwork
    cache_folder: Path
    force: bool
    _divisors: dict[str, float] = field(default_factory=dict)

    def execute(self, assignment: Assignment, run: Run, on_progress: OnProgress) -> RunRecord:
        resolved = resolve(run)
        conditions = Conditions(self.standing, self._divisor(assignment.folder, resolved, on_progress), self.force)
        return emulated_run.execute(resolved, assignment.folder.run(run.id), conditions, on_progress)

    def _divisor(self, folder: ResultsFolder, run: ResolvedRun, on_progress: OnProgress) -> float:
        """That of the folder's runs on the same network, else the choice for this network."""
        for record in folder.records():
            same = record.status == "finished" and record.blocking_factor == run.blocking_factor
            if same and record.scale is not None:
                return record.scale.rate_divisor
        key = trial_key(run)
        if key not in self._divisors:
            self._divisors[key] = choose_divisor(run, self.standing, self.cache_folder, on_progress)
        return self._divisors[key]
