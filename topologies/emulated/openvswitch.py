"""A private Open vSwitch: its own database, daemon and sockets, in the network namespace of the run.

The user's Open vSwitch, where one runs, is neither needed nor touched. Both datapaths are kept per network namespace by
the kernel, so a second ovs-vswitchd is safe with either.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from topologies.emulated import host_settings, programs
from topologies.emulated.isolation import Isolation
from topologies.emulated.shaping import interface
from topologies.errors import NetworkError
from topologies.topology import Topology

Datapath = Literal["kernel", "userspace"]

_DAEMONS = ("ovs-vswitchd", "ovsdb-server")
_SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
_SEND_BUFFER_BYTES = 128 * 2**20
_SENT_WITHIN_S = 5.0
_RECEIVE_BUFFER_BYTES = 2**20  # a dozen TCP super-frames; the usual 208 KB hold three and lose bursts


class OpenVSwitchError(NetworkError):
    """Open vSwitch does not work as it has to; the message says how."""


def detect_datapath() -> Datapath:
    """The kernel datapath where the module is loaded or can be, else the userspace one."""
    if Path("/sys/module/openvswitch").exists():
        return "kernel"
    return "kernel" if programs.succeeds(["modprobe", "--quiet", "openvswitch"]) else "userspace"


def bridge_commands(topology: Topology, datapath: Datapath) -> list[str]:
    """The one `ovs-vsctl` transaction that makes every bridge with its ports, as its arguments.

    Bridges carry the names and dpids of the topology, ports their OpenFlow port numbers; without flows they forward
    nothing (`fail_mode=secure`).
    """
    kind = "system" if datapath == "kernel" else "netdev"
    arguments: list[str] = []
    for switch in topology.switches:
        arguments += ["--", "add-br", switch.name, "--", "set", "bridge", switch.name]
        arguments += [f"datapath_type={kind}", f"other_config:datapath-id={switch.dpid:016x}"]
        arguments += ["fail_mode=secure", "protocols=OpenFlow13,OpenFlow15"]
    switches = {switch.name for switch in topology.switches}
    for link in topology.links:
        for end in (link.a, link.b):
            if end.node in switches:
                port = interface(end)
                arguments += ["--", "add-port", end.node, port]
                arguments += ["--", "set", "interface", port, f"ofport_request={end.port_no}"]
    return arguments[1:]


def controller_target(port: int, other_than: str = "") -> str:
    """Where bridges find a controller on a port of this namespace.

    Open vSwitch 3.1.0 does not heed `max_backoff`: its attempts to connect to a target are 1, 2, 4 and 8 s apart, but
    one that it did not have is tried at once. So there are two spellings.
    """
    first, second = f"tcp:127.0.0.1:{port}", f"tcp:127.0.0.1:0{port}"
    return second if first == other_than else first


def controller_commands(topology: Topology, target: str) -> list[str]:
    """The one `ovs-vsctl` transaction that connects every bridge to an OpenFlow controller, as its arguments."""
    arguments: list[str] = []
    for switch in topology.switches:
        arguments += ["--", "set-controller", switch.name, target]
        arguments += ["--", "set", "controller", switch.name, "max_backoff=1000", "inactivity_probe=5000"]
    return arguments[1:]


def no_controller_commands(topology: Topology) -> list[str]:
    """The one `ovs-vsctl` transaction that takes the controller from every bridge, as its arguments."""
    return [word for switch in topology.switches for word in ("--", "del-controller", switch.name)][1:]


def environment(isolation: Isolation) -> dict[str, str]:
    """Environment variables by which ovs-vsctl, ovs-ofctl and ovs-appctl find this run's Open vSwitch."""
    return {f"OVS_{kind}DIR": str(isolation.directory / "ovs") for kind in ("RUN", "LOG", "DB")}


@dataclass(frozen=True)
class OpenVSwitch:
    """A running private Open vSwitch."""

    directory: Path
    datapath: Datapath
    vswitchd_pid: int
    ovsdb_pid: int

    def vsctl(self, arguments: Sequence[str]) -> str:
        """Run one ovs-vsctl transaction and return its output."""
        return programs.run(["ovs-vsctl", f"--db=unix:{self.directory}/db.sock", "--timeout=30", *arguments])

    def clear(self, topology: Topology) -> None:
        """Take controller, flows and groups from every bridge."""
        self.vsctl(no_controller_commands(topology))
        for switch in topology.switches:
            for command in ("del-flows", "del-groups"):
                programs.run(["ovs-ofctl", "-OOpenFlow13", command, switch.name])

    def require_alive(self) -> None:
        """Look whether the daemons run.

        Raises:
            OpenVSwitchError: one has ended or has been stopped.
        """
        for name, pid in zip(_DAEMONS, (self.vswitchd_pid, self.ovsdb_pid), strict=True):
            try:
                status = psutil.Process(pid).status()
            except psutil.NoSuchProcess:
                status = psutil.STATUS_DEAD
            if status in (psutil.STATUS_DEAD, psutil.STATUS_ZOMBIE):
                log = self.directory / f"{name}.log"
                raise OpenVSwitchError(f"{name} (process {pid}) has ended; its log's last line: {_last_line(log)}")
            if status == psutil.STATUS_STOPPED:
                raise OpenVSwitchError(f"{name} (process {pid}) has been stopped by a signal; nothing is forwarded")

    def send_buffer_bytes(self) -> int | None:
        """Size of the socket buffer through which the userspace datapath sends for all ports; None before it sent.

        It is the packet socket that is bound to no interface; those that receive are bound to theirs.
        """
        listing = programs.run(["ss", "--packet", "--memory", "--processes", "--no-header", "-0"])
        for line in listing.replace("\n\t", " ").splitlines():
            found = re.search(r':\*\s+\*\s+users:\(\("ovs-vswitchd".*\btb(\d+)', line)
            if found:
                return int(found[1])
        return None


@contextlib.contextmanager
def running(isolation: Isolation, datapath: Datapath) -> Iterator[OpenVSwitch]:
    """Start ovsdb-server and ovs-vswitchd in this namespace, and stop them.

    The userspace datapath starts with TCP segmentation offload, without which virtual links with checksum offload carry
    no TCP at all. It also sends for all ports through one socket, whose buffer is made when it sends first, and
    receives through one socket a port: until `settle_buffers`, `net.core.wmem_default` and `net.core.rmem_default` of
    the machine are raised.

    Raises:
        ProgramError: a daemon did not start.
    """
    directory = isolation.directory / "ovs"
    directory.mkdir()
    variables = environment(isolation)
    os.environ.update(variables)
    daemon = ["--no-chdir", "--detach", "--log-file", "-vconsole:off", "--pidfile"]
    try:
        programs.run(["ovsdb-tool", "create", str(directory / "conf.db"), str(_SCHEMA)])
        programs.run(["ovsdb-server", *daemon, f"--remote=punix:{directory}/db.sock", str(directory / "conf.db")])
        vsctl = ["ovs-vsctl", f"--db=unix:{directory}/db.sock", "--no-wait"]
        programs.run([*vsctl, "init"])
        if datapath == "userspace":
            programs.run([*vsctl, "set", "Open_vSwitch", ".", "other_config:userspace-tso-enable=true"])
            with isolation.host_network():
                host_settings.change(isolation.directory, "net.core.wmem_default", str(_SEND_BUFFER_BYTES))
                host_settings.change(isolation.directory, "net.core.rmem_default", str(_RECEIVE_BUFFER_BYTES))
        programs.run(["ovs-vswitchd", *daemon, f"unix:{directory}/db.sock"])
        vswitchd_pid, ovsdb_pid = (int((directory / f"{name}.pid").read_text()) for name in _DAEMONS)
        yield OpenVSwitch(directory, datapath, vswitchd_pid, ovsdb_pid)
    finally:
        with isolation.host_network():
            host_settings.restore(isolation.directory)
        for name in _DAEMONS:
            _end_daemon(directory / f"{name}.pid")
        shutil.rmtree(directory)
        for variable in variables:
            os.environ.pop(variable, None)


def settle_buffers(isolation: Isolation, switch: OpenVSwitch, topology: Topology) -> None:
    """Make the userspace datapath send one frame, so that its socket has its size, and put the sysctl back.

    Raises:
        OpenVSwitchError: the socket is smaller than asked for, so that full queues would make it drop.
    """
    if switch.datapath == "kernel":
        return
    link = topology.links[0]
    frame = "ffffffffffff" + "020000000001" + "88b5" + "00" * 46  # local experimental EtherType, IEEE 802
    packet_out = f"in_port=LOCAL packet={frame} actions=output:{link.b.port_no}"
    programs.run(["ovs-ofctl", "-OOpenFlow13", "packet-out", link.b.node, packet_out])
    deadline = time.monotonic() + _SENT_WITHIN_S
    while (size := switch.send_buffer_bytes()) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    with isolation.host_network():
        host_settings.restore(isolation.directory)
    if size is None or size < _SEND_BUFFER_BYTES:
        raise OpenVSwitchError(f"ovs-vswitchd's send buffer is {size} bytes instead of {_SEND_BUFFER_BYTES}")


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError as error:
        return str(error)
    return lines[-1] if lines else "none"


def _end_daemon(pid_file: Path) -> None:
    """Terminate a daemon, wait until it is gone (it unlinks its sockets), and kill it when it does not go."""
    try:
        pid = int(pid_file.read_text())
        process = os.pidfd_open(pid)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
            os.kill(pid, signal.SIGCONT)  # one that has been stopped ends, too
        if select.select([process], [], [], 5.0)[0]:
            break
    os.close(process)
