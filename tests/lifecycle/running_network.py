"""A small network with controller and traffic, until somebody ends it: what the tests of this directory kill.

Prints one line of JSON first (the port of the API), then the name of each stage that it has reached.
"""

from __future__ import annotations

import json
import subprocess
import time

from experiments.runs.controller_process import Options, controller, listen
from topologies.emulated import isolation
from topologies.emulated.network import OPENFLOW_PORT, emulated
from topologies.fat_tree import fat_tree


def main() -> None:
    """Build, connect, load, and wait for the end."""
    own = isolation.current()
    topology = fat_tree(racks=2, hosts_per_rack=2, core_switches=1, uplink_ports_per_rack=2).scaled(8)
    listener = listen(own)
    print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
    log = own.directory / "controller.log"
    with (
        controller(topology, own, OPENFLOW_PORT, listener, Options(), log) as control,
        emulated(topology) as network,
    ):
        print("network", flush=True)
        network.connect_controller()
        control.wait_until_ready()
        print("ready", flush=True)
        network.run("h3", ["iperf3", "-s", "-D"])  # a daemon: it leaves its session and has no parent
        network.wait_listening("h3", 5201)
        with network.popen(
            "h1", ["iperf3", "-c", topology.hosts[2].ip, "-t", "600", "-P", "4"], stdout=subprocess.DEVNULL
        ):
            print("traffic", flush=True)
            time.sleep(600)


if __name__ == "__main__":
    main()
