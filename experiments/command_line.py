"""The command line: what can be asked of the testbed, and how answers and errors come back.

Exit codes: 0 all is well; 1 a run failed or a check found something; 2 the request was wrong or the machine is not
ready for it; 128 + N signal N ended it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rich.console import Console

from experiments.diagnostics import SpecificationError
from experiments.specification import Specification

EXAMPLES = """examples:
  sudo python run_testbed.py                                 the thesis's experiment
  sudo python run_testbed.py --blocking-factor 1 2 5 10      at several blocking factors
  sudo python run_testbed.py run --strategy default neawa --repeats 5 --seed 7
  sudo python run_testbed.py run --spec my-experiment.yaml --output results
  sudo python run_testbed.py calibrate
  python run_testbed.py report results/20260101T120000-thesis
"""


class RequestError(ValueError):
    """Something that was asked for cannot be done; the message names it and the remedy."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the arguments ask; returns the exit code."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help")):
        words.insert(0, "run")
    options = parser.parse_args(words)
    try:
        code: int = options.command(options)
        return code
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1
    except PermissionError as error:
        print(f"error: {error.filename}: {error.strerror}; start again with sudo, or choose another", file=sys.stderr)
        return 2
    except _refusals() as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
        return 2


def _refusals() -> tuple[type[Exception], ...]:
    """Errors that are the request's or the machine's and not the program's: one line, no traceback."""
    from experiments.comparison import MixedRunsError
    from experiments.controller_process import ControllerError
    from experiments.record import RecordError
    from placement.hops import PlacementError
    from topologies.isolation import IsolationError
    from workloads.importers import TraceError
    from workloads.job import JobError
    from workloads.schedule import ScheduleError

    return (
        RequestError,
        SpecificationError,
        MixedRunsError,
        ControllerError,
        RecordError,
        PlacementError,
        IsolationError,
        JobError,
        ScheduleError,
        TraceError,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run_testbed.py",
        description="Measures how much it matters where datablocks and containers go, on an emulated network.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--no-install", action="store_true", help="install nothing; say what is missing and stop")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_run(commands)
    _add_calibrate(commands)
    _add_place(commands)
    importing = _command(commands, "import", _import, "turn a recorded trace into a specification that runs")
    importing.add_argument("trace", type=Path, help="Spark event log, Hadoop job trace (MRemu), or coflow benchmark")
    importing.add_argument("--format", choices=("auto", "spark", "mremu", "coflow"), default="auto", help="[auto]")
    importing.add_argument("--output", type=Path, metavar="SPEC.yaml", help="where to write it [./NAME.yaml]")
    report = _command(commands, "report", _report, "make the report of a results folder again")
    report.add_argument("folder", type=Path, help="results folder, or the folder of one run")
    report.add_argument("--allow-mixed", action="store_true", help="compare runs of different machines or versions")
    show = _command(commands, "show", _show, "print the table of a results folder, or what a run's containers used")
    show.add_argument("folder", type=Path, help="results folder, or the folder of one run")
    show.add_argument("--job", metavar="JOB", help="of a run: only this job's containers")
    show.add_argument("--allow-mixed", action="store_true", help="compare runs of different machines or versions")
    show.add_argument("--json", action="store_true", help="as JSON")
    doctor = _command(commands, "doctor", _doctor, "what this machine has, what will be used, what is missing")
    doctor.add_argument("--json", action="store_true", help="as JSON")
    _command(commands, "clean", _clean, "remove what a killed testbed left behind, and nothing else")
    _command(commands, "schema", _schema, "print the JSON schema of specifications, for editors")
    return parser


_Commands = argparse._SubParsersAction  # what add_subparsers returns; argparse has no public name for it


def _command(
    commands: _Commands[argparse.ArgumentParser], name: str, function: object, summary: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    parser.set_defaults(command=function)
    return parser


def _add_specification(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what to run")
    group.add_argument("--spec", default="thesis", metavar="FILE", help="specification (YAML) or preset [thesis]")
    group.add_argument("--blocking-factor", nargs="+", metavar="N", help="one or several blocking factors")
    group.add_argument("--strategy", nargs="+", metavar="NAME", help="placement strategies, by name or module:Class")
    group.add_argument("--workload", metavar="NAME", help="a schedule, such as mixed-high or kmeans-mid")
    group.add_argument("--seed", metavar="N", help="seed of the first repeat")
    group.add_argument("--repeats", metavar="N", help="runs of every combination")
    group.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="any other value, by its dotted path")


def _add_run(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "run", _run, "run an experiment (the default command)")
    _add_specification(parser)
    parser.add_argument("--output", type=Path, default=Path("results"), metavar="FOLDER", help="where results go")
    parser.add_argument("--resume", type=Path, metavar="FOLDER", help="finish a results folder; nothing is run twice")
    parser.add_argument("--force", action="store_true", help="run although the calibration is out of tolerance")
    _add_port(parser)
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON; implies --quiet")


def _add_calibrate(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "calibrate", _calibrate, "measure every link alone, then all up-links at once")
    _add_specification(parser)
    _add_port(parser)
    parser.add_argument("--quick", action="store_true", help="only all up-links at once")
    parser.add_argument("--json", action="store_true", help="print the measurements as JSON")


def _add_place(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _command(commands, "place", _place, "show where blocks and containers would go; needs no root")
    _add_specification(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")


def _add_port(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--http-port", type=int, default=0, metavar="PORT", help="loopback port of the controller's API [a free one]"
    )


def _check_port(port: int) -> None:
    if not 0 <= port <= 65535:
        raise RequestError(f"--http-port {port}: give a port from 1 to 65535, or 0 for a free one")


def specification(options: argparse.Namespace) -> Specification:
    """The specification that the options describe, checked.

    Raises:
        SpecificationError: it cannot be run.
    """
    from experiments import plan, specification_file

    assignments = list(options.set)
    for option, path in (("workload", "workload"), ("seed", "seed"), ("repeats", "repeats")):
        if (value := getattr(options, option)) is not None:
            assignments.append(f"{path}={value}")
    for option, path in (("blocking_factor", "topology.blocking_factor"), ("strategy", "strategies")):
        if (values := getattr(options, option)) is not None:
            assignments.append(f"{path}={json.dumps(values)}")
    result = specification_file.override(specification_file.load(options.spec), assignments)
    plan.check(result)
    return result


def _run(options: argparse.Namespace) -> int:
    from experiments.results import ResultsFolder
    from topologies import isolation

    _check_port(options.http_port)
    if options.resume is not None:
        ResultsFolder.open(options.resume)
        return isolation.run(lambda: _in_isolation(options, None))
    wanted = specification(options)
    return isolation.run(lambda: _in_isolation(options, wanted))


def _in_isolation(options: argparse.Namespace, wanted: Specification | None) -> int:
    """The run command, in namespaces of its own; errors are turned into exit codes here as `main` does outside."""
    try:
        return _do_runs(options, wanted)
    except _refusals() as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _do_runs(options: argparse.Namespace, wanted: Specification | None) -> int:
    from experiments import campaign
    from experiments.controller_process import listen
    from experiments.progress import Reporter
    from experiments.results import ResultsFolder
    from topologies import isolation

    console = Console(stderr=options.json)
    listen(isolation.current(), options.http_port).close()  # a taken port is an error before anything is made
    if wanted is None:
        folder = ResultsFolder.open(options.resume)
    else:
        folder = ResultsFolder.create(options.output, wanted, datetime.now().astimezone())
    reporter = Reporter(console, options.quiet or options.json)
    try:
        problems = campaign.run_all(folder, campaign.Options(options.http_port, options.force), reporter)
        _finish(folder.path, options, console)
    except (KeyboardInterrupt, SystemExit):
        console.print(f"stopped; `run --resume {folder.path}` does what is left", highlight=False, soft_wrap=True)
        raise
    finally:
        campaign.give_to_caller(folder.path)
    for problem in problems:
        print(f"failed: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _finish(folder: Path, options: argparse.Namespace, console: Console) -> None:
    """Print what came out and write the report."""
    from experiments import comparison, table
    from experiments.report.build import write_report
    from experiments.results import ResultsFolder

    records = ResultsFolder.open(folder).records()
    if not records:
        return
    result = comparison.compare(records)
    if options.json:
        print(comparison.to_json(result))
    else:
        console.print(table.render(result))
    report = write_report(folder)
    console.print(f"results  {folder}\nreport   {report}", highlight=False, soft_wrap=True)


def _calibrate(options: argparse.Namespace) -> int:
    from experiments import calibrate_command
    from topologies import isolation

    _check_port(options.http_port)
    wanted = specification(options)

    def measure() -> int:
        try:
            return calibrate_command.calibrate(wanted, options.http_port, options.quick, options.json)
        except _refusals() as error:
            print(f"error: {error}", file=sys.stderr)
            return 2

    return isolation.run(measure)


def _place(options: argparse.Namespace) -> int:
    from experiments import place_command

    return place_command.show(specification(options), options.json)


def _import(options: argparse.Namespace) -> int:
    from experiments.import_command import import_file

    for path in import_file(options.trace, options.format, options.output):
        print(path)
    return 0


def _report(options: argparse.Namespace) -> int:
    from experiments.report.build import write_report

    print(write_report(options.folder, options.allow_mixed))
    return 0


def _show(options: argparse.Namespace) -> int:
    from experiments import comparison, table
    from experiments.results import ResultsFolder

    if (options.folder / "record.json").is_file():
        return _show_run(options)
    result = comparison.compare(ResultsFolder.open(options.folder).records(), options.allow_mixed)
    if options.json:
        print(comparison.to_json(result))
    else:
        Console().print(table.render(result))
    return 0


def _show_run(options: argparse.Namespace) -> int:
    from experiments import monitoring
    from experiments.results import RunFolder

    run = RunFolder(options.folder)
    jobs = [job.job_id for job in run.record().jobs]
    if options.job is not None and options.job not in jobs:
        raise RequestError(f"--job {options.job}: not in this run; its jobs are {', '.join(jobs)}")
    if options.json:
        print(run.record().to_json())
    else:
        Console().print(monitoring.render(run, options.job))
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from experiments import doctor, machine

    findings = doctor.examine(machine.gather())
    if options.json:
        print(doctor.to_json(findings))
    else:
        Console().print(doctor.render(findings))
    return 0 if doctor.can_run(findings) else 1


def _clean(_options: argparse.Namespace) -> int:
    from topologies import isolation

    with contextlib.suppress(FileNotFoundError):
        removed = isolation.clean_up()
        print(f"removed what {len(removed)} killed runs left behind" if removed else "nothing to remove")
    return 0


def _schema(_options: argparse.Namespace) -> int:
    from experiments import specification_file

    print(json.dumps(specification_file.json_schema(), indent=1))
    return 0
