"""The emulated network: a `Topology` made of Mininet hosts, Open vSwitch bridges and shaped virtual links.

Mininet provides the hosts (namespaces with a shell, `Host.cmd`, `Host.popen`) and the object that its tools work on.
Links, bridges, addresses and shaping are made in batches of `ip`, `ovs-vsctl` and `tc`, which takes a fraction of the
time that one command an interface takes. This is the only module that imports Mininet.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

from mininet.link import Intf, Link
from mininet.log import setLogLevel
from mininet.net import VERSION, Mininet
from mininet.node import Host, Switch

from topologies.constants import UNSCALED, Constants
from topologies.emulated import congestion_control as tcp
from topologies.emulated import host_constants, host_settings, isolation, openvswitch, programs, shaping
from topologies.emulated.isolation import Isolation
from topologies.emulated.openvswitch import Datapath, OpenVSwitch
from topologies.emulated.shaping import Shape, ShapingError
from topologies.errors import NetworkError
from topologies.topology import Topology

MININET_VERSION: str = VERSION
OPENFLOW_PORT = 6653

_ESTABLISHED, _LISTENING = "01", "0A"  # of TCP sockets in proc(5)
_PREFIX_LENGTH = 8
_LINK_GROUP = 1
_SETTINGS = {
    "net.ipv4.tcp_tw_reuse": "1",  # a port is free for the next connection at once
    "net.ipv4.tcp_retries2": "255",  # who uses a connection says when to give it up, not the kernel after 15 attempts
}


class EmulationError(NetworkError):
    """The network cannot be built, or what should be in it is not; the message says what."""


class _Interface(Intf):  # type: ignore[misc]
    """An interface that is already in place and configured."""

    def config(self, **_params: object) -> None:
        pass


class _Bridge(Switch):  # type: ignore[misc]
    """An Open vSwitch bridge that is already in place."""

    def start(self, _controllers: object) -> None:
        pass

    def stop(self, deleteIntfs: bool = False) -> None:
        super().stop(deleteIntfs=False)


@dataclass(frozen=True)
class EmulatedNetwork:
    """A running network; made by `emulated`."""

    topology: Topology
    isolation: Isolation
    switch: OpenVSwitch
    mininet: Mininet
    congestion_control: str
    constants: Constants
    shapes: Mapping[str, Sequence[Shape]]

    def popen(self, host: str, argv: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
        """Start a process on a host; `options` are those of `subprocess.Popen`, `pass_fds` included.

        It reads nothing unless told what: the standard input of this process may be root's terminal.
        """
        node = self.mininet.get(host)
        options = {"stdin": subprocess.DEVNULL, **options}
        process: subprocess.Popen[Any] = node.popen(list(argv), mncmd=["mnexec", "-a", str(node.pid)], **options)
        return process

    def run(self, host: str, argv: Sequence[str], timeout_s: float = 60.0) -> str:
        """Run a program on a host to its end and return what it printed.

        Raises:
            ProgramError: it failed or took longer than `timeout_s`.
        """
        pid = self.mininet.get(host).pid
        return programs.run(["mnexec", "-a", str(pid), *argv], deadline_s=timeout_s)

    def host_pid(self, host: str) -> int:
        """Process whose network namespace is the host's."""
        return int(self.mininet.get(host).pid)

    def connect_controller(
        self,
        port: int = OPENFLOW_PORT,
        timeout_s: float = 30.0,
        require_alive: Callable[[], None] = lambda: None,
    ) -> None:
        """Connect every bridge to the controller on a port of this namespace, once that listens.

        To a controller that was started again, too, bridges connect at once.

        Args:
            port: where the controller listens.
            timeout_s: how long to wait until it does.
            require_alive: called meanwhile; raises when the controller has ended.

        Raises:
            EmulationError: nothing listens there in time.
        """
        _wait_sockets(os.getpid(), port, _LISTENING, 1, timeout_s, require_alive)
        connected = self.switch.vsctl(["get-controller", self.topology.switches[0].name]).strip()
        target = openvswitch.controller_target(port, other_than=connected)
        self.switch.vsctl(openvswitch.controller_commands(self.topology, target))

    def wait_listening(self, host: str, port: int, timeout_s: float = 10.0) -> None:
        """Wait until something listens on a TCP port of a host.

        Raises:
            EmulationError: nothing does in time.
        """
        _wait_sockets(self.host_pid(host), port, _LISTENING, 1, timeout_s)

    def wait_connected(self, host: str, port: int, connections: int, timeout_s: float = 10.0) -> None:
        """Wait until there are so many connections to a TCP port of a host.

        Raises:
            EmulationError: there are fewer when the time is over.
        """
        _wait_sockets(self.host_pid(host), port, _ESTABLISHED, connections, timeout_s)

    def set_link(self, link_id: str, up: bool) -> None:
        """Take a link down at its upper end, which both ends see, or bring it back.

        Raises:
            ProgramError: the kernel refuses.
            KeyError: no such link.
        """
        link = self.topology.link_by_id[link_id]
        programs.run(["ip", "link", "set", shaping.interface(link.b), "up" if up else "down"])

    def verify_shaping(self) -> None:
        """Compare the kernel's traffic control with the plan.

        Raises:
            ShapingError: they differ anywhere.
        """
        lines = []
        for shapes, classes, qdiscs in self._traffic_control():
            lines += shaping.differences(shapes, shaping.parse(shapes, classes, qdiscs))
        if lines:
            raise ShapingError("traffic control is not as planned: " + "; ".join(lines))

    def verify_constants(self) -> None:
        """Compare TCP's constants on every host with the plan.

        Raises:
            EmulationError: they differ anywhere.
        """
        for host in self.topology.hosts:
            with isolation.process_network(self.host_pid(host.name)):
                found = host_constants.read_back(self.shapes[host.name][0].interface, self.constants)
            if found != self.constants:
                raise EmulationError(f"host {host.name} has {found} instead of {self.constants}")

    def verify(self) -> None:
        """Compare traffic control, TCP's constants and the links' state with the plan.

        Raises:
            ShapingError, EmulationError: they differ anywhere.
        """
        self.verify_shaping()
        self.verify_constants()
        listed = json.loads(programs.run(["ip", "-j", "link", "show", "group", str(_LINK_GROUP)]))
        links = filter(None, listed)  # those of other groups are listed, too, with nothing in them
        down = sorted(link["ifname"] for link in links if "LOWER_UP" not in link["flags"])
        if down:
            raise EmulationError(f"links are down at {', '.join(down)}")

    def renew(self) -> None:
        """Make it as it was when it had been built: no controller, no flows, nothing that TCP remembers of its peers.

        Raises:
            ShapingError, EmulationError: it is not as planned.
        """
        self.switch.clear(self.topology)
        for host in self.topology.hosts:
            with isolation.process_network(self.host_pid(host.name)):
                programs.run(["ip", "tcp_metrics", "flush", "all"])
        self.verify()

    def shaping_state(self) -> str:
        """All that the kernel says about traffic control of this network, the same text for the same state."""
        return "".join(classes for _, classes, _ in self._traffic_control())

    def _traffic_control(self) -> Iterator[tuple[Sequence[Shape], str, str]]:
        """Of every namespace the planned shapes, and the kernel's classes (text) and qdiscs (JSON)."""
        for shapes, pid in self._by_namespace():
            with isolation.process_network(pid):
                command, batch = shaping.read_back_commands(shapes)
                yield shapes, programs.run(command, batch), programs.run(["tc", "-j", "qdisc", "show"])

    def _by_namespace(self) -> Iterator[tuple[Sequence[Shape], int]]:
        hosts = {host.name for host in self.topology.hosts}
        yield [shape for node, shapes in self.shapes.items() if node not in hosts for shape in shapes], os.getpid()
        for host in self.topology.hosts:
            yield self.shapes[host.name], self.host_pid(host.name)


@contextlib.contextmanager
def emulated(
    topology: Topology,
    datapath: Datapath | None = None,
    congestion_control: str = "cubic",
    constants: Constants = UNSCALED,
) -> Iterator[EmulatedNetwork]:
    """Build the network at the capacities of `topology` and take it down at the end.

    It forwards nothing until somebody installs flows, as a controller does (`EmulatedNetwork.connect_controller`).

    Args:
        topology: with emulated capacities (`Topology.scaled`).
        datapath: kernel or userspace; None takes the best that the machine has.
        congestion_control: TCP's, on every host.
        constants: what takes its own time, as far as this kernel can change it.

    Raises:
        IsolationError: the process does not run in namespaces of its own (`topologies.emulated.isolation`).
        EmulationError, OpenVSwitchError, ProgramError, ShapingError: it could not be built as planned.
    """
    own = isolation.current()
    setLogLevel("error")
    _disable_ipv6()
    Mininet.inited = True  # else it raises a dozen sysctls of the machine and leaves them so
    constants = host_constants.obtainable(constants)
    shapes = shaping.plan(topology, constants)
    with openvswitch.running(own, datapath or openvswitch.detect_datapath()) as switch:
        mininet = Mininet(controller=None, build=False)
        try:
            network = EmulatedNetwork(topology, own, switch, mininet, congestion_control, constants, shapes)
            _add_nodes(network)
            _add_links(network)
            switch.vsctl(openvswitch.bridge_commands(topology, switch.datapath))
            programs.run(["tc", "-batch", "-"], _tc_batch(next(network._by_namespace())[0]))
            _configure_hosts(network)
            openvswitch.settle_buffers(own, switch, topology)
            network.verify()
            yield network
        finally:
            _stop(mininet)


def _add_nodes(network: EmulatedNetwork) -> None:
    for host in network.topology.hosts:
        network.mininet.addHost(host.name, cls=Host, ip=None)
    for switch in network.topology.switches:
        network.mininet.addSwitch(switch.name, cls=_Bridge, dpid=f"{switch.dpid:016x}")


def _add_links(network: EmulatedNetwork) -> None:
    """Make all virtual links at once, each end in its namespace, and tell Mininet about them."""
    hosts = {host.name: host for host in network.topology.hosts}
    batch = []
    for link in network.topology.links:
        near, far = shaping.interface(link.a), shaping.interface(link.b)
        place = ""
        if link.a.node in hosts:
            place = f" address {hosts[link.a.node].mac} netns {network.host_pid(link.a.node)}"
        batch += [f"link add {far} group {_LINK_GROUP} type veth peer name {near}{place}", f"link set {far} up"]
        if not place:
            batch.append(f"link set {near} up")
    programs.run(["ip", "-batch", "-"], "\n".join(batch) + "\n")
    for link in network.topology.links:
        interfaces = []
        for end in (link.a, link.b):
            node = network.mininet.get(end.node)
            interfaces.append(_Interface(shaping.interface(end), node, end.port_no, moveIntfFn=lambda *_: None))
        mininet_link = Link.__new__(Link)
        mininet_link.intf1, mininet_link.intf2 = interfaces
        for one in interfaces:
            one.link = mininet_link
        network.mininet.links.append(mininet_link)
    for host in hosts.values():
        access = network.mininet.get(host.name).intfs[1]
        access.ip, access.prefixLen, access.mac = host.ip, _PREFIX_LENGTH, host.mac


def _configure_hosts(network: EmulatedNetwork) -> None:
    """Addresses, permanent neighbour entries (no ARP is ever sent), shaping, congestion control and TCP's constants."""
    hosts = network.topology.hosts
    with _allowed_congestion_control(network):
        for host in hosts:
            device = shaping.interface(network.topology.host_link[host.name].a)
            address = IPv4Interface(f"{host.ip}/{_PREFIX_LENGTH}")
            batch = ["link set lo up", f"link set {device} up", f"address add {address} dev {device}"]
            batch += host_constants.commands(network.constants, device, address)
            batch += [
                f"neighbour add {other.ip} lladdr {other.mac} dev {device} nud permanent"
                for other in hosts
                if other is not host
            ]
            with isolation.process_network(network.host_pid(host.name)):
                programs.run(["ip", "-batch", "-"], "\n".join(batch) + "\n")
                programs.run(["tc", "-batch", "-"], _tc_batch(network.shapes[host.name]))
                host_settings.write("net.ipv4.tcp_congestion_control", network.congestion_control)
                for name, value in _SETTINGS.items():
                    host_settings.write(name, value)
                for name, value in host_constants.settings(network.constants).items():
                    host_settings.write(name, value)
                _disable_ipv6()


def _disable_ipv6() -> None:
    """Keep this network namespace from sending neighbour and router solicitations; without IPv6 there are none."""
    for group in ("all", "default"):
        with contextlib.suppress(FileNotFoundError):
            host_settings.write(f"net.ipv6.conf.{group}.disable_ipv6", "1")


@contextlib.contextmanager
def _allowed_congestion_control(network: EmulatedNetwork) -> Iterator[None]:
    """Only algorithms that the machine allows to everybody can be set in a namespace; allow ours for the moment."""
    name, directory = network.congestion_control, network.isolation.directory
    with network.isolation.host_network():
        if not tcp.load(name):
            raise EmulationError(
                f"congestion_control {name!r}: this kernel has {', '.join(tcp.available())}; use one of them"
            )
        allowed = host_settings.read("net.ipv4.tcp_allowed_congestion_control")
        if name not in allowed.split():
            host_settings.change(directory, "net.ipv4.tcp_allowed_congestion_control", f"{allowed} {name}")
    yield
    with network.isolation.host_network():
        host_settings.restore(directory, "net.ipv4.tcp_allowed_congestion_control")


def _wait_sockets(
    pid: int, port: int, state: str, count: int, timeout_s: float, require_alive: Callable[[], None] = lambda: None
) -> None:
    tables = [Path(f"/proc/{pid}/net/{table}") for table in ("tcp", "tcp6")]
    wanted = re.compile(rf"\d: [0-9A-F]+:{port:04X} [0-9A-F]+:[0-9A-F]+ {state} ")  # local port, peer, state (proc(5))
    deadline = time.monotonic() + timeout_s
    found = 0
    while time.monotonic() < deadline:
        found = sum(len(wanted.findall(table.read_text())) for table in tables if table.exists())  # none without IPv6
        if found >= count:
            return
        require_alive()
        time.sleep(0.01)
    what = "nothing listens" if state == _LISTENING else f"{found} of {count} connections"
    raise EmulationError(f"{what} on port {port} after {timeout_s:g} s")


def _tc_batch(shapes: Sequence[Shape]) -> str:
    return "".join(f"{line}\n" for shape in shapes for line in shape.commands)


def _stop(mininet: Mininet) -> None:
    """Remove all links at once (deleting one end of a virtual link deletes the other) and end the hosts' shells."""
    mininet.links.clear()
    group = ["group", str(_LINK_GROUP)]
    if programs.run(["ip", "link", "show", *group]):  # none yet when the user stops it early
        programs.run(["ip", "link", "delete", *group])
    mininet.stop()
