"""Where and with what a run was made."""

from __future__ import annotations

import functools
import hashlib
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from experiments.records.record import Provenance
from experiments.specification import strategy_modules
from experiments.specification.model import Specification, StrategySpec
from experiments.specification.plan import Run
from topologies.emulated import programs

if TYPE_CHECKING:
    from topologies.emulated.network import EmulatedNetwork

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = ("numpy", "os-ken", "polars", "pydantic", "xxhash")
_PACKAGES_OF_SIMULATION = ("numba", "numpy")
_ROOMS = ("controller", "experiments", "placement", "topologies", "twin", "workloads")
_PROGRAMS = {"open_vswitch": ["ovs-vswitchd", "--version"], "iperf3": ["iperf3", "--version"], "tc": ["tc", "-V"]}


def collect(network: EmulatedNetwork, run: Run) -> Provenance:
    """The provenance of a run on this network, as it stands now."""
    return Provenance(
        machine=machine_fingerprint(),
        cpu_model=_cpu_model(),
        cpu_count=os.cpu_count() or 0,
        memory_bytes=psutil.virtual_memory().total,
        kernel=platform.release(),
        datapath=network.switch.datapath,
        congestion_control=network.congestion_control,
        constants=asdict(network.constants),
        tc_state_sha256=hashlib.sha256(network.shaping_state().encode()).hexdigest(),
        versions=versions(),
        strategy_sha256=module_sha256(run.specification, run.strategy),
    )


def of_simulation(run: Run) -> Provenance:
    """The provenance of a run by the twin, which comes out the same on every machine."""
    return Provenance(versions=versions_of_simulation(), strategy_sha256=module_sha256(run.specification, run.strategy))


def module_sha256(specification: Specification, strategy: StrategySpec) -> str | None:
    """Of the file that defines a strategy given as `module:Class`; None of the testbed's own, and without a file."""
    file = strategy_modules.file_of(specification, strategy)
    return None if file is None else hashlib.sha256(file.read_bytes()).hexdigest()


def machine_fingerprint() -> str:
    """The same for every run on this machine, and telling nothing about it."""
    names = (_read(Path(path)) for path in ("/etc/machine-id", "/sys/class/dmi/id/product_uuid"))
    identity = [*names, _cpu_model(), str(os.cpu_count()), platform.machine()]
    return hashlib.sha256("\n".join(identity).encode()).hexdigest()[:16]


@functools.cache
def versions() -> dict[str, str]:
    """Versions of the testbed, of Python and of everything that could change a result."""
    found = {**_own_versions(_PACKAGES), "mininet": _mininet_version()}
    for name, argv in _PROGRAMS.items():
        found[name] = programs.first_line(argv) or "absent"
    return found


@functools.cache
def versions_of_simulation() -> dict[str, str]:
    """Versions of everything that could change the result of a simulation."""
    return _own_versions(_PACKAGES_OF_SIMULATION)


def _own_versions(packages: Sequence[str]) -> dict[str, str]:
    """Of the testbed, of Python and of some packages."""
    found = {"testbed": checkout_version(_ROOT), "python": platform.python_version()}
    for package in packages:
        try:
            found[package.replace("-", "_")] = version(package)
        except PackageNotFoundError:
            found[package.replace("-", "_")] = "absent"
    return found


def checkout_version(root: Path) -> str:
    """The commit, with a mark of how the checkout differs from it, new files among its modules included, if it does."""
    git = ["git", "-c", f"safe.directory={root}", "-C", str(root)]
    commit = programs.output([*git, "rev-parse", "--short=12", "HEAD"]).strip()
    if not commit:
        return "unknown"
    changed = programs.output([*git, "diff", "HEAD"])
    new = programs.output([*git, "ls-files", "-z", "--others", "--exclude-standard", "--", *_ROOMS])
    for name in new.split("\0")[:-1]:
        changed += f"{name}\n{_read(root / name)}"
    return f"{commit}+{hashlib.sha256(changed.encode()).hexdigest()[:8]}" if changed else commit


def _mininet_version() -> str:
    from topologies.emulated.network import MININET_VERSION

    return MININET_VERSION


def _cpu_model() -> str:
    for line in _read(Path("/proc/cpuinfo")).splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
