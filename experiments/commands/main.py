"""The command line: what can be asked of the testbed, and how answers and errors come back.

Exit codes: 0 all is well; 1 a run failed or a check found something; 2 the request was wrong or the machine is not
ready for it; 128 + N signal N ended it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from experiments.commands import arguments
from experiments.documents.diagnostics import SpecificationError
from experiments.specification.model import Specification

if TYPE_CHECKING:
    from experiments.commands.sweep import Finish
    from experiments.records.sweep_folder import SweepFolder

_COLUMNS_OF_FILES = "160"
"""How wide tables may be in what is no terminal."""


class RequestError(ValueError):
    """Something that was asked for cannot be done; the message names it and the remedy."""


def main(argv: Sequence[str] | None = None) -> int:
    """Do what the arguments ask; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help")):
        words.insert(0, "run")
    options = arguments.parser().parse_args(words)
    if not sys.stdout.isatty():
        os.environ.setdefault("COLUMNS", _COLUMNS_OF_FILES)  # Rich would fold tables to 80 columns
    try:
        return _answer(lambda: _COMMANDS[options.command](options))
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def _answer(action: Callable[[], int]) -> int:
    """Exit code of an action whose errors are told in a line each."""
    try:
        return action()
    except BrokenPipeError:
        return 1
    except PermissionError as error:
        print(f"error: {error.filename}: {error.strerror}; start again with sudo, or choose another", file=sys.stderr)
    except OSError as error:
        if error.filename is None:
            raise
        print(f"error: {error.filename}: {error.strerror}; give another path, or make it first", file=sys.stderr)
    except _refusals() as error:
        for line in str(error).splitlines():
            print(f"error: {line}", file=sys.stderr)
    return 2


def _isolated(action: Callable[[], int]) -> int:
    """Exit code of an action in namespaces of its own, which is a process of its own."""
    from topologies.emulated import isolation

    return isolation.run(lambda: _answer(action))


def _refusals() -> tuple[type[Exception], ...]:
    """Errors that are the request's or the machine's and not the program's: one line, no traceback."""
    from experiments.analysis.comparison import MixedRunsError
    from experiments.records.record import RecordError
    from experiments.report.mlflow import TrackingError
    from experiments.runs.controller_process import ControllerError
    from experiments.runs.dask_cluster import ClusterError
    from experiments.runs.network_calibration import CalibrationError
    from experiments.runs.workload_run import WorkloadError
    from placement.errors import PlacementError
    from topologies.emulated.isolation import IsolationError
    from topologies.emulated.network import EmulationError
    from topologies.emulated.openvswitch import OpenVSwitchError
    from topologies.emulated.shaping import ShapingError
    from workloads.importers import TraceError
    from workloads.job import JobError
    from workloads.schedule import ScheduleError

    return (
        RequestError,
        SpecificationError,
        MixedRunsError,
        CalibrationError,
        ClusterError,
        ControllerError,
        RecordError,
        TrackingError,
        WorkloadError,
        PlacementError,
        EmulationError,
        IsolationError,
        OpenVSwitchError,
        ShapingError,
        JobError,
        ScheduleError,
        TraceError,
    )


def _check_port(port: int) -> None:
    if not 0 <= port <= 65535:
        raise RequestError(f"--http-port {port}: give a port from 1 to 65535, or 0 for a free one")


def specification(options: argparse.Namespace) -> Specification:
    """The specification that the options describe, checked.

    Raises:
        SpecificationError: it cannot be run.
    """
    from experiments.specification import plan, specification_file

    assignments = []
    for option, path in (("workload", "workload"), ("seed", "seed"), ("repeats", "repeats")):
        if (value := getattr(options, option)) is not None:
            assignments.append(f"{path}={value}")
    for option, path in (("blocking_factor", "topology.blocking_factor"), ("strategy", "strategies")):
        if (values := getattr(options, option)) is not None:
            assignments.append(f"{path}={json.dumps(values)}")
    named = specification_file.override(specification_file.load(options.spec), assignments)
    result = specification_file.override(named, options.set)
    plan.check(result)
    return result


_DESCRIBING = (
    *("sweep", "spec", "vary", "profile", "steps", "blocking_factor"),
    *("strategy", "workload", "seed", "repeats", "set", "output"),
)


def _check_resume(options: argparse.Namespace) -> None:
    """Refuse what would be ignored, because the folder to resume says it."""
    usual = vars(arguments.parser().parse_args([options.command]))
    for name in _DESCRIBING if options.resume is not None else ():
        if name in usual and getattr(options, name) != usual[name]:
            option = "SWEEP" if name == "sweep" else f"--{name.replace('_', '-')}"
            raise RequestError(f"--resume {options.resume}: the folder says what to run; leave out {option}")


def _run(options: argparse.Namespace) -> int:
    from experiments.records.results_folder import ResultsFolder

    _check_port(options.http_port)
    _check_resume(options)
    if options.resume is not None:
        _refuse_sweep(options.resume)
        ResultsFolder.open(options.resume)
        return _isolated(lambda: _do_runs(options, None))
    wanted = specification(options)
    return _isolated(lambda: _do_runs(options, wanted))


def _refuse_sweep(path: Path) -> None:
    from experiments.records.sweep_folder import SweepFolder

    if SweepFolder.is_at(path):
        raise RequestError(f"--resume {path}: this is the folder of a sweep; finish it with `sweep --resume {path}`")


def _do_runs(options: argparse.Namespace, wanted: Specification | None) -> int:
    from experiments.commands import carrying_out
    from experiments.records.results_folder import ResultsFolder
    from experiments.runs import campaign
    from experiments.runs.controller_process import listen
    from experiments.runs.progress import Reporter
    from topologies.emulated import isolation

    console = Console(stderr=options.json)
    listen(isolation.current(), options.http_port).close()  # a taken port is an error before anything is made
    if wanted is None:
        folder = ResultsFolder.open(options.resume)
    else:
        folder = ResultsFolder.create(options.output, wanted, datetime.now().astimezone())
    reporter = Reporter(console, options.quiet or options.json)
    return carrying_out.carry_out(
        "run",
        folder.path,
        lambda: campaign.run_all(folder, campaign.Options(options.http_port, options.force), reporter),
        lambda: _finish(folder.path, options, console),
        console,
    )


def _finish(folder: Path, options: argparse.Namespace, console: Console) -> None:
    """Print what came out and write the report."""
    from experiments.analysis import comparison
    from experiments.records.results_folder import ResultsFolder
    from experiments.report.html.build import write_report
    from experiments.report.terminal import table

    records = ResultsFolder.open(folder).records()
    if not records:
        return
    result = comparison.compare(records, options.allow_mixed)
    if options.json:
        print(comparison.to_json(result))
    else:
        console.print(table.render(result))
    report = write_report(folder, options.allow_mixed)
    console.print(f"results  {folder}\nreport   {report}", highlight=False, soft_wrap=True)


def _sweep(options: argparse.Namespace) -> int:
    from experiments.commands import sweep

    _check_resume(options)
    console = Console(stderr=options.json and not options.list)
    if options.list:
        return sweep.show_plan(options, console)
    return _do_sweep(options, sweep.opener(options), console, sweep.finish)


def _do_sweep(
    options: argparse.Namespace, open_folder: Callable[[], SweepFolder], console: Console, finish: Finish
) -> int:
    """The runs of a sweep, in namespaces of their own unless other machines do them."""
    from experiments.commands import sweep

    if options.scheduler is not None:
        return sweep.do_runs(options, open_folder, console, finish)

    return _isolated(lambda: sweep.do_runs(options, open_folder, console, finish))


def _calibrate(options: argparse.Namespace) -> int:
    from experiments.commands import calibrate

    _check_port(options.http_port)
    wanted = specification(options)

    return _isolated(lambda: calibrate.calibrate(wanted, options.http_port, options.quick, options.json, options.quiet))


def _calibrate_weights(options: argparse.Namespace) -> int:
    from experiments.commands import calibrate_weights as weights

    _check_resume(options)
    base = None if options.resume is not None else specification(options)
    return _do_sweep(options, weights.opener(options, base), Console(stderr=options.json), weights.finish)


def _calibrate_volumes(options: argparse.Namespace) -> int:
    from experiments.commands import calibrate_volumes

    return calibrate_volumes.calibrate(options.folder, options.write, options.allow_mixed)


def _place(options: argparse.Namespace) -> int:
    from experiments.commands import place

    return place.show(specification(options), options.json)


def _import(options: argparse.Namespace) -> int:
    from experiments.commands.import_trace import import_file

    for path in import_file(options.trace, options.format, options.output):
        print(path)
    return 0


def _report(options: argparse.Namespace) -> int:
    from experiments.records.sweep_folder import SweepFolder
    from experiments.report.html.build import write_report
    from experiments.report.html.sweep_build import write_sweep_report

    write = write_sweep_report if SweepFolder.is_at(options.folder) else write_report
    print(write(options.folder, options.allow_mixed))
    return 0


def _show(options: argparse.Namespace) -> int:
    from experiments.analysis import comparison
    from experiments.commands import sweep
    from experiments.records.results_folder import ResultsFolder
    from experiments.records.sweep_folder import SweepFolder
    from experiments.report.terminal import table

    if (options.folder / "record.json").is_file():
        return _show_run(options)
    if options.job is not None:
        raise RequestError(
            f"--job {options.job}: {options.folder} is not the folder of a run; give one below its runs/"
        )
    if SweepFolder.is_at(options.folder):
        return sweep.show(options.folder, options.allow_mixed, options.json)
    result = comparison.compare(ResultsFolder.open(options.folder).records(), options.allow_mixed)
    if options.json:
        print(comparison.to_json(result))
    else:
        Console().print(table.render(result))
    return 0


def _show_run(options: argparse.Namespace) -> int:
    from experiments.records.results_folder import RunFolder
    from experiments.report.terminal import monitoring

    run = RunFolder(options.folder)
    jobs = [job.job_id for job in run.record().jobs]
    if options.job is not None and options.job not in jobs:
        raise RequestError(f"--job {options.job}: not in this run; its jobs are {', '.join(jobs)}")
    if options.json:
        print(run.record().to_json())
    else:
        Console().print(monitoring.render(run, options.job))
    return 0


def _compare(options: argparse.Namespace) -> int:
    from experiments.commands import compare

    return compare.compare(options.folders, options.allow_mixed, options.json)


def _doctor(options: argparse.Namespace) -> int:
    from experiments.machine import inspection, readiness

    findings = readiness.examine(inspection.gather())
    if options.json:
        print(readiness.to_json(findings))
    else:
        Console().print(readiness.render(findings))
    return 0 if readiness.can_run(findings) else 1


def _clean(_options: argparse.Namespace) -> int:
    from topologies.emulated import isolation

    with contextlib.suppress(FileNotFoundError):
        removed = isolation.clean_up()
        print(f"removed what {len(removed)} killed runs left behind" if removed else "nothing to remove")
    return 0


def _completion(options: argparse.Namespace) -> int:
    from experiments.commands import completion

    print(completion.script(options.shell))
    return 0


def _export_mlflow(options: argparse.Namespace) -> int:
    from experiments.report import mlflow

    tracker = mlflow.MlflowTracker(options.tracking_uri, options.experiment)
    added, there = mlflow.export(options.folder, tracker)
    print(f"added {added} runs" + (f"; {there} were there" if there else ""))
    return 0


def _schema(_options: argparse.Namespace) -> int:
    from experiments.specification import specification_file

    print(json.dumps(specification_file.json_schema(), indent=1))
    return 0


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "run": _run,
    "sweep": _sweep,
    "calibrate": _calibrate,
    "calibrate-volumes": _calibrate_volumes,
    "calibrate-weights": _calibrate_weights,
    "place": _place,
    "import": _import,
    "report": _report,
    "show": _show,
    "compare": _compare,
    "doctor": _doctor,
    "clean": _clean,
    "completion": _completion,
    "export-mlflow": _export_mlflow,
    "schema": _schema,
}
