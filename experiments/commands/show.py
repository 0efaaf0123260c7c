"""`show`: the table of a folder once more, or what a run's containers used."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.commands import options
from experiments.commands.options import EXAMPLE_FOLDER
from experiments.documents.nofollow import followed
from experiments.documents.terminal import TextConsole
from experiments.errors import RequestError

SUMMARY = "print the table of a results folder, or what a run's containers used"
EXAMPLES = (f"show {EXAMPLE_FOLDER}", f"show {EXAMPLE_FOLDER}/runs/r00-bf5-neawa --job kmeans-1")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("folder", type=followed, help="results folder, or the folder of one run")
    parser.add_argument("--job", metavar="JOB", help="of a run: only this job's containers")
    options.add_allow_mixed(parser)
    options.add_json(parser)


def run(*, folder: Path, job: str | None, allow_mixed: bool, as_json: bool) -> int:
    """Print what a folder holds."""
    from experiments.records.sweep_folder import SweepFolder

    if (folder / "record.json").is_file():
        return _show_run(folder, job, as_json)
    if job is not None:
        raise RequestError(f"--job {job}: {folder} is not the folder of a run; give one below its runs/")
    if SweepFolder.is_at(folder):
        return _show_sweep(folder, allow_mixed, as_json)
    return _show_experiment(folder, allow_mixed, as_json)


def _show_run(folder: Path, job: str | None, as_json: bool) -> int:
    from experiments.records.results_folder import RunFolder
    from experiments.report.terminal import monitoring, retained

    run = RunFolder(folder)
    record = run.record()
    jobs = [each.job_id for each in record.jobs]
    if job is not None and job not in jobs:
        raise RequestError(f"--job {job}: not in this run; its jobs are {', '.join(jobs)}")
    if as_json:
        print(record.to_json())
    else:
        console = TextConsole()
        if record.retention is not None:
            console.print(retained.render(record.retention))
        console.print(monitoring.render(run, job, console.width))
    return 0


def _show_sweep(folder: Path, allow_mixed: bool, as_json: bool) -> int:
    from experiments.analysis import sweep_results
    from experiments.records.sweep_folder import SweepFolder
    from experiments.report.terminal import sweep_table

    results = sweep_results.read(SweepFolder.open(folder), allow_mixed)
    if as_json:
        print(sweep_results.to_json(results))
    else:
        TextConsole().print(sweep_table.render(results))
    return 0


def _show_experiment(folder: Path, allow_mixed: bool, as_json: bool) -> int:
    from experiments.analysis import comparison
    from experiments.records.results_folder import ResultsFolder
    from experiments.report.terminal import table

    result = comparison.compare(ResultsFolder.open(folder).records(), allow_mixed)
    if as_json:
        print(comparison.to_json(result))
    else:
        TextConsole().print(table.render(result))
    return 0
