"""`retention`: what the ledger of a run proves of the files that the run has left."""

from __future__ import annotations

import argparse
import dataclasses
import getpass
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.commands import options
from experiments.commands.options import EXAMPLE_FOLDER
from experiments.documents.nofollow import followed
from experiments.documents.terminal import TextConsole, print_line
from experiments.errors import RequestError

if TYPE_CHECKING:
    from experiments.runs.retained_run import RetainedRun

SUMMARY = "what the ledger of a run that retained files proves of them"
_RUN = f"{EXAMPLE_FOLDER}/runs/r00-bf5-default"
EXAMPLES = (
    f"retention audit {_RUN}",
    f"retention validate {_RUN} /archive/a",
    f"retention history {_RUN} /archive/a --at 120",
    f"retention annotate {_RUN} 'kmeans-1/output/**'",
)
ACTIONS = ("annotate", "history", "validate", "audit")
_SHORT = 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "action",
        choices=ACTIONS,
        help="annotate: track files from now on; history: all that was done to files; "
        "validate: hold files against their contracts; audit: all tracked files",
    )
    parser.add_argument("folder", type=followed, metavar="RUN", help="folder of a run, below runs/")
    parser.add_argument("files", nargs="*", metavar="FILE", help="names; of annotate patterns, too")
    parser.add_argument("--at", type=float, metavar="SECONDS", help="of history: the hash at this modelled time")
    options.add_json(parser)


def run(*, action: str, folder: Path, files: Sequence[str], at: float | None, as_json: bool) -> int:
    """Ask the ledger of a run; 1 when a file is not as it should be."""
    from experiments.records.results_folder import RunFolder
    from experiments.runs import retained_run

    if bool(files) == (action == "audit"):
        raise RequestError(
            f"{action}: {'takes no files; it is about all that are tracked' if files else 'name a file'}"
        )
    if at is not None and action != "history":
        raise RequestError(f"--at {at:g}: of `history` only; leave it out")
    if not (folder / "record.json").is_file():
        raise RequestError(f"{folder}: not the folder of a run; give one below runs/ of a results folder")
    with retained_run.opened(RunFolder(folder)) as retained:
        return _do(action, retained, files, at, as_json)


def _do(action: str, retained: RetainedRun, files: Sequence[str], at: float | None, as_json: bool) -> int:
    if action == "annotate":
        return _annotate(retained, files, as_json)
    if action == "history":
        return _hash_at(retained, files, at, as_json) if at is not None else _history(retained, files, as_json)
    return _validate(retained, files, as_json) if action == "validate" else _audit(retained, as_json)


def _annotate(retained: RetainedRun, files: Sequence[str], as_json: bool) -> int:
    names = retained.annotate(files, getpass.getuser())
    if as_json:
        print(json.dumps(names))
    else:
        print("\n".join([*(f"{name} is tracked" for name in names), f"{len(names)} files are tracked from now on"]))
    return 0


def _hash_at(retained: RetainedRun, files: Sequence[str], at: float, as_json: bool) -> int:
    found = {name: retained.digest_at(name, at).hex() for name in files}
    print(json.dumps(found) if as_json else "\n".join(f"{digest}  {name}" for name, digest in found.items()))
    return 0


def _history(retained: RetainedRun, files: Sequence[str], as_json: bool) -> int:
    from rich.markup import escape
    from rich.table import Table

    found = {name: retained.history(name) for name in files}
    if as_json:
        entries = {
            name: [
                {**dataclasses.asdict(one), "digest": one.digest.hex(), "time_s": one.time_s - retained.epoch_s}
                for one in done
            ]
            for name, done in found.items()
        }
        print(json.dumps(entries, indent=1))
        return 0
    console = TextConsole()
    for name, done in found.items():
        table = Table("s", "operation", "by", "hash", "name", title=escape(name), title_justify="left", box=None)
        for one in done:
            digest = one.digest.hex()[:_SHORT]
            table.add_row(f"{one.time_s - retained.epoch_s}", one.kind, escape(one.user), digest, escape(one.uri))
        console.print(table)
    return 0


def _validate(retained: RetainedRun, files: Sequence[str], as_json: bool) -> int:
    found = [retained.validate(name) for name in files]
    wrong = [one for one in found if not one.valid or one.altered]
    if as_json:
        print(json.dumps([dataclasses.asdict(one) for one in found], indent=1))
        return int(bool(wrong))
    for one in found:
        for block, host in one.altered:
            print(f"{one.file}: block {block} on {host} was altered")
        if one not in wrong:
            print(f"{one.file}: as it was kept")
        elif not one.valid:
            print(f"{one.file}: altered; no replicas of its blocks are those that were kept")
    return int(bool(wrong))


def _audit(retained: RetainedRun, as_json: bool) -> int:
    problems, altered = retained.audit()
    if as_json:
        found = {
            "findings": [dataclasses.asdict(one) for one in problems],
            "altered": [dataclasses.asdict(one) for one in altered],
        }
        print(json.dumps(found, indent=1))
        return int(bool(problems or altered))
    for problem in problems:
        print(f"{problem.uri}: {problem.fault}: {problem.detail}")
    for one in altered:
        for block, host in one.altered:
            print(f"{one.file}: block {block} on {host} was altered")
    tracked = sum(one.key is not None for one in retained.files.values())
    wrong = len({one.uri for one in problems} | {one.file for one in altered})
    print_line(TextConsole(), f"{tracked} tracked files, {wrong} of them not as they were kept")
    return int(bool(problems or altered))
