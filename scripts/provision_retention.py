"""Install what retaining data takes into the testbed's environment: a ledger, and the packages of contract calls.

Who does not retain data needs none of it. Packages are locked by hashes (`retention.lock`, which says how to make it
anew), anvil by npm (`anvil/package-lock.json`). Runs under any Python from 3.8 on: standard library only.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENT = ROOT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
LOCK_FILE = ROOT / "scripts" / "retention.lock"
ANVIL_LOCK = ROOT / "scripts" / "anvil"
ANVIL = ENVIRONMENT / "anvil"
STAMP = ANVIL / "installed"  # the lock file that it was made from, written last
_LOOK_S, _INSTALLATION_S = 60, 3600  # deadlines of programs


def missing() -> str | None:
    """Why nothing can be installed."""
    if not PYTHON.exists():
        return "the testbed is not installed; run `python3 run_testbed.py --help` first"
    if shutil.which("npm") is None:
        return "npm is not installed; install it, or anvil 1.7 by yourself, and say in ANVIL where it is"
    return None


def commands() -> list[list[str]]:
    """What installs it, in order; nothing when all of it is there."""
    steps = []
    if not _is_installed():
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
        steps.append([*pip, "--only-binary", ":all:", "--require-hashes", "-r", str(LOCK_FILE)])
    if not STAMP.exists() or STAMP.read_bytes() != (ANVIL_LOCK / "package-lock.json").read_bytes():
        steps.append(["rm", "-rf", str(ANVIL)])
        steps.append(["cp", "-r", str(ANVIL_LOCK), str(ANVIL)])
        steps.append(["npm", "ci", "--prefix", str(ANVIL), "--no-audit", "--no-fund", "--ignore-scripts"])
        steps.append(["cp", str(ANVIL_LOCK / "package-lock.json"), str(STAMP)])
    return steps


def _is_installed() -> bool:
    """Whether the environment has the packages in the versions of the lock file."""
    wanted = [line.split(" ")[0] for line in LOCK_FILE.read_text().splitlines() if line[:1].isalnum()]
    listing = [str(PYTHON), "-m", "pip", "list", "--format", "freeze", "--disable-pip-version-check"]
    there = subprocess.check_output(listing, text=True, timeout=_LOOK_S).lower().replace("_", "-").split()
    return all(name.replace("_", "-") in there for name in wanted)


def main() -> int:
    """Install it; exit code 2 when this machine cannot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--where-possible", action="store_true", help="be content on machines without npm")
    options = parser.parse_args()
    reason = missing()
    if reason:
        print(f"provision_retention: {reason}", file=sys.stderr)
        return 0 if options.where_possible else 2
    for command in commands():
        try:
            subprocess.run(command, cwd=ROOT, check=True, timeout=_INSTALLATION_S)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(f"provision_retention: {error}", file=sys.stderr)
            return 1
    print("what retaining data takes is installed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
