"""What this machine offers to the testbed, found out by looking and trying: every fact as a plain value.

Nothing is installed, loaded or left behind. What must be tried (traffic control, namespaces) is tried in a namespace
that ends with the attempt. Without root, a user namespace stands in where the kernel grants one; None means that
something could not be looked at.
"""

from __future__ import annotations

import importlib.util
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

import psutil

from topologies.emulated import host_settings, programs
from topologies.emulated.isolation import STATE_DIRECTORY, holder

_RYU_ENVIRONMENT = Path(__file__).resolve().parents[2] / ".venv-ryu"

Module = Literal["loaded", "loadable", "absent"]
Access = Literal["writable", "read-only", "absent"]

PROGRAMS: Mapping[str, tuple[str, ...]] = {
    "ovs-vswitchd": ("--version",),
    "ovsdb-server": ("--version",),
    "ovs-vsctl": ("--version",),
    "ovs-ofctl": ("--version",),
    "ovsdb-tool": ("--version",),
    "ip": ("-V",),
    "tc": ("-V",),
    "ss": ("-V",),
    "mnexec": ("-v",),
    "iperf3": ("--version",),
    "ping": ("-V",),
}
QDISCS: Mapping[str, str] = {
    "htb": "",
    "bfifo": "limit 10000",
    "pfifo": "limit 10",
    "tbf": "rate 1mbit burst 10kb latency 50ms",
    "netem": "",
    "fq": "",
    "fq_codel": "",
    "sfq": "",
    "red": "limit 60000 avpkt 1000 bandwidth 10mbit",
}
"""Queueing disciplines that are tried, with the arguments that they do not do without."""
CONSTANTS: Mapping[str, str] = {
    "super_frame_bytes": "ip link set dev try0 gso_max_size 8192",
    "rto_min_s": "ip link set dev try0 up && ip address add 192.0.2.1/24 dev try0 "
    "&& ip route replace 192.0.2.0/24 dev try0 rto_min 10ms",
    "rto_max_s": "echo 1000 > /proc/sys/net/ipv4/tcp_rto_max_ms",
}
"""TCP's constants of a host (`topologies.constants`), and how it is tried whether they can be changed."""


@dataclass(frozen=True)
class Facts:
    """One machine at one moment.

    Attributes:
        root: this process may do everything.
        kernel: its release.
        cores: processors that this process may use.
        memory_bytes: of the machine.
        openvswitch_module: the kernel's own datapath.
        namespaces: whether a network, a process and a mount namespace can be had together.
        virtual_links: whether the kernel has veth pairs.
        qdiscs: of `QDISCS`, whether the kernel has them.
        constants: of `CONSTANTS`, whether the kernel lets them be changed.
        cgroups: versions that are mounted.
        congestion_controls: of TCP, those available.
        default_congestion_control: the one that is used unless told otherwise.
        send_buffer: whether `net.core.wmem_default` can be changed.
        programs: first line about their version, by name; None: not installed.
        mininet: version; None: this Python has none.
        system_python: version of /usr/bin/python3, for which the distribution's Mininet is made.
        python: version of this Python.
        controllers: versions of the OpenFlow libraries, by name; None: not installed.
        holder: which process runs a testbed here.
        leftovers: run ids of testbeds that were killed and not yet cleaned up.
    """

    root: bool
    kernel: str
    cores: int
    memory_bytes: int
    openvswitch_module: Module
    namespaces: bool | None
    virtual_links: bool | None
    qdiscs: Mapping[str, bool | None]
    constants: Mapping[str, bool | None]
    cgroups: tuple[int, ...]
    congestion_controls: tuple[str, ...]
    default_congestion_control: str
    send_buffer: Access
    programs: Mapping[str, str | None]
    mininet: str | None
    system_python: str | None
    python: str
    controllers: Mapping[str, str | None]
    holder: str | None
    leftovers: tuple[str, ...]


def gather() -> Facts:
    """Look at this machine; takes about a second."""
    root = os.geteuid() == 0
    virtual_links, qdiscs, constants = _traffic_control(root)
    holder, leftovers = _testbeds(STATE_DIRECTORY)
    return Facts(
        root=root,
        kernel=platform.release(),
        cores=len(os.sched_getaffinity(0)),
        memory_bytes=psutil.virtual_memory().total,
        openvswitch_module=_openvswitch_module(),
        namespaces=_namespaces(root),
        virtual_links=virtual_links,
        qdiscs=qdiscs,
        constants=constants,
        cgroups=cgroup_versions(_read(Path("/proc/mounts"))),
        congestion_controls=tuple(_sysctl("net.ipv4.tcp_available_congestion_control").split()),
        default_congestion_control=_sysctl("net.ipv4.tcp_congestion_control"),
        send_buffer=_access(Path("/proc/sys/net/core/wmem_default"), root),
        programs={name: programs.first_line([name, *arguments]) for name, arguments in PROGRAMS.items()},
        mininet=_mininet_version(),
        system_python=(programs.first_line(["/usr/bin/python3", "--version"]) or "").removeprefix("Python ") or None,
        python=platform.python_version(),
        controllers={"os-ken": _package_version("os-ken"), "ryu": _ryu_version()},
        holder=holder,
        leftovers=leftovers,
    )


def cgroup_versions(mounts: str) -> tuple[int, ...]:
    """Versions of control groups among the lines of /proc/mounts; of a hybrid set-up, both."""
    kinds = {line.split()[2] for line in mounts.splitlines() if len(line.split()) > 2}
    return tuple(number for number, kind in ((1, "cgroup"), (2, "cgroup2")) if kind in kinds)


def _traffic_control(root: bool) -> tuple[bool | None, dict[str, bool | None], dict[str, bool | None]]:
    """Try veth, every qdisc and constant in a network namespace; where none is to be had, ask the list of modules."""
    tries = [f"{command} && echo {name}" for name, command in CONSTANTS.items()]
    tries += [f"tc qdisc add dev try0 root {kind} {options} && echo {kind}" for kind, options in QDISCS.items()]
    lines = ["echo begun", "ip link add try0 type veth peer name try1 || exit", "echo veth"]
    for line in tries:
        lines += [line, "tc qdisc del dev try0 root"]
    answers = set(_in_namespaces(root, ["--net"], "\n".join(lines)).split())
    if "veth" in answers:
        return True, {kind: kind in answers for kind in QDISCS}, {name: name in answers for name in CONSTANTS}
    release = platform.release()
    names = {line.split()[0] for line in _read(Path("/proc/modules")).splitlines()}
    names |= {Path(line).stem for line in _read(Path(f"/lib/modules/{release}/modules.builtin")).splitlines()}
    refused = False if root and "begun" in answers else None
    qdiscs = {kind: True if f"sch_{kind}" in names else None for kind in QDISCS}
    return (True if "veth" in names else refused), qdiscs, dict.fromkeys(CONSTANTS)


def _namespaces(root: bool) -> bool | None:
    if not all(Path("/proc/self/ns", kind).exists() for kind in ("net", "pid", "mnt")):
        return False
    works = "begun" in _in_namespaces(root, ["--net", "--mount", "--pid", "--fork"], "echo begun")
    return works or (False if root else None)


def _in_namespaces(root: bool, kinds: list[str], script: str) -> str:
    """What a shell script prints in fresh namespaces; nothing where the kernel does not grant them."""
    rights = [] if root else ["--user", "--map-root-user"]
    return programs.output(["unshare", *rights, *kinds, "sh", "-c", script])


def _openvswitch_module() -> Module:
    if Path("/sys/module/openvswitch").exists():
        return "loaded"
    return "loadable" if programs.succeeds(["modprobe", "--dry-run", "--quiet", "openvswitch"]) else "absent"


def _testbeds(state: Path) -> tuple[str | None, tuple[str, ...]]:
    """Who holds the lock; or, when nobody does, which runs left their directory behind."""
    if running := holder(state):
        return running, ()
    try:
        return None, tuple(sorted(path.name for path in state.iterdir() if path.is_dir()))
    except OSError:
        return None, ()


def _access(path: Path, root: bool) -> Access:
    """Whether a setting can be changed; without root, whether root could as far as one sees."""
    if not path.exists():
        return "absent"
    writable = os.access(path, os.W_OK) if root else not os.statvfs(path).f_flag & os.ST_RDONLY
    return "writable" if writable else "read-only"


def _mininet_version() -> str | None:
    if importlib.util.find_spec("mininet") is None:
        return None
    from topologies.emulated.network import MININET_VERSION

    return MININET_VERSION


def _ryu_version() -> str | None:
    """Version of Ryu in the environment of its own, which `scripts/provision_ryu.py` makes."""
    found = sorted(_RYU_ENVIRONMENT.glob("lib/python*/site-packages/ryu-*.dist-info"))
    return found[0].name.removeprefix("ryu-").removesuffix(".dist-info") if found else None


def _package_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _sysctl(name: str) -> str:
    try:
        return host_settings.read(name)
    except OSError:
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
