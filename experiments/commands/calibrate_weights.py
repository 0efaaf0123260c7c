"""`calibrate-weights`: a sweep over NeAwa's weights, and what it says: a table, JSON, and lines to paste."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from experiments.commands import options
from experiments.commands.options import Description
from experiments.documents.terminal import TextConsole, print_line

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from experiments.records.sweep_folder import SweepFolder
    from experiments.specification.sweep import Sweep

SUMMARY = "run jobs alone under every pair of NeAwa's weights, and say which is fastest"
EXAMPLES = (
    "sudo calibrate-weights --profile kmeans tpch-q3 --repeats 5",
    "sudo calibrate-weights --workload mixed-high --steps 6 --blocking-factor 10",
)
_STEPS = 11


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    options.add_description(parser, strategies=False)
    parser.add_argument(
        "--profile", nargs="+", action="extend", metavar="NAME", help="job profiles [those of the workload]"
    )
    parser.add_argument("--steps", type=int, metavar="N", help=f"weights from 0 to 1 [{_STEPS}: 0.0, 0.1, ...]")
    options.add_doing(parser, "a results folder", "every weight's time")
    options.add_force(parser)
    options.add_scheduler(parser)


def run(
    *,
    profile: Sequence[str] | None,
    steps: int | None,
    output: Path,
    resume: Path | None,
    force: bool,
    allow_mixed: bool,
    quiet: bool,
    as_json: bool,
    scheduler: str | None,
    **described: Unpack[Description],
) -> int:
    """Run jobs alone under every pair of weights, into a new folder, or finish a folder; returns the exit code."""
    from experiments.analysis import weights
    from experiments.commands.campaigns import Doing, begun, do_runs, resumed

    options.refuse_beside_resume(resume, profile=profile, steps=steps, output=output, **described)
    if resume is None:
        runs = begun(_sweep(profile, _STEPS if steps is None else steps, **described), output)
    else:
        remedy = f"finish it with `sweep --simulate --resume {resume}`"
        runs = resumed(weights.open_folder(resume), options.repeats(described["repeats"]), "emulated", remedy)
    console = TextConsole(stderr=as_json)
    doing = Doing("calibrate-weights", "emulated", quiet or as_json, scheduler, force)
    show_weights = partial(show, as_json=as_json, console=console, allow_mixed=allow_mixed)
    return do_runs(doing, *runs, show_weights, console)


def _sweep(profiles: Sequence[str] | None, steps: int, **described: Unpack[Description]) -> Sweep:
    """The sweep over the weights of the jobs that are described.

    Raises:
        SpecificationError: the description cannot be run.
    """
    from experiments.analysis import weights
    from experiments.specification.workload import planned

    base = options.specification(**described)
    named = [options.from_here(name) for name in profiles or ()] or list(
        dict.fromkeys(str(submission.profile) for submission in planned(base))
    )
    return weights.sweep_of(base, named, steps)


def show(folder: SweepFolder, *, as_json: bool, console: Console, allow_mixed: bool = False) -> None:
    """Print the weights that a sweep's folder tells, and write weights.yaml into it.

    Raises:
        RecordError: a record cannot be read.
        MixedRunsError: the runs of a job cannot be compared, and `allow_mixed` is not set.
    """
    from experiments.analysis import weights
    from experiments.documents.atomic import write_text
    from experiments.report.terminal.weights import arms, conclusion

    found = weights.read(folder, allow_mixed)
    written = folder.path / "weights.yaml"
    write_text(written, weights.to_yaml(found))
    if as_json:
        print(weights.to_json(found))
        return
    for job in found:
        if job.arms:
            console.print(arms(job))
        print_line(console, conclusion(job))
    print_line(console, f"weights  {written}")
