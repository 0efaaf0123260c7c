"""The fluid against SimGrid, whose network model is checked against packets, on the same flows.

`python -m tests.benchmarks.bench_twin_simgrid [--networks 20] [--flows 200] [--python /usr/bin/python3]` lets flows of
random sizes begin at random times on the thesis's network, each over one of its ways and the interfaces and disks at
its ends, and has both tell when each has ended. SimGrid's model is CM02 without its TCP factors (latencies and
cross-traffic 0): max-min fairness, found by its own solver. It prints how far the times of flows differ, and ends with
1 when one differs by more than a thousandth. SimGrid comes as Debian's package python3-simgrid, for the system's
Python.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from typing import Any

import numpy as np

from topologies.fat_tree import thesis
from twin.clock import Clock, Signal
from twin.fluid import Fluid
from twin.routes import Routes

BAR = 1e-3

SIMGRID = """
import json, sys
from simgrid import Actor, Comm, Engine, LinkInRoute, NetZone, this_actor

given = json.load(sys.stdin)
engine = Engine(["x", "--log=root.thresh:warning"])
for option in ("network/model:CM02", "network/TCP-gamma:0", "network/crosstraffic:0", "network/weight-S:0",
               "network/bandwidth-factor:1", "network/latency-factor:1"):
    Engine.set_config(option)
zone = NetZone.create_full_zone("zone")
links = [zone.create_link(f"l{i}", rate).set_latency(0).seal() for i, rate in enumerate(given["capacity"])]
ended = {}

def send(number, source, destination, size, begins):
    this_actor.sleep_until(begins)
    Comm.sendto(source, destination, size)
    ended[number] = engine.clock

for number, (path, size, begins) in enumerate(given["flows"]):
    source, destination = (zone.create_host(f"{end}{number}", 1e9).seal() for end in "sd")
    zone.add_route(source.netpoint, destination.netpoint, None, None, [LinkInRoute(links[i]) for i in path], False)
    Actor.create(f"a{number}", source, send, number, source, destination, size, begins)
zone.seal()
engine.run()
json.dump([ended[number] for number in range(len(ended))], sys.stdout)
"""


def flows(seed: int, count: int) -> dict[str, Any]:
    """Capacities of links in bytes a second; and links, bytes and beginning of each flow."""
    rng, topology = np.random.default_rng(seed), thesis()
    routes = Routes(topology, rng)
    capacity = [topology.link_by_id[link].capacity_mbps * 1e6 / 8 for link, _ in routes.directed]
    capacity += [150e6] * len(topology.hosts)
    names = [host.name for host in topology.hosts]
    listed = []
    for _ in range(count):
        source, destination = rng.choice(len(names), 2, replace=False)
        (way,) = routes.ways(names[source], [names[destination]])
        path = [routes.disk(names[source]), *way[way >= 0].tolist()]
        listed.append((path, int(rng.lognormal(17, 1.5)), float(rng.uniform(0, 60))))
    return {"capacity": capacity, "flows": listed}


def by_fluid(given: dict[str, Any]) -> list[float]:
    """When each flow has ended."""
    clock, ended = Clock(), {}
    fluid = Fluid(clock, np.array(given["capacity"]), 1e-9, hops=16)
    for number, (path, size, begins) in enumerate(given["flows"]):

        def begin(number: int = number, path: list[int] = path, size: int = size) -> None:
            sent = clock.start(fluid.send(np.array([path]), size, Signal()))
            sent.then(lambda _: ended.update({number: clock.now}))

        clock.at(begins, begin)
    clock.run(lambda: len(ended) == len(given["flows"]))
    return [ended[number] for number in range(len(ended))]


def by_simgrid(given: dict[str, Any], python: str) -> list[float]:
    """When each flow has ended."""
    command = [python, "-c", SIMGRID]
    done = subprocess.run(command, input=json.dumps(given), check=True, capture_output=True, text=True)
    times: list[float] = json.loads(done.stdout)
    return times


def main() -> int:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=20, help="sets of flows")
    parser.add_argument("--flows", type=int, default=200, help="in each")
    parser.add_argument("--python", default="/usr/bin/python3", help="one that has SimGrid")
    options = parser.parse_args()
    if subprocess.run([options.python, "-c", "import simgrid"], check=False, capture_output=True).returncode != 0:
        print(f"{options.python} has no SimGrid; install it with `apt-get install python3-simgrid`.")
        return 2
    off = []
    for seed in range(options.networks):
        given = flows(seed, options.flows)
        begins = np.array([begins for _, _, begins in given["flows"]])
        ours, theirs = np.array(by_fluid(given)), np.array(by_simgrid(given, options.python))
        off += np.abs((ours - begins) / (theirs - begins) - 1).tolist()
    figures = f"{np.median(off):.1e} in the median, {np.percentile(off, 99):.1e} in 99 of 100, {max(off):.1e} at most"
    print(f"{len(off)} flows: times differ by {figures}")
    return 0 if max(off) <= BAR else 1


if __name__ == "__main__":
    raise SystemExit(main())
