"""`simulate`: an experiment by the twin, which computes the network as a fluid; takes no root."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.commands import options
from experiments.commands.options import EXAMPLE_FOLDER, Description
from experiments.documents.terminal import TextConsole

if TYPE_CHECKING:
    from typing_extensions import Unpack

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
    from experiments.commands.campaigns import Doing, do_runs, experiment
    from experiments.commands.carrying_out import show_experiment

    options.refuse_beside_resume(resume, output=output, **described)
    console = TextConsole(stderr=as_json)
    wanted = options.processes(processes)
    doing = Doing("simulate", "simulated", quiet or as_json, scheduler=scheduler, processes=wanted)
    show = partial(show_experiment, allow_mixed=allow_mixed, as_json=as_json, console=console)
    return do_runs(doing, *experiment(resume, output, "simulated", **described), show, console)
