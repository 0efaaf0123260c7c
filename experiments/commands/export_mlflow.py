"""`export-mlflow`: the runs of a folder as runs of an MLflow server or store."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.commands.options import EXAMPLE_FOLDER
from experiments.documents.nofollow import followed

SUMMARY = "add the runs of a results folder to an MLflow server or store"
EXAMPLES = (f"export-mlflow {EXAMPLE_FOLDER} --tracking-uri http://localhost:5000",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("folder", type=followed, help="results folder of an experiment or a sweep")
    parser.add_argument("--tracking-uri", metavar="URI", help="server or store [MLflow's own choice]")
    parser.add_argument("--experiment", default="placement", metavar="NAME", help="MLflow's experiment [placement]")


def run(*, folder: Path, tracking_uri: str | None, experiment: str) -> int:
    """Add those that are not there yet and print how many there were."""
    from experiments.report import mlflow

    added, there = mlflow.export(folder, mlflow.MlflowTracker(tracking_uri, experiment))
    print(f"added {added} runs" + (f"; {there} were there" if there else ""))
    return 0
