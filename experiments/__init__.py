"""What to run, running it, and what came out; `run` does an experiment from a script."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.records.results_folder import ResultsFolder
    from experiments.specification.model import Specification

__all__ = ["run"]


def run(
    specification: Specification | Mapping[str, Any] | str | Path,
    output: str | Path = "results",
    *,
    force: bool = False,
    quiet: bool = False,
    draws: int | None = None,
) -> ResultsFolder:
    """Do an experiment, as `run_testbed.py run` does, and give its results folder.

    Takes root, as all that emulates a network does; start no thread before. With `experiments.analysis.comparison` the
    records of the folder are compared, with `experiments.report.html.build` reported.

    Args:
        specification: what to run: a specification, its content, the path of its YAML file, or the name of a preset.
        output: below which folder the results go.
        force: run although the calibration of the network is out of tolerance; runs are doubtful then.
        quiet: show no progress.
        draws: simulations of every run, two or more, from which the twin's prediction of it is made; 0 makes none, None
            20, or 60 divided by the repeats if that is more.

    Returns:
        The folder with the records of all runs, trusted or doubtful.

    Raises:
        SpecificationError: it cannot be run; a line for everything that is wrong.
        ExperimentError: a run failed, the others of which are in the folder that the message names.
        NetworkError: not root, or another testbed runs on this machine.
    """
    from experiments.runs.experiment import run_experiment

    return run_experiment(specification, Path(output), force, quiet, draws)
