"""Check the project: style, types, the rules of who imports whom, and all tests; a failure ends it.

Run with any Python from 3.8 on; what is missing on the machine is installed first. The tests on emulated networks take
root.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shlex
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import cast

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts import provision  # noqa: E402  # found by the line above, in a directory that need not be installed


@dataclass(frozen=True)
class Check:
    """A command, run in the checkout, that fails when something is wrong.

    Attributes:
        root: it takes root.
        beside_next: it is run at the same time as the one after it; neither minds what the machine does meanwhile.
        deadline_s: when it is ended, as it will not end by itself: several times what a slow machine takes.
    """

    name: str
    argv: tuple[str, ...]
    root: bool = False
    beside_next: bool = False
    deadline_s: float = 3600


@dataclass(frozen=True)
class Outcome:
    """How a check went, and the lines of its output that say something."""

    check: Check
    exit_code: int
    duration_s: float
    lines: tuple[str, ...] = ()

    @property
    def closing(self) -> str:
        """Its last line."""
        return self.lines[-1] if self.lines else ""

    @property
    def repeated(self) -> tuple[str, ...]:
        """Lines of the tests that were measured more than once."""
        return tuple(line for line in self.lines if line.startswith(_REPEATED))

    @property
    def again(self) -> str:
        """What to run to see it fail again: the tests that failed, or all of it."""
        failed = re.findall(r"^(?:FAILED|ERROR) (tests/.+?)(?: - .*)?$", "\n".join(self.lines), re.MULTILINE)
        command = [word for word in self.check.argv if not word.startswith("tests/")]
        argv = [*command, *failed] if failed else self.check.argv
        return ("sudo " if self.check.root else "") + shlex.join(argv)

    @property
    def passed_tests(self) -> int:
        """Number of tests passed, by pytest's closing line."""
        found = re.search(r"\b(\d+) passed", self.closing)
        return int(found.group(1)) if found else 0


_REPEATED = "measured again: "
_PYTEST = (".venv/bin/python", "-m", "pytest")
_SIDE_BY_SIDE = ("-n", str((os.cpu_count() or 1) + 1), "--dist", "worksteal")  # one more than cores: some tests wait
_ISOLATED = (".venv/bin/python", "-m", "topologies.emulated.isolation", "--")

CHECKS = (
    Check("style", (".venv/bin/ruff", "check", ".")),
    Check("format", (".venv/bin/ruff", "format", "--check", ".")),
    Check("imports", (".venv/bin/lint-imports",)),
    Check("ledger", (".venv/bin/python", "scripts/provision_retention.py", "--where-possible"), root=True),
    Check("types", (".venv/bin/mypy",), beside_next=True),
    Check("Ryu", (".venv/bin/python", "scripts/provision_ryu.py", "--where-possible"), root=True, beside_next=True),
    Check("unit and browser tests", (*_PYTEST, *_SIDE_BY_SIDE, "tests/unit", "tests/ui")),
    Check("emulation tests", (*_ISOLATED, *_PYTEST, "tests/emulation"), root=True),
    Check("lifecycle tests", (*_PYTEST, "tests/lifecycle"), root=True),
)


def main() -> int:
    """Run the checks in order until some fail; returns the exit code of the first of these, or 0."""
    arguments = _arguments()
    provision.ensure_environment(provision.RUNTIME + provision.TESTING)
    if arguments.only_install:
        return 0
    checks = [check for check in CHECKS if not (arguments.fast and check.root)]
    if os.geteuid() != 0 and any(check.root for check in checks):
        print(
            "The tests on emulated networks take root: start again with sudo, or leave them out with --fast.",
            file=sys.stderr,
        )
        return 2
    started = time.monotonic()
    outcomes: list[Outcome] = []
    for group in _groups(checks):
        outcomes += _run_together(group)
        if any(outcome.exit_code for outcome in outcomes):
            break
    print("\n".join(["", *summary(outcomes, len(checks), time.monotonic() - started)]))
    return next((outcome.exit_code for outcome in outcomes if outcome.exit_code), 0)


def summary(outcomes: list[Outcome], planned: int, duration_s: float) -> list[str]:
    """Closing lines: every check with its time and its own last line, what was measured again, the result of all."""
    width = max(len(outcome.check.name) for outcome in outcomes)
    lines = [
        f"{'FAILED' if outcome.exit_code else 'ok':6}  {outcome.check.name:{width}}  {outcome.duration_s:6.1f} s"
        f"  {outcome.closing}"
        for outcome in outcomes
    ]
    lines += [line for outcome in outcomes for line in outcome.repeated]
    failed = [outcome for outcome in outcomes if outcome.exit_code]
    if failed:
        codes = ", ".join(f"{outcome.check.name} failed with exit code {outcome.exit_code}" for outcome in failed)
        lines.append(f"{codes}; {planned - len(outcomes)} checks not run; {duration_s:.0f} s")
        return [*lines, *(f"to see it again: {outcome.again}" for outcome in failed)]
    passed = sum(outcome.passed_tests for outcome in outcomes)
    return [*lines, f"All {planned} checks passed: {passed} passed in {duration_s:.0f} s"]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check the project: style, types, imports, and all tests.")
    parser.add_argument("--fast", action="store_true", help="leave out the tests on emulated networks, which take root")
    parser.add_argument("--no-install", action="store_true", help="print what is missing instead of installing it")
    parser.add_argument("--only-install", action="store_true", help="install what is missing, and check nothing")
    return parser.parse_args()


def _groups(checks: list[Check]) -> list[list[Check]]:
    """Checks that are run at the same time."""
    groups: list[list[Check]] = [[]]
    for check in checks:
        groups[-1].append(check)
        if not check.beside_next:
            groups.append([])
    return [group for group in groups if group]


def _run_together(checks: list[Check]) -> list[Outcome]:
    """Run some checks at the same time; each line of several is marked with its check."""
    for check in checks:
        print(f"\n$ {shlex.join(check.argv)}", flush=True)
    marks = [f"{check.name} | ".encode() if len(checks) > 1 else b"" for check in checks]
    with ThreadPoolExecutor(len(checks)) as pool:
        return list(pool.map(_run, checks, marks))


def _run(check: Check, mark: bytes) -> Outcome:
    """Run a check with its output passed on as it comes: by lines where they are marked."""
    environment = {**os.environ, "FORCE_COLOR": "1"} if sys.stdout.isatty() else None
    started = time.monotonic()
    process = subprocess.Popen(
        check.argv,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    overdue = threading.Timer(check.deadline_s, process.terminate)
    overdue.daemon = True  # keeps nobody waiting
    overdue.start()
    output = b""
    stream = cast("io.BufferedReader", process.stdout)
    while chunk := stream.readline() if mark else stream.read1():
        sys.stdout.buffer.write(mark + chunk)
        sys.stdout.buffer.flush()
        output += chunk
    exit_code = process.wait()
    lines = plain_lines(output.decode(errors="replace"))
    if not overdue.is_alive():
        lines += (f"ended after {check.deadline_s:.0f} s: it would not have ended by itself",)
    overdue.cancel()
    return Outcome(check, exit_code, time.monotonic() - started, lines)


def plain_lines(text: str) -> tuple[str, ...]:
    """The lines that say something, without colours and pytest's rules."""
    lines = (re.sub(r"\x1b\[[0-9;]*m", "", line).strip(" =\r") for line in text.splitlines())
    return tuple(line for line in lines if line)


if __name__ == "__main__":
    sys.exit(main())
