"""`sweep`: an experiment at every combination of some values, and the table of what came out."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from rich.console import Console

from experiments.commands import options
from experiments.documents.diagnostics import SpecificationError
from experiments.documents.terminal import TextConsole, print_line
from experiments.errors import RequestError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from experiments.commands.campaigns import Doing
    from experiments.records.record import Kind
    from experiments.records.sweep_folder import SweepFolder
    from experiments.specification.sweep import Sweep

SUMMARY = "run an experiment at every combination of some values"
EXAMPLES = (
    "sudo sweep table-6.2",
    "sweep table-6.2 --list",
    "sweep table-6.2 --simulate --repeats 100",
    "sudo sweep --spec thesis --vary topology.blocking_factor=1,5 data.replication=1,3 --repeats 5",
    "sweep table-6.2 --scheduler tcp://10.0.0.1:8786",
)


class Description(TypedDict):
    """What of a sweep is said on the command line."""

    sweep: str | None
    spec: str | None
    vary: Sequence[str]
    assignments: Sequence[str]
    seed: str | None
    repeats: str | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    group = parser.add_argument_group("what to run")
    group.add_argument("sweep", nargs="?", metavar="SWEEP", help="sweep (YAML) or preset")
    group.add_argument("--spec", metavar="FILE", help="with --vary: specification (YAML) or preset [thesis]")
    group.add_argument(
        "--vary", nargs="+", action="extend", default=[], metavar="KEY=V1,V2", help="values to combine, by dotted path"
    )
    options.add_assignments(group, "a value of all points")
    options.add_repeats(group)
    parser.add_argument(
        "--list", dest="list_only", action="store_true", help="only print the points and how many runs they have"
    )
    parser.add_argument("--simulate", action="store_true", help="simulate the runs: takes no root")
    options.add_doing(parser, "a sweep's folder", "the results")
    options.add_force(parser)
    options.add_draws(parser)
    options.add_processes(parser)
    options.add_scheduler(parser)


def run(
    *,
    list_only: bool,
    simulate: bool,
    output: Path,
    resume: Path | None,
    force: bool,
    allow_mixed: bool,
    quiet: bool,
    as_json: bool,
    processes: int | None,
    scheduler: str | None,
    draws: int | None,
    **described: Unpack[Description],
) -> int:
    """Run what is described, into a new folder, or finish a folder; returns the exit code."""
    from experiments.commands.campaigns import begun, do_runs, resumed
    from experiments.records.sweep_folder import SweepFolder

    options.refuse_beside_resume(resume, output=output, list_only=list_only, **described)
    console = TextConsole(stderr=as_json and not list_only)
    if list_only:
        return _show_plan(_described(**described), as_json, console)
    doing = _doing(simulate, force, processes, draws, scheduler, quiet or as_json)
    show = partial(_show, allow_mixed=allow_mixed, as_json=as_json, console=console)
    if resume is None:
        runs = begun(_described(**described), output)
    else:
        remedy = "leave out --simulate" if simulate else "add --simulate"
        runs = resumed(SweepFolder.open(resume), options.repeats(described["repeats"]), doing.kind, remedy)
    return do_runs(doing, *runs, show, console)


def _doing(
    simulate: bool, force: bool, processes: int | None, draws: int | None, scheduler: str | None, quiet: bool
) -> Doing:
    from experiments.commands.campaigns import Doing

    if simulate and force:
        raise RequestError("--force: a simulated network is not calibrated; leave it out, or --simulate")
    if processes is not None and not simulate:
        raise RequestError(f"--processes {processes}: one emulation at a time runs on a machine; add --simulate")
    if draws is not None and simulate:
        raise RequestError(
            f"--draws {draws}: these runs are simulated already; give --repeats, or leave out --simulate"
        )
    kind: Kind = "simulated" if simulate else "emulated"
    command = "sweep --simulate" if simulate else "sweep"
    return Doing(
        command,
        kind,
        quiet,
        scheduler,
        force,
        options.processes(processes),
        draws=0 if simulate else options.draws(draws),
    )


def _described(**described: Unpack[Description]) -> Sweep:
    from experiments.specification import specification_file, sweep_file

    sweep = _named(described["sweep"], described["spec"], described["vary"])
    values = dict(specification_file.assignment(text) for text in described["assignments"])
    for key, value in (("seed", described["seed"]), ("repeats", described["repeats"])):
        if value is not None:
            values |= [specification_file.assignment(f"{key}={value}")]
    if values:
        sweep = sweep_file.parse({**sweep.model_dump(mode="json"), "set": {**sweep.set, **values}})
    return sweep


def _named(sweep: str | None, spec: str | None, vary: Sequence[str]) -> Sweep:
    from experiments.specification import specification_file, sweep_file

    if sweep is not None and (spec is not None or vary):
        raise SpecificationError([f"{sweep}: give a sweep, or --spec with --vary, not both"])
    if vary:
        base = specification_file.load(spec or "thesis")
        given = [sweep_file.assignment(text) for text in vary]
        keys = [key for key, _ in given]
        if twice := [f"--vary {key}: is there twice; write {key}=V1,V2" for key in keys if keys.count(key) > 1]:
            raise SpecificationError(dict.fromkeys(twice))
        return sweep_file.parse({"name": base.name, "base": base.model_dump(mode="json"), "vary": dict(given)})
    named = sweep or spec
    if named is None:
        raise SpecificationError(["sweep: say which, by its name or file, or by --spec FILE --vary KEY=V1,V2"])
    return sweep_file.load(named)


def _show_plan(sweep: Sweep, as_json: bool, console: Console) -> int:
    """Print the points, checked, and how many runs they have."""
    from experiments.report.terminal import sweep_table
    from experiments.specification.sweep import check

    points = check(sweep)
    counts = {point.id: point.specification.run_count for point in points}
    if as_json:
        listed = [{"id": point.id, "values": dict(point.values), "runs": counts[point.id]} for point in points]
        print(json.dumps({"name": sweep.name, "runs": sum(counts.values()), "points": listed}, indent=1))
    else:
        console.print(sweep_table.plan(sweep, points, counts))
    return 0


def _show(folder: SweepFolder, *, allow_mixed: bool, as_json: bool, console: Console) -> None:
    """Print the table of a sweep's results, or JSON, and write its report."""
    from experiments.analysis import sweep_results
    from experiments.report.html.sweep_build import write_sweep_report
    from experiments.report.terminal import sweep_table

    results = sweep_results.read(folder, allow_mixed)
    if as_json:
        print(sweep_results.to_json(results))
    else:
        console.print(sweep_table.render(results))
    print_line(console, f"results  {folder.path}")
    if any(point.comparison is not None for point in results.points):
        report = write_sweep_report(folder.path, allow_mixed)
        print_line(console, f"report   {report}")
