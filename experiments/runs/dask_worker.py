"""The program that a cluster's worker starts for a task: does runs of a results folder.

`python -m experiments.runs.dask_worker FOLDER`, behind `python -m topologies.emulated.isolation --` in namespaces of
its own where it emulates. It ends as soon as its standard input does, so that it does not outlive a worker that is
killed.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from experiments.documents.atomic import write_text
from experiments.documents.nofollow import read_text
from experiments.documents.terminal import TextConsole
from experiments.records.record import Kind
from experiments.records.results_folder import Assignment, ResultsFolder
from experiments.runs.progress import Reporter
from experiments.specification import plan

REQUEST = "request.json"
PROBLEMS = "problems.json"


Do = Callable[[Sequence[Assignment], bool], list[str]]
"""Does assignments, by force or not, and returns a line for each failed run."""


def main(do: Mapping[Kind, Do]) -> int:
    """Do the runs that the request in the folder names and write what went wrong beside it."""
    folder = ResultsFolder.open(Path(sys.argv[1]))
    threading.Thread(target=_end_with_input, daemon=True).start()
    request = json.loads(read_text(folder.path / REQUEST))
    runs = [run for run in plan.runs_of(folder.specification()) if run.id in request["runs"]]
    problems = do[request["kind"]]([Assignment(folder, run, request["place"]) for run in runs], request["force"])
    write_text(folder.path / PROBLEMS, json.dumps(problems))
    return 0


def _emulate(assignments: Sequence[Assignment], force: bool) -> list[str]:
    from experiments.runs import emulated_campaign

    cache_folder = Path(__file__).resolve().parents[2] / "results"  # outlives the task, as that of local runs does
    cache_folder.mkdir(exist_ok=True)
    reporter = Reporter(TextConsole(), quiet=True)
    return emulated_campaign.emulate(assignments, cache_folder, emulated_campaign.Options(force=force), reporter)


def _simulate(assignments: Sequence[Assignment], _force: bool) -> list[str]:
    from experiments.runs import simulated_campaign

    return simulated_campaign.run_all(assignments, 1, Reporter(TextConsole(), quiet=True))


def _end_with_input() -> None:
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main({"emulated": _emulate, "simulated": _simulate}))
