"""`run`: an experiment in namespaces of its own, its table and its report."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.commands import options
from experiments.commands.answers import answer_isolated
from experiments.commands.options import EXAMPLE_FOLDER, Description
from experiments.documents.terminal import TextConsole

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from experiments.records.results_folder import ResultsFolder

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
    **described: Unpack[Description],
) -> int:
    """Run what is described, into a new folder, or finish a folder; returns the exit code."""
    from experiments.commands.campaigns import refuse_other_kind
    from experiments.records.results_folder import ResultsFolder
    from experiments.specification import plan, requirements

    options.check_port(http_port)
    options.refuse_beside_resume(resume, output=output, **described)
    if resume is not None:
        options.refuse_sweep(resume, "sweep")
        repeats = options.repeats(described["repeats"])
        kept = ResultsFolder.open(resume)
        refuse_other_kind([kept], "emulated", f"finish it with `simulate --resume {resume}`")
        specification, folder = kept.extended(repeats), partial(kept.extend, repeats)
        plan.check(specification)
    else:
        specification = options.specification(**described)
        folder = partial(ResultsFolder.create, output, specification, datetime.now().astimezone())
    requirements.check(specification)
    return answer_isolated(lambda: _emulate(folder, http_port, force, allow_mixed, quiet, as_json))


def _emulate(
    open_folder: Callable[[], ResultsFolder],
    http_port: int,
    force: bool,
    allow_mixed: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    from experiments.commands.carrying_out import carry_out, show_experiment
    from experiments.runs import emulated_campaign
    from experiments.runs.controller_process import listen
    from experiments.runs.progress import Reporter
    from topologies.emulated import isolation

    console = TextConsole(stderr=as_json)
    listen(isolation.current(), http_port).close()  # a taken port is an error before anything is made
    folder = open_folder()
    reporter = Reporter(console, quiet or as_json)
    return carry_out(
        "run",
        folder.path,
        lambda: emulated_campaign.run_all(folder, emulated_campaign.Options(http_port, force), reporter),
        lambda: show_experiment(folder, allow_mixed=allow_mixed, as_json=as_json, console=console),
        console,
    )
