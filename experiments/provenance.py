"""Where and with what a run was made."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from experiments.record import Provenance
from topologies.emulation import EmulatedNetwork

_PACKAGES = ("numpy", "os-ken", "polars", "pydantic", "xxhash")
_PROGRAMS = {"open_vswitch": ["ovs-vswitchd", "--version"], "iperf3": ["iperf3", "--version"], "tc": ["tc", "-V"]}


def collect(network: EmulatedNetwork) -> Provenance:
    """The provenance of a run on this network, as it stands now."""
    return Provenance(
        machine=machine_fingerprint(),
        cpu_model=_cpu_model(),
        cpu_count=os.cpu_count() or 0,
        memory_bytes=psutil.virtual_memory().total,
        kernel=platform.release(),
        datapath=network.switch.datapath,
        congestion_control=network.congestion_control,
        tc_state_sha256=hashlib.sha256(network.shaping_state().encode()).hexdigest(),
        versions=versions(),
    )


def machine_fingerprint() -> str:
    """The same for every run on this machine, and telling nothing about it."""
    identity = [_read(Path("/etc/machine-id")), _cpu_model(), str(os.cpu_count()), platform.machine()]
    return hashlib.sha256("\n".join(identity).encode()).hexdigest()[:16]


@functools.cache
def versions() -> dict[str, str]:
    """Versions of the testbed, of Python and of everything that could change a result."""
    found = {"testbed": _testbed_version(), "python": platform.python_version(), "mininet": _mininet_version()}
    for package in _PACKAGES:
        try:
            found[package.replace("-", "_")] = version(package)
        except PackageNotFoundError:
            found[package.replace("-", "_")] = "absent"
    for name, argv in _PROGRAMS.items():
        lines = _output(argv).splitlines()
        found[name] = lines[0] if lines else "absent"
    return found


def _testbed_version() -> str:
    """Version and commit, with a mark when the checkout differs from the commit."""
    root = str(Path(__file__).resolve().parent.parent)
    git = ["git", "-c", f"safe.directory={root}", "-C", root]
    commit = _output([*git, "rev-parse", "--short=12", "HEAD"]).strip()
    if not commit:
        return "unknown"
    changed = _output([*git, "status", "--porcelain", "--untracked-files=no"]).strip()
    return f"{commit}+changes" if changed else commit


def _mininet_version() -> str:
    from topologies.emulation import MININET_VERSION

    return MININET_VERSION


def _cpu_model() -> str:
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""


def _output(argv: list[str]) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=10).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
