"""Programs of the machine that the testbed calls: each has a deadline, and fails with its name and its own words."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from topologies.errors import NetworkError

DEADLINE_S = 60.0

_PACKAGES = {
    "ip": "iproute2",
    "iperf3": "iperf3",
    "mnexec": "mininet",
    "ovs-ofctl": "openvswitch-switch",
    "ovs-vsctl": "openvswitch-switch",
    "ovs-vswitchd": "openvswitch-switch",
    "ovsdb-server": "openvswitch-switch",
    "ovsdb-tool": "openvswitch-switch",
    "ss": "iproute2",
    "tc": "iproute2",
}
_SHOWN_WORDS = 6


class ProgramError(NetworkError):
    """A program is not installed, failed, or did not end in time; the message holds what it said."""


def run(argv: Sequence[str], standard_input: str | None = None, deadline_s: float = DEADLINE_S) -> str:
    """Run a program to its end and return what it printed.

    Raises:
        ProgramError: it is missing, it failed, or it took longer than `deadline_s`.
    """
    done = _done(argv, standard_input, deadline_s)
    if done.returncode != 0:
        said = done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}"
        raise ProgramError(f"{_shown(argv)}: {said}")
    return done.stdout


def succeeds(argv: Sequence[str]) -> bool:
    """Whether a program is there and ends with exit code 0."""
    try:
        run(argv)
    except ProgramError:
        return False
    return True


def output(argv: Sequence[str]) -> str:
    """What a program prints, however it ends; nothing where it is missing or does not end."""
    try:
        return _done(argv).stdout
    except ProgramError:
        return ""


def first_line(argv: Sequence[str]) -> str | None:
    """The first line that a program prints, or else complains with; None where it is missing or does not end."""
    try:
        done = _done(argv)
    except ProgramError:
        return None
    return next(iter((done.stdout or done.stderr).splitlines()), "")


def _done(
    argv: Sequence[str], standard_input: str | None = None, deadline_s: float = DEADLINE_S
) -> subprocess.CompletedProcess[str]:
    source = {"stdin": subprocess.DEVNULL} if standard_input is None else {"input": standard_input}
    try:
        return subprocess.run(
            argv, capture_output=True, text=True, errors="replace", check=False, timeout=deadline_s, **source
        )
    except FileNotFoundError:
        package = _PACKAGES.get(argv[0])
        raise ProgramError(f"{argv[0]}: not installed" + (f"; install {package}" if package else "")) from None
    except OSError as error:
        raise ProgramError(f"{_shown(argv)}: {error.strerror}") from error
    except subprocess.TimeoutExpired:
        raise ProgramError(f"{_shown(argv)}: did not end within {deadline_s:g} s") from None


def _shown(argv: Sequence[str]) -> str:
    return " ".join(argv[:_SHOWN_WORDS])
