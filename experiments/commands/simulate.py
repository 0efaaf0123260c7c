"""`simulate`: an experiment by the twin, which computes the network as a fluid; takes no root."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.commands import options
from experiments.commands.options import EXAMPLE_FOLDER, Description
from experiments.documents.terminal import TextConsole

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from experiments.records.results_folder import ResultsFolder

SUMMARY = "run an experiment by simulation: nothing is emulated, and it takes no root"
EXAMPLES = (
    "simulate --repeats 200",
    "simulate --spec my-experiment.yaml --strategy default neawa --blocking-factor 1 2 5 10 20 --repeats 50",
    "simulate --repeats 1000 --scheduler tcp://10.0.0.1:8786",
    f"simulate --resume {EXAMPLE_FOLDER} --repeats 400",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    options.add_description(parser)
    options.add_doing(parser, "a results folder", "the summary")
    options.add_processes(parser)
    options.add_scheduler(parser)


def run(
    *,
    output: Path,
    resume: Path | None,
    allow_mixed: bool,
    quiet: bool,
    as_json: bool,
    processes: int | None,
    scheduler: str | None,
    **described: Unpack[Description],
) -> int:
    """Simulate what is described, into a new folder, or finish a folder; returns the exit code."""
    from experiments.commands.campaigns import Doing, do_runs, refuse_other_kind
    from experiments.commands.carrying_out import show_experiment
    from experiments.records.results_folder import ResultsFolder
    from experiments.specification import plan

    options.refuse_beside_resume(resume, output=output, **described)
    doing = Doing("simulate", "simulated", scheduler, False, options.processes(processes), quiet or as_json)
    console = TextConsole(stderr=as_json)
    open_folder: Callable[[], ResultsFolder]
    if resume is not None:
        options.refuse_sweep(resume, "sweep --simulate")
        repeats = options.repeats(described["repeats"])
        kept = ResultsFolder.open(resume)
        refuse_other_kind([kept], "simulated", f"finish it with `run --resume {resume}`")
        specification, open_folder = kept.extended(repeats), partial(kept.extend, repeats)
        plan.check(specification)
    else:
        specification = options.specification(**described)
        open_folder = partial(ResultsFolder.create, output, specification, datetime.now().astimezone())
    show = partial(show_experiment, allow_mixed=allow_mixed, as_json=as_json, console=console)
    return do_runs(doing, [specification], open_folder, show, console)
