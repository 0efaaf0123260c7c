"""Options that several commands have, and what is made of their values."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from experiments.documents.diagnostics import SpecificationError, problem
from experiments.documents.nofollow import followed
from experiments.errors import RequestError
from experiments.specification.job_files import is_path
from experiments.specification.model import Specification

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from experiments.specification.resolved_run import ResolvedRun

EXAMPLE_FOLDER = "results/20260101T120000-thesis"
OUTPUT = Path("results")
_MOST_PROCESSES = 1024
_MOST_DRAWS = 10_000
_OPTIONS = {"assignments": "--set", "sweep": "SWEEP", "list_only": "--list"}
"""Options by the names of their values, where the one does not follow from the other."""
_MIXED = "compare runs of different machines or versions"


class Description(TypedDict):
    """What of an experiment is said on the command line, by `add_description`; each value as it is written."""

    spec: str | None
    blocking_factor: Sequence[str] | None
    strategy: Sequence[str] | None
    workload: str | None
    seed: str | None
    repeats: str | None
    assignments: Sequence[str]


def add_description(parser: argparse.ArgumentParser, strategies: bool = True) -> None:
    """What makes a `Description`; without `strategies` it has none."""
    group = parser.add_argument_group("what to run")
    group.add_argument("--spec", metavar="FILE", help="specification (YAML) or preset [thesis]")
    group.add_argument(
        "--blocking-factor", nargs="+", action="extend", metavar="N", help="one or several blocking factors"
    )
    if strategies:
        group.add_argument(
            "--strategy", nargs="+", action="extend", metavar="NAME", help="placement strategies: name or module:Class"
        )
    else:
        parser.set_defaults(strategy=None)
    group.add_argument("--workload", metavar="NAME", help="a schedule, such as mixed-high or kmeans-mid")
    add_repeats(group)
    add_assignments(group, "any other value, by its dotted path")


def add_repeats(group: argparse._ArgumentGroup) -> None:
    """Seed and number of repeats."""
    group.add_argument("--seed", metavar="N", help="seed of the first repeat")
    group.add_argument(
        "--repeats", metavar="N", help="runs of every combination; with --resume more of them than there were to be"
    )


def add_assignments(group: argparse._ArgumentGroup, meaning: str) -> None:
    """Values by their dotted paths."""
    group.add_argument(
        "--set", dest="assignments", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help=meaning
    )


def add_doing(parser: argparse.ArgumentParser, resumed: str, printed: str) -> None:
    """Options of everything that does runs: what `--resume` finishes, what `--json` prints."""
    parser.add_argument("--output", type=Path, default=OUTPUT, metavar="FOLDER", help="where results go")
    parser.add_argument("--resume", type=followed, metavar="FOLDER", help=f"finish {resumed}; nothing is run twice")
    add_allow_mixed(parser)
    add_printing(parser, printed)


def add_force(parser: argparse.ArgumentParser) -> None:
    """Whether a network that does not carry what it should is used all the same."""
    parser.add_argument("--force", action="store_true", help="run although the calibration is out of tolerance")


def add_processes(parser: argparse.ArgumentParser) -> None:
    """How many simulations at a time."""
    parser.add_argument(
        "--processes", type=int, metavar="N", help="simulate so many runs at a time [as many as there are cores]"
    )


def processes(wanted: int | None) -> int:
    """How many simulations at a time, with all cores where nothing is said.

    Raises:
        RequestError: none, or more than anything could use.
    """
    from experiments.runs.processes import cores

    if wanted is not None and not 1 <= wanted <= _MOST_PROCESSES:
        raise RequestError(f"--processes {wanted}: give a number from 1 to {_MOST_PROCESSES}")
    return wanted or cores()


def add_draws(parser: argparse.ArgumentParser) -> None:
    """Simulations beside emulated runs."""
    parser.add_argument(
        "--draws",
        type=int,
        metavar="N",
        help="simulations of every run, for the twin's prediction of it [60 / repeats, at least 20]; 0: none",
    )


def draws(wanted: int | None) -> int | None:
    """How many simulations of every emulated run; None when nothing is said.

    Raises:
        RequestError: one, which has no spread, less than none, or more than anything could use.
    """
    if wanted is not None and (wanted == 1 or not 0 <= wanted <= _MOST_DRAWS):
        raise RequestError(f"--draws {wanted}: give a number from 2 to {_MOST_DRAWS}, or 0 for no prediction")
    return wanted


def add_allow_mixed(parser: argparse.ArgumentParser, meaning: str = _MIXED) -> None:
    """Whether what differs in more than it should is compared all the same."""
    parser.add_argument("--allow-mixed", action="store_true", help=meaning)


def add_printing(parser: argparse.ArgumentParser, printed: str) -> None:
    """How to show what goes on, and what came out."""
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    add_json(parser, f"print {printed} as JSON; implies --quiet")


def add_json(parser: argparse.ArgumentParser, meaning: str = "as JSON") -> None:
    """Results for programs."""
    parser.add_argument("--json", dest="as_json", action="store_true", help=meaning)


def add_scheduler(parser: argparse.ArgumentParser) -> None:
    """Other machines."""
    parser.add_argument("--scheduler", metavar="ADDRESS", help="let the workers of this Dask scheduler do the runs")


def add_port(parser: argparse.ArgumentParser) -> None:
    """Where the controller can be asked from outside."""
    parser.add_argument(
        "--http-port", type=int, default=0, metavar="PORT", help="loopback port of the controller's API [a free one]"
    )


def check_port(port: int) -> None:
    """Refuse a port that does not exist.

    Raises:
        RequestError: it does not.
    """
    if not 0 <= port <= 65535:
        raise RequestError(f"--http-port {port}: give a port from 1 to 65535, or 0 for a free one")


def specification(**described: Unpack[Description]) -> Specification:
    """The specification that is described, checked; what `assignments` say holds for what other options name.

    Raises:
        SpecificationError: it cannot be run.
    """
    from experiments.specification import plan, specification_file

    values: Mapping[str, object] = {
        "workload": described["workload"] and from_here(described["workload"]),
        "seed": described["seed"],
        "repeats": described["repeats"],
        "topology.blocking_factor": described["blocking_factor"] and json.dumps(described["blocking_factor"]),
        "strategies": described["strategy"] and json.dumps(described["strategy"]),
    }
    named = specification_file.override(
        specification_file.load(described["spec"] or "thesis"),
        [f"{path}={value}" for path, value in values.items() if value is not None],
    )
    result = specification_file.override(named, described["assignments"])
    plan.check(result)
    return result


def only_network(**described: Unpack[Description]) -> ResolvedRun:
    """The first run of the specification that is described, ready for this machine, for what is about its network.

    Raises:
        SpecificationError: there is more than one network, or the machine cannot emulate it.
    """
    from experiments.specification import plan, requirements
    from experiments.specification.resolved_run import resolve

    chosen = specification(**described)
    if len(chosen.topology.factors) > 1:
        hint = "one network is measured at a time; give one, such as --blocking-factor 5"
        raise SpecificationError([problem(("topology", "blocking_factor"), list(chosen.topology.factors), hint)])
    requirements.check(chosen)
    return resolve(plan.runs_of(chosen)[0])


def from_here(name: str) -> str:
    """A name on the command line; a path there starts at the current folder, in a document at the folder of its own."""
    return str(Path(name).absolute()) if is_path(name) else name


def refuse_beside_resume(resume: Path | None, **described: object) -> None:
    """Refuse what would be ignored, because the folder to resume says it; more repeats it may be given.

    Args:
        resume: the folder; None refuses nothing.
        described: values by the names of their options, None, False or empty where an option was not given.

    Raises:
        RequestError: something was given.
    """
    for name, value in described.items() if resume is not None else ():
        if value not in (None, [], OUTPUT, False) and name != "repeats":
            option = _OPTIONS.get(name, f"--{name.replace('_', '-')}")
            hint = f"leave out {option}, or --resume to run it into a folder of its own"
            raise RequestError(f"--resume {resume}: the folder says what to run; {hint}")


def refuse_sweep(path: Path, command: str) -> None:
    """Refuse to resume the folder of a sweep as that of an experiment.

    Raises:
        RequestError: it is the folder of a sweep, which `command` finishes.
    """
    from experiments.records.sweep_folder import SweepFolder

    if SweepFolder.is_at(path):
        raise RequestError(
            f"--resume {path}: this is the folder of a sweep; finish it with `{command} --resume {path}`"
        )


def repeats(text: str | None) -> object:
    """What `--repeats` says, as YAML has it; None when it was not given.

    Raises:
        SpecificationError: not YAML.
    """
    from experiments.specification import specification_file

    return None if text is None else specification_file.assignment(f"repeats={text}")[1]
