"""A whole experiment as one call, in namespaces of its own."""

from __future__ import annotations

import json
import signal
import tempfile
import traceback
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from experiments.documents.terminal import TextConsole
from experiments.errors import REFUSALS, ExperimentError
from experiments.records.ownership import RATE_DIVISORS, give_to_caller
from experiments.records.results_folder import ResultsFolder
from experiments.runs import emulated_campaign, prediction
from experiments.runs.processes import cores
from experiments.runs.progress import Reporter
from experiments.specification import plan, requirements, specification_file
from experiments.specification.model import Specification
from topologies.emulated import isolation


def run_experiment(
    specification: Specification | Mapping[str, Any] | str | Path,
    output: Path,
    force: bool,
    quiet: bool,
    draws: int | None,
) -> ResultsFolder:
    """What `experiments.run` says."""
    wanted = _specification(specification)
    plan.check(wanted)
    requirements.check(wanted)
    requirements.check_ledger(wanted)

    def do() -> dict[str, Any]:
        folder = ResultsFolder.create(output, wanted, datetime.now().astimezone())
        try:
            reporter = Reporter(TextConsole(stderr=True), quiet)
            problems = emulated_campaign.run_all(folder, emulated_campaign.Options(force=force), reporter)
            prediction.add(folder.assignments(), draws, cores(), reporter)
        finally:
            give_to_caller(folder.path, RATE_DIVISORS)
        return {"folder": str(folder.path), "problems": problems}

    done = _isolated(do)
    if done["problems"]:
        raise ExperimentError("\n".join([*done["problems"], f"the other runs are in {done['folder']}"]))
    return ResultsFolder.open(Path(done["folder"]))


def _specification(given: Specification | Mapping[str, Any] | str | Path) -> Specification:
    if isinstance(given, Specification):
        return given
    return specification_file.parse(given) if isinstance(given, Mapping) else specification_file.load(given)


def _isolated(function: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a function returns that is called in namespaces of its own, in a process of its own.

    Raises:
        ExperimentError: it raised an error.
        KeyboardInterrupt, SystemExit: a signal ended it.
    """
    with tempfile.TemporaryFile("w+", encoding="utf-8") as answer:

        def main() -> int:
            try:
                document: dict[str, Any] = {"done": function()}
            except REFUSALS as error:
                document = {"failed": str(error)}
            except Exception:
                document = {"failed": traceback.format_exc()}
            json.dump(document, answer)
            answer.flush()
            return 0

        code = isolation.run(main)
        if code:
            raise KeyboardInterrupt if code == 128 + signal.SIGINT else SystemExit(code)
        answer.seek(0)
        document = json.load(answer)
    if "failed" in document:
        raise ExperimentError(document["failed"])
    done: dict[str, Any] = document["done"]
    return done
