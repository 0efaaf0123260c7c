"""Make the environment in which the controller runs on Ryu: `.venv-ryu`, apart from that of the testbed.

Ryu 4.34, its last release, runs on Python 3.11 and older, builds only with an old setuptools, and needs versions of
other packages that the testbed does not share. All of it is locked by hashes: `ryu-build.lock` has what Ryu is built
by, `ryu.lock` the rest, and each says how to make it anew. Ryu itself is the only one that is built here, for it was
published as a source archive only. Runs under any Python from 3.8 on: standard library only.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Sequence

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv-ryu"
BUILD_LOCK, LOCK_FILE = ROOT / "scripts" / "ryu-build.lock", ROOT / "scripts" / "ryu.lock"
STAMP = ENVIRONMENT / "ryu.lock"  # the lock files that it was made from, written last

PYTHONS = ("python3.11", "python3.10", "python3.9", "python3")
NEWEST_PYTHON = (3, 11)
_LOOK_S, _INSTALLATION_S = 60, 3600  # deadlines of programs


def find_python(candidates: Sequence[str] = PYTHONS) -> str | None:
    """The newest interpreter on this machine that Ryu runs on and the controller too (3.10)."""
    for candidate in candidates:
        path = shutil.which(candidate, path="/usr/bin:/usr/local/bin")
        if path is not None and (3, 10) <= _version(path) <= NEWEST_PYTHON:
            return path
    return None


def _version(python: str) -> tuple[int, int]:
    program = "import sys; print(*sys.version_info[:2])"
    major, minor = subprocess.check_output([python, "-c", program], text=True, timeout=_LOOK_S).split()
    return int(major), int(minor)


def commands(python: str) -> list[list[str]]:
    """What makes the environment, in order."""
    pip = [str(ENVIRONMENT / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip += ["--no-deps", "--only-binary", ":all:", "--require-hashes"]
    return [
        [python, "-m", "venv", "--clear", str(ENVIRONMENT)],
        [*pip, "-r", str(BUILD_LOCK)],
        [*pip, "--no-build-isolation", "--no-binary", "ryu", "-r", str(LOCK_FILE)],
        [str(ENVIRONMENT / "bin/python"), "-c", "import controller.openflow as it; it.load('ryu')"],
    ]


def main() -> int:
    """Make it, and try to import Ryu in it; exit code 2 when this machine cannot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--where-possible", action="store_true", help="be content on machines whose Python is too new")
    options = parser.parse_args()
    lock = BUILD_LOCK.read_text() + LOCK_FILE.read_text()
    if STAMP.exists() and STAMP.read_text() == lock:
        print(f"Ryu is installed in {ENVIRONMENT}")
        return 0
    python = find_python()
    if python is None and options.where_possible:
        print("Ryu needs Python 3.10 or 3.11 in /usr/bin; the controller is tested on os-ken only")
        return 0
    if python is None:
        print(
            "provision_ryu: Ryu needs Python 3.10 or 3.11 in /usr/bin; use the default library os-ken", file=sys.stderr
        )
        return 2
    for command in commands(python):
        try:
            subprocess.run(command, cwd=ROOT, check=True, timeout=_INSTALLATION_S)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(f"provision_ryu: {error}", file=sys.stderr)
            return 1
    STAMP.write_text(lock)
    print(f"Ryu is installed in {ENVIRONMENT}; start the controller with --controller-library ryu")
    return 0


if __name__ == "__main__":
    sys.exit(main())
