"""Check the project: style, types, the rules of who imports whom, and all tests; the first failure ends it.

Run with any Python from 3.8 on; what is missing on the machine is installed first. The tests on emulated networks take
root.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts import provision  # noqa: E402  # found by the line above, in a directory that need not be installed


@dataclass(frozen=True)
class Check:
    """A command, run in the checkout, that fails when something is wrong."""

    name: str
    argv: tuple[str, ...]
    root: bool = False


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
        argv = [*self.check.argv[:-1], *failed] if failed else self.check.argv
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
    Check("types", (".venv/bin/mypy",)),
    Check("imports", (".venv/bin/lint-imports",)),
    Check("unit and browser tests", (*_PYTEST, *_SIDE_BY_SIDE, "tests/unit", "tests/ui")),
    Check("Ryu", (".venv/bin/python", "scripts/provision_ryu.py", "--where-possible"), root=True),
    Check("emulation tests", (*_ISOLATED, *_PYTEST, "tests/emulation"), root=True),
    Check("lifecycle tests", (*_PYTEST, "tests/lifecycle"), root=True),
)


def main() -> int:
    """Run the checks in order and return the exit code of the first that fails, or 0."""
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
    outcomes = []
    for check in checks:
        outcomes.append(_run(check))
        if outcomes[-1].exit_code:
            break
    print("\n".join(["", *summary(outcomes, len(checks))]))
    return outcomes[-1].exit_code


def summary(outcomes: list[Outcome], planned: int) -> list[str]:
    """Closing lines: every check with its time and its own last line, what was measured again, the result of all."""
    width = max(len(outcome.check.name) for outcome in outcomes)
    lines = [
        f"{'FAILED' if outcome.exit_code else 'ok':6}  {outcome.check.name:{width}}  {outcome.duration_s:6.1f} s"
        f"  {outcome.closing}"
        for outcome in outcomes
    ]
    lines += [line for outcome in outcomes for line in outcome.repeated]
    last = outcomes[-1]
    took = f"{sum(outcome.duration_s for outcome in outcomes):.0f} s"
    if last.exit_code:
        left = planned - len(outcomes)
        return [
            *lines,
            f"{last.check.name} failed with exit code {last.exit_code}; {left} checks not run; {took}",
            f"to see it again: {last.again}",
        ]
    return [
        *lines,
        f"All {planned} checks passed: {sum(outcome.passed_tests for outcome in outcomes)} passed in {took}",
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Check the project: style, types, imports, and all tests.")
    parser.add_argument("--fast", action="store_true", help="leave out the tests on emulated networks, which take root")
    parser.add_argument("--no-install", action="store_true", help="print what is missing instead of installing it")
    parser.add_argument("--only-install", action="store_true", help="install what is missing, and check nothing")
    return parser.parse_args()


def _run(check: Check) -> Outcome:
    """Run a check with its output passed on as it comes."""
    print(f"\n$ {shlex.join(check.argv)}", flush=True)
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
    output = b""
    assert process.stdout is not None
    while chunk := os.read(process.stdout.fileno(), 65536):
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        output += chunk
    exit_code = process.wait()
    return Outcome(check, exit_code, time.monotonic() - started, plain_lines(output.decode(errors="replace")))


def plain_lines(text: str) -> tuple[str, ...]:
    """The lines that say something, without colours and pytest's rules."""
    lines = (re.sub(r"\x1b\[[0-9;]*m", "", line).strip(" =\r") for line in text.splitlines())
    return tuple(line for line in lines if line)


if __name__ == "__main__":
    sys.exit(main())
