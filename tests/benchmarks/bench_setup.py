"""How long networks take to come up and to go: the thesis's against bare Mininet, larger ones with their controller.

Run as root: `python -m topologies.emulated.isolation -- .venv/bin/python -m tests.benchmarks.bench_setup`. The bar: the
network alone is up in at most half of the time that bare Mininet takes for the same topology with TCLink. Its own Open
vSwitch counts for the testbed's network; Mininet gets one that runs already.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from mininet.link import TCLink
from mininet.log import setLogLevel
from mininet.net import Mininet
from mininet.node import OVSSwitch
from mininet.topo import Topo
from rich.console import Console
from rich.table import Table

from experiments.runs.controller_process import Options, controller, listen
from topologies.emulated import isolation, openvswitch
from topologies.emulated.network import OPENFLOW_PORT, EmulatedNetwork, emulated
from topologies.emulated.openvswitch import Datapath
from topologies.fat_tree import fat_tree, single_switch, thesis
from topologies.topology import Topology

ROUNDS = 5
BAR = 0.5
SCALE = 8


def main() -> int:
    """Print both tables; 1 if the bar is missed."""
    ratio = _against_mininet(thesis().scaled(SCALE))
    _with_controller(single_switch(64).scaled(SCALE), fat_tree(16, 16, 4, 16).scaled(SCALE))
    return int(ratio > BAR)


def _against_mininet(topology: Topology) -> float:
    datapath = openvswitch.detect_datapath()
    up: dict[str, list[float]] = {"testbed": [], "Mininet": []}
    down: dict[str, list[float]] = {"testbed": [], "Mininet": []}
    for _ in range(ROUNDS):
        with _timed(up["testbed"]), ExitStack() as stack:
            stack.enter_context(emulated(topology, datapath))
            ours = stack.pop_all()
        with _timed(down["testbed"]):
            ours.close()
        with openvswitch.running(isolation.current(), datapath):
            with _timed(up["Mininet"]):
                bare = _bare_mininet(topology, datapath)
            with _timed(down["Mininet"]):
                bare.stop()
    table = Table(
        "", "up, s", "spread", "down, s", "spread", title=f"{topology.name}, {ROUNDS} times, {datapath} datapath"
    )
    for who in up:
        table.add_row(who, *_cells(up[who]), *_cells(down[who]))
    ratio = statistics.median(up["testbed"]) / statistics.median(up["Mininet"])
    goes = statistics.median(down["testbed"]) / statistics.median(down["Mininet"])
    table.add_row("ratio", f"{ratio:.2f}", f"bar {BAR:g}{' missed' if ratio > BAR else ''}", f"{goes:.2f}", "")
    Console(width=100).print(table)
    return ratio


def _bare_mininet(topology: Topology, datapath: Datapath) -> Mininet:
    setLogLevel("critical")  # it takes tc's warnings about HTB's quantum for errors
    Mininet.inited = True  # else it raises sysctls of the machine; leaving that out is to its advantage
    plan = Topo()
    for host in topology.hosts:
        plan.addHost(host.name, ip=f"{host.ip}/16", mac=host.mac)
    for switch in topology.switches:
        plan.addSwitch(switch.name, dpid=f"{switch.dpid:016x}")
    for link in topology.links:
        plan.addLink(link.a.node, link.b.node, port1=link.a.port_no, port2=link.b.port_no, bw=link.capacity_mbps)
    kind = "user" if datapath == "userspace" else "kernel"
    network = Mininet(plan, switch=lambda *a, **k: OVSSwitch(*a, datapath=kind, **k), link=TCLink, controller=None)
    network.start()
    return network


def _with_controller(*topologies: Topology) -> None:
    own = isolation.current()
    table = Table("", "up, s", "routed after, s", "pairs pinged", "in, s", "down, s", title="With the controller")
    for topology in topologies:
        times: list[float] = []
        with tempfile.TemporaryDirectory() as folder, listen(own) as listener, ExitStack() as stack:
            log = Path(folder) / "controller.log"
            with _timed(times):
                control = stack.enter_context(controller(topology, own, OPENFLOW_PORT, listener, Options(), log))
                network = stack.enter_context(emulated(topology))
            with _timed(times):
                network.connect_controller()
                control.wait_until_ready(timeout_s=120)
            with _timed(times):
                pairs = _ping(network)
            with _timed(times):
                stack.close()
        up, routed, pinged, down = (f"{one:.2f}" for one in times)
        name = f"{topology.name}: {len(topology.switches)} switches, {len(topology.hosts)} hosts"
        table.add_row(name, up, routed, str(pairs), pinged, down)
    Console(width=110).print(table)


def _ping(network: EmulatedNetwork) -> int:
    """Ping between the first hosts of all racks, or all hosts of the only rack's first; returns the number of pairs."""
    address = {host.name: host.ip for host in network.topology.hosts}
    racks = network.topology.racks
    firsts = [members[0] for members in racks.values()]
    targets = firsts if len(racks) > 1 else list(address)
    pings = {}
    for source in firsts:
        others = " ".join(address[target] for target in targets if target != source)
        script = f"for ip in {others}; do ping -q -c 1 -W 5 $ip >/dev/null || exit 1; done"
        pings[source] = network.popen(source, ["sh", "-c", script])
    for source, process in pings.items():
        if process.wait(timeout=120):
            raise RuntimeError(f"{source} cannot reach every rack")
    return len(firsts) * (len(targets) - 1)


@contextmanager
def _timed(seconds: list[float]) -> Iterator[None]:
    begin = time.monotonic()
    yield
    seconds.append(time.monotonic() - begin)


def _cells(seconds: list[float]) -> tuple[str, str]:
    return f"{statistics.median(seconds):.2f}", f"{min(seconds):.2f}..{max(seconds):.2f}"


if __name__ == "__main__":
    sys.exit(main())
