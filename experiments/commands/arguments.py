"""What can be asked of the testbed on a command line: commands, options and their help."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  sudo python run_testbed.py                                 the thesis's experiment
  sudo python run_testbed.py --blocking-factor 1 2 5 10      at several blocking factors
  sudo python run_testbed.py run --strategy default neawa --repeats 5 --seed 7
  sudo python run_testbed.py run --spec my-experiment.yaml --output results
  sudo python run_testbed.py calibrate
  python run_testbed.py report results/20260101T120000-thesis
"""
EXIT_CODES = """exit codes:
  0        all is well
  1        a run failed, or a check found something
  2        the request was wrong or the machine is not ready for it
  128 + N  signal N ended it, such as 130 for Ctrl-C
"""
SHELLS = ("bash", "zsh", "tcsh")
_FOLDER = "results/20260101T120000-thesis"
_MIXED = "compare runs of different machines or versions"


def parser() -> argparse.ArgumentParser:
    """The parser; the options it gives hold the command's name as `command`."""
    whole = argparse.ArgumentParser(
        prog="run_testbed.py",
        description="Measures how much it matters where datablocks and containers go, on an emulated network.",
        epilog=f"{EXAMPLES}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whole.add_argument("--no-install", action="store_true", help="install nothing; say what is missing and stop")
    commands = whole.add_subparsers(title="commands", metavar="COMMAND")
    _add_run(commands)
    _add_sweep(commands)
    _add_calibrate(commands)
    _add_calibrate_volumes(commands)
    _add_calibrate_weights(commands)
    _add_place(commands)
    importing = _command(
        commands,
        "import",
        "turn a recorded trace into a specification that runs",
        "import application_1 --output q3.yaml",
    )
    importing.add_argument("trace", type=Path, help="Spark event log, Hadoop job trace (MRemu), or coflow benchmark")
    importing.add_argument("--format", choices=("auto", "spark", "mremu", "coflow"), default="auto", help="[auto]")
    importing.add_argument("--output", type=Path, metavar="SPEC.yaml", help="where to write it [./NAME.yaml]")
    report = _command(commands, "report", "make the report of a results folder again", f"report {_FOLDER}")
    report.add_argument("folder", type=Path, help="results folder, or the folder of one run")
    report.add_argument("--allow-mixed", action="store_true", help=_MIXED)
    show = _command(
        commands,
        "show",
        "print the table of a results folder, or what a run's containers used",
        f"show {_FOLDER}",
        f"show {_FOLDER}/runs/r00-bf5-neawa --job kmeans-1",
    )
    show.add_argument("folder", type=Path, help="results folder, or the folder of one run")
    show.add_argument("--job", metavar="JOB", help="of a run: only this job's containers")
    show.add_argument("--allow-mixed", action="store_true", help=_MIXED)
    show.add_argument("--json", action="store_true", help="as JSON")
    _add_compare(commands)
    doctor = _command(commands, "doctor", "what this machine has, what will be used, what is missing", "doctor --json")
    doctor.add_argument("--json", action="store_true", help="as JSON")
    _command(commands, "clean", "remove what a killed testbed left behind, and nothing else", "sudo clean")
    completion = _command(
        commands,
        "completion",
        "print a script that completes commands, options and names in a shell",
        "completion bash > ~/.local/share/bash-completion/completions/run_testbed.py",
    )
    completion.add_argument("shell", choices=SHELLS, help="the shell")
    _add_export(commands)
    _command(commands, "schema", "print the JSON schema of specifications, for editors", "schema > schema.json")
    return whole


_Commands = argparse._SubParsersAction  # what add_subparsers returns; argparse has no public name for it


def _command(
    commands: _Commands[argparse.ArgumentParser], name: str, summary: str, *examples: str
) -> argparse.ArgumentParser:
    """Add a command; its examples are what follows `python run_testbed.py`, behind `sudo ` where it takes root."""
    lines = []
    for example in examples:
        words = example.removeprefix("sudo ")
        lines.append(f"  {example.removesuffix(words)}python run_testbed.py {words}\n")
    parser = commands.add_parser(
        name,
        help=summary,
        description=summary[0].upper() + summary[1:] + ".",
        epilog=f"example{'s' if len(lines) > 1 else ''}:\n{''.join(lines)}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(command=name)
    return parser


def _add_specification(parser: argparse.ArgumentParser, strategies: bool = True) -> None:
    group = parser.add_argument_group("what to run")
    group.add_argument("--spec", default="thesis", metavar="FILE", help="specification (YAML) or preset [thesis]")
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
    group.add_argument("--seed", metavar="N", help="seed of the first repeat")
    group.add_argument("--repeats", metavar="N", help="runs of every combination")
    group.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="any other value, by its dotted path"
    )


def _add_doing(parser: argparse.ArgumentParser, resumed: str, printed: str) -> None:
    """Options of everything that does runs: what `--resume` finishes, what `--json` prints."""
    parser.add_argument("--output", type=Path, default=Path("results"), metavar="FOLDER", help="where results go")
    parser.add_argument("--resume", type=Path, metavar="FOLDER", help=f"finish {resumed}; nothing is run twice")
    parser.add_argument("--force", action="store_true", help="run although the calibration is out of tolerance")
    parser.add_argument("--allow-mixed", action="store_true", help=_MIXED)
    _add_printing(parser, printed)


def _add_printing(parser: argparse.ArgumentParser, printed: str) -> None:
    parser.add_argument("--quiet", action="store_true", help="show no progress")
    parser.add_argument("--json", action="store_true", help=f"print {printed} as JSON; implies --quiet")


def _add_scheduler(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scheduler", metavar="ADDRESS", help="let the workers of this Dask scheduler do the runs")


def _add_run(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _command(
        commands,
        "run",
        "run an experiment (the default command)",
        "sudo run --strategy default neawa --blocking-factor 1 5 --repeats 5",
        "sudo run --spec my-experiment.yaml --set seed=7 scale.rate_divisor=16",
        f"sudo run --resume {_FOLDER}",
    )
    _add_specification(parser)
    _add_doing(parser, "a results folder", "the summary")
    _add_port(parser)


def _add_sweep(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _command(
        commands,
        "sweep",
        "run an experiment at every combination of some values",
        "sudo sweep table-6.2",
        "sweep table-6.2 --list",
        "sudo sweep --spec thesis --vary topology.blocking_factor=1,5 data.replication=1,3 --repeats 5",
        "sweep table-6.2 --scheduler tcp://10.0.0.1:8786",
    )
    group = parser.add_argument_group("what to run")
    group.add_argument("sweep", nargs="?", metavar="SWEEP", help="sweep (YAML) or preset")
    group.add_argument("--spec", metavar="FILE", help="with --vary: specification (YAML) or preset [thesis]")
    group.add_argument(
        "--vary", nargs="+", action="extend", default=[], metavar="KEY=V1,V2", help="values to combine, by dotted path"
    )
    group.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="a value of all points"
    )
    group.add_argument("--seed", metavar="N", help="seed of the first repeat")
    group.add_argument("--repeats", metavar="N", help="runs of every combination")
    parser.add_argument("--list", action="store_true", help="only print the points and how many runs they have")
    _add_doing(parser, "a sweep's folder", "the results")
    _add_scheduler(parser)


def _add_calibrate(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _command(
        commands,
        "calibrate",
        "measure every link alone, then all up-links at once",
        "sudo calibrate --blocking-factor 5 --quick",
    )
    _add_specification(parser)
    _add_port(parser)
    parser.add_argument("--quick", action="store_true", help="only all up-links at once")
    _add_printing(parser, "the measurements")


def _add_calibrate_weights(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _command(
        commands,
        "calibrate-weights",
        "run jobs alone under every pair of NeAwa's weights, and say which is fastest",
        "sudo calibrate-weights --profile kmeans tpch-q3 --repeats 5",
        "sudo calibrate-weights --workload mixed-high --steps 6 --blocking-factor 10",
    )
    _add_specification(parser, strategies=False)
    parser.add_argument(
        "--profile", nargs="+", action="extend", metavar="NAME", help="job profiles [those of the workload]"
    )
    parser.add_argument("--steps", type=int, default=11, metavar="N", help="weights from 0 to 1 [11: 0.0, 0.1, ...]")
    _add_doing(parser, "a results folder", "every weight's time")
    _add_scheduler(parser)


def _add_calibrate_volumes(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _command(
        commands,
        "calibrate-volumes",
        "find the factor on each job's shuffle volume that gives the published reductions",
        "calibrate-volumes results/20260101T120000-table-6.2-factors --write calibrated.yaml",
    )
    parser.add_argument("folder", type=Path, help="results folder of the sweep table-6.2-factors")
    parser.add_argument("--write", type=Path, metavar="SWEEP.yaml", help="write table-6.2-calibrated with the factors")
    parser.add_argument("--allow-mixed", action="store_true", help=_MIXED)


def _add_place(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _command(
        commands,
        "place",
        "show where blocks and containers would go; needs no root",
        "place --strategy default neawa --workload mixed-mid",
    )
    _add_specification(parser)
    parser.add_argument("--json", action="store_true", help="as JSON")


def _add_compare(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _command(
        commands,
        "compare",
        "put the runs of several results folders side by side",
        "compare results/20260101T120000-thesis results/20260102T090000-thesis",
    )
    parser.add_argument(
        "folders", type=Path, nargs="+", metavar="FOLDER", help="results folders; the first is the reference"
    )
    parser.add_argument("--allow-mixed", action="store_true", help="although machines, versions or divisors differ")
    parser.add_argument("--json", action="store_true", help="as JSON")


def _add_export(commands: _Commands[argparse.ArgumentParser]) -> None:
    parser = _command(
        commands,
        "export-mlflow",
        "add the runs of a results folder to an MLflow server or store",
        f"export-mlflow {_FOLDER} --tracking-uri http://localhost:5000",
    )
    parser.add_argument("folder", type=Path, help="results folder of an experiment or a sweep")
    parser.add_argument("--tracking-uri", metavar="URI", help="server or store [MLflow's own choice]")
    parser.add_argument("--experiment", default="placement", metavar="NAME", help="MLflow's experiment [placement]")


def _add_port(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--http-port", type=int, default=0, metavar="PORT", help="loopback port of the controller's API [a free one]"
    )
