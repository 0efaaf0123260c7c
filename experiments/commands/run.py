"""`run`: an experiment in namespaces of its own, its table and its report."""

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

SUMMARY = "run an experiment (the default command)"
EXAMPLES = (
    "sudo run --strategy default neawa --blocking-factor 1 5 --repeats 5",
    "sudo run --spec my-experiment.yaml --set seed=7 scale.rate_divisor=16",
    f"sudo run --resume {EXAMPLE_FOLDER}",
    f"sudo run --resume {EXAMPLE_FOLDER} --repeats 10",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    options.add_description(parser)
    options.add_doing(parser, "a results folder", "the summary")
    options.add_force(parser)
    options.add_draws(parser)
    options.add_port(parser)


def run(
    *,
    output: Path,
    resume: Path | None,
    force: bool,
    allow_mixed: bool,
    quiet: bool,
    as_json: bool,
    http_port: int,
    draws: int | None,
    **described: Unpack[Description],
) -> int:
    """Run what is described, into a new folder, or finish a folder; returns the exit code."""
    from experiments.commands.campaigns import Doing, do_runs, experiment
    from experiments.commands.carrying_out import show_experiment

    options.check_port(http_port)
    options.refuse_beside_resume(resume, output=output, **described)
    console = TextConsole(stderr=as_json)
    doing = Doing("run", "emulated", quiet or as_json, force=force, http_port=http_port, draws=options.draws(draws))
    show = partial(show_experiment, allow_mixed=allow_mixed, as_json=as_json, console=console)
    return do_runs(doing, *experiment(resume, output, "emulated", **described), show, console)
