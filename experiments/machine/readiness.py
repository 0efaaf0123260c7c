"""Can the testbed run on this machine, with what, and what is to be done where it cannot?

`examine` is a function of the facts alone: what is there becomes one finding each, in the order of the layers from
the kernel upwards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from rich import box
from rich.markup import escape
from rich.table import Table

from experiments.documents import numerals
from experiments.machine.inspection import QDISCS, Facts, gather

__all__ = ["Facts", "Finding", "can_run", "examine", "gather", "render", "to_json"]

Status = Literal["ok", "limited", "missing"]

_NEEDED_QDISCS = ("htb", "bfifo")
_OLDEST_PYTHON = (3, 10)
_OLDEST_TSO = (2, 13)  # first Open vSwitch whose userspace datapath segments for TCP
_FEW_CORES = 2
_LITTLE_MEMORY_BYTES = 2 * 2**30
_PREFERRED_CONGESTION_CONTROL = "cubic"
_COLOURS: Mapping[Status, str] = {"ok": "green", "limited": "yellow", "missing": "red"}


@dataclass(frozen=True)
class Finding:
    """One thing that the testbed builds on.

    Attributes:
        subject: what it is.
        status: "ok"; "limited": it can be run without, or it could not be looked at; "missing": it cannot be run.
        found: what is there.
        used: what the testbed will use of it, or what follows.
        remedy: what to do; empty exactly when the status is "ok".
    """

    subject: str
    status: Status
    found: str
    used: str = ""
    remedy: str = ""

    def __post_init__(self) -> None:
        if (self.status == "ok") != (not self.remedy):
            raise ValueError(f"remedy {self.remedy!r} of {self.subject}: give one unless the status is ok")


def examine(facts: Facts) -> tuple[Finding, ...]:
    """Judge every fact."""
    checks: tuple[Callable[[Facts], Finding], ...] = (
        *(_rights, _testbed, _kernel, _cores, _memory, _namespaces, _links, _shaping, _tcp, _constants),
        *(_control_groups, _open_vswitch, _datapath, _mininet, _python, _controller),
    )
    programs = (
        _program(facts, ("ip", "tc", "ss"), "iproute2", "links, shaping and sockets"),
        _program(facts, ("iperf3",), "iperf3", "calibration"),
        _program(facts, ("ping",), "ping", "reachability by hand and in the tests", "iputils-ping", needed=False),
    )
    return (*(check(facts) for check in checks), *programs)


def can_run(findings: Iterable[Finding]) -> bool:
    """Whether nothing is missing; the exit code is 0 then, and 1 otherwise."""
    return all(finding.status != "missing" for finding in findings)


def render(findings: Sequence[Finding]) -> Table:
    """A table for a terminal, with the verdict as its caption."""
    table = Table(box=box.SIMPLE_HEAD, expand=True, pad_edge=False, caption_justify="left", caption=_verdict(findings))
    table.add_column("", no_wrap=True)
    table.add_column("What", ratio=2, overflow="fold")
    table.add_column("Found", ratio=4, overflow="fold")
    table.add_column("Used, or to be done", ratio=5, overflow="fold")
    for finding in findings:
        colour = _COLOURS[finding.status]
        remedy = f"[{colour}]{escape(finding.remedy)}[/]" if finding.remedy else ""
        advice = "\n".join(filter(None, (escape(finding.used), remedy)))
        table.add_row(f"[{colour}]{finding.status}[/]", escape(finding.subject), escape(finding.found), advice)
    return table


def to_json(findings: Sequence[Finding]) -> str:
    """The findings as one JSON object: `can_run` and the list `findings`."""
    return json.dumps({"can_run": can_run(findings), "findings": [asdict(finding) for finding in findings]}, indent=1)


def _verdict(findings: Sequence[Finding]) -> str:
    missing = [finding.subject for finding in findings if finding.status == "missing"]
    if missing:
        return f"The testbed cannot run here; missing: {escape(', '.join(missing))}"
    return "The testbed can run here."


def _rights(facts: Facts) -> Finding:
    if facts.root:
        return Finding("Rights", "ok", "root")
    remedy = "start with sudo to look at everything, and to run an experiment"
    return Finding("Rights", "limited", "an ordinary user", remedy=remedy)


def _testbed(facts: Facts) -> Finding:
    if facts.holder:
        used = "one network at a time: a second start is refused"
        return Finding("Testbed", "limited", f"running: {facts.holder}", used, "wait for it or stop it")
    if facts.leftovers:
        runs = f"left by a killed testbed: {', '.join(facts.leftovers)}"
        return Finding(
            "Testbed", "limited", runs, remedy="nothing: the next start, or `run_testbed.py clean`, removes it"
        )
    return Finding("Testbed", "ok", "none is running, nothing was left behind")


def _kernel(facts: Facts) -> Finding:
    return Finding("Kernel", "ok", f"Linux {facts.kernel}")


def _cores(facts: Facts) -> Finding:
    cores = f"{facts.cores}"
    if facts.cores < _FEW_CORES:
        remedy = "give the machine 2 cores, or raise scale.rate_divisor until runs are trusted"
        return Finding("Processor cores", "limited", cores, "switches and hosts share one", remedy)
    return Finding("Processor cores", "ok", cores, "one at most for the switches, the others for hosts")


def _memory(facts: Facts) -> Finding:
    size = numerals.size(facts.memory_bytes)
    if facts.memory_bytes < _LITTLE_MEMORY_BYTES:
        return Finding("Memory", "limited", size, remedy="give the machine 2 GB, or emulate fewer hosts")
    return Finding("Memory", "ok", size)


def _namespaces(facts: Facts) -> Finding:
    subject = "Namespaces"
    if facts.namespaces:
        return Finding(subject, "ok", "network, process, mount", "every run lives in its own; ended by the kernel")
    if facts.namespaces is None:
        return _unseen(subject)
    remedy = "use a virtual machine or a privileged container, with CONFIG_NET_NS and CONFIG_PID_NS"
    return Finding(subject, "missing", "network, process and mount namespaces are refused", remedy=remedy)


def _links(facts: Facts) -> Finding:
    subject = "Virtual links"
    if facts.virtual_links:
        return Finding(subject, "ok", "veth")
    if facts.virtual_links is None:
        return _unseen(subject)
    return Finding(subject, "missing", "no veth", remedy="load it (`modprobe veth`) or use a kernel with CONFIG_VETH")


def _shaping(facts: Facts) -> Finding:
    subject = "Traffic control"
    present = [kind for kind in QDISCS if facts.qdiscs[kind]]
    absent = [kind for kind in QDISCS if facts.qdiscs[kind] is False]
    found = ", ".join(present) or "none"
    found += f"; not {', '.join(absent)}" if absent else ""
    missing = [kind for kind in _NEEDED_QDISCS if facts.qdiscs[kind] is False]
    if missing:
        modules = " ".join(f"sch_{kind}" for kind in missing if kind != "bfifo")
        load = f"load it (`modprobe {modules}`) or " if modules else ""
        remedy = f"{load}use a kernel with CONFIG_NET_SCHED and CONFIG_NET_SCH_HTB"
        return Finding(subject, "missing", found, f"needed: {', '.join(missing)}", remedy)
    if any(facts.qdiscs[kind] is None for kind in _NEEDED_QDISCS):
        return _unseen(subject)
    return Finding(subject, "ok", found, "htb with bfifo on every interface; no other is needed")


def _tcp(facts: Facts) -> Finding:
    subject, available = "TCP congestion control", facts.congestion_controls
    found = f"{', '.join(available) or 'unknown'} (default {facts.default_congestion_control or 'unknown'})"
    if _PREFERRED_CONGESTION_CONTROL in available:
        return Finding(
            subject, "ok", found, f"{_PREFERRED_CONGESTION_CONTROL} unless network.congestion_control says else"
        )
    remedy = f"load it (`modprobe tcp_{_PREFERRED_CONGESTION_CONTROL}`)"
    if available:
        remedy += f", or set network.congestion_control to {' or '.join(available)}"
    return Finding(
        subject, "missing", found, f"{_PREFERRED_CONGESTION_CONTROL} is the default of a specification", remedy
    )


def _constants(facts: Facts) -> Finding:
    subject = "TCP constants"
    if None in facts.constants.values():
        return _unseen(subject)
    fixed = [name for name, changes in facts.constants.items() if not changes]
    if not fixed:
        return Finding(subject, "ok", ", ".join(facts.constants), "follow the divisors of rates and volumes")
    found = f"not to be changed: {', '.join(fixed)}"
    if fixed == ["rto_max_s"]:
        used = "retransmissions that fail often are up to 120 s apart"
        return Finding(subject, "limited", found, used, "use Linux 6.15 or later where times of single jobs matter")
    return Finding(subject, "missing", found, remedy="install a current iproute2, and mount /proc/sys writable")


def _control_groups(facts: Facts) -> Finding:
    found = " and ".join(f"v{number}" for number in facts.cgroups) or "none"
    return Finding("Control groups", "ok", found, "none: the nodes' cores and disks are modelled")


def _open_vswitch(facts: Facts) -> Finding:
    names = ("ovs-vswitchd", "ovsdb-server", "ovsdb-tool", "ovs-vsctl", "ovs-ofctl")
    use = "a private one for every run; the machine's own is not touched"
    return _program(facts, names, "Open vSwitch", use, package="openvswitch-switch")


def _datapath(facts: Facts) -> Finding:
    subject = "Datapath"
    module = f"kernel module {facts.openvswitch_module}"
    if facts.openvswitch_module != "absent":
        return Finding(subject, "ok", module, "kernel datapath")
    found = f"{module}; net.core.wmem_default {facts.send_buffer}"
    load = "load the module (`modprobe openvswitch`; package linux-modules-extra on some clouds)"
    version = _number(facts.programs["ovs-vswitchd"] or "")
    if version and version < _OLDEST_TSO:
        return Finding(
            subject, "missing", found, "userspace datapath without TCP segmentation", f"{load} or Open vSwitch 2.13"
        )
    if facts.send_buffer != "writable":
        remedy = f"{load}, or run in the machine's own network namespace with a writable /proc/sys"
        return Finding(
            subject, "missing", found, "userspace datapath, whose send buffer must be raised at start", remedy
        )
    return Finding(
        subject, "ok", found, "userspace datapath with TCP segmentation offload; its switches share one core"
    )


def _mininet(facts: Facts) -> Finding:
    made_for = f"made for Python {facts.system_python or 'unknown'}"
    if facts.mininet and facts.programs["mnexec"] is not None:
        return Finding("Mininet", "ok", f"{facts.mininet}, {made_for}", "its hosts, their shells and mnexec")
    absent = "no mnexec" if facts.mininet else f"none that Python {facts.python} can import"
    if facts.system_python and _number(facts.system_python)[:2] != _number(facts.python)[:2]:
        absent += f" ({made_for})"
    return Finding("Mininet", "missing", absent, remedy=_install("mininet"))


def _python(facts: Facts) -> Finding:
    if _number(facts.python)[:2] >= _OLDEST_PYTHON:
        return Finding("Python", "ok", facts.python)
    return Finding("Python", "missing", facts.python, remedy="use Debian 12, Ubuntu 22.04 or a later release")


def _controller(facts: Facts) -> Finding:
    found = ", ".join(f"{name} {version or 'absent'}" for name, version in facts.controllers.items())
    if facts.controllers["os-ken"]:
        return Finding("OpenFlow library", "ok", found, "os-ken")
    remedy = "delete .venv and start again: it is made anew from requirements.lock"
    return Finding("OpenFlow library", "missing", found, remedy=remedy)


def _program(
    facts: Facts, names: Sequence[str], subject: str, use: str, package: str = "", needed: bool = True
) -> Finding:
    absent = [name for name in names if facts.programs[name] is None]
    if not absent:
        return Finding(subject, "ok", facts.programs[names[0]] or names[0], use)
    status: Status = "missing" if needed else "limited"
    return Finding(subject, status, f"no {', '.join(absent)}", use, _install(package or subject))


def _install(package: str) -> str:
    return f"install it: sudo apt-get install {package}"


def _unseen(subject: str) -> Finding:
    return Finding(subject, "limited", "could not be looked at without root", remedy="start with sudo to find out")


def _number(text: str) -> tuple[int, ...]:
    """The first dotted number in a text; empty when it has none."""
    found = re.search(r"\d+(?:\.\d+)+", text)
    return tuple(int(part) for part in found.group().split(".")) if found else ()
