"""The one run of a small experiment."""

import contextlib
import functools
from datetime import datetime, timezone

from experiments.records.results_folder import ResultsFolder
from experiments.runs import emulated_run
from experiments.runs.controller_process import listen
from experiments.runs.standing_network import StandingNetwork
from experiments.specification import plan
from experiments.specification.resolved_run import resolve
from tests.emulation.small_run import RATE_DIVISOR, specification
from topologies.emulated import isolation


@contextlib.contextmanager
def prepared(parent, **changed):
    """Its folder, and a call that does it and gives the record; `changed` is what the specification has instead."""
    folder = ResultsFolder.create(parent, specification(parent, **changed), datetime.now(timezone.utc))
    (run,) = map(resolve, plan.runs_of(folder.specification()))
    with listen(isolation.current()) as listener, StandingNetwork(listener) as standing:
        conditions = emulated_run.Conditions(standing, RATE_DIVISOR, force=True)
        yield folder.run(run.id), functools.partial(emulated_run.execute, run, folder.run(run.id), conditions)


def executed(parent, on_progress=lambda _: None, **changed):
    """Its folder and its record."""
    with prepared(parent, **changed) as (folder, execute):
        return folder, execute(on_progress)
