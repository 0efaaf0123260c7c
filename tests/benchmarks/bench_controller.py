"""What the controller's decisions and its bookkeeping cost, on the thesis's network and on a large one.

    python -m tests.benchmarks.bench_controller

Prints milliseconds, and the ratio of the large network to the small one. Needs no root and no switches.
"""

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial

from rich.console import Console
from rich.table import Table

from controller.counters import LinkCounters, PortCounters
from controller.elephants import read_datapath_flows
from controller.entries import Rules, changes
from controller.routing import ecmp_rules
from tests.unit.controller.test_core import World
from topologies.fat_tree import fat_tree, thesis
from topologies.topology import Topology

REPEATS = 5

_FLOW = (
    "recirc_id(0),in_port(t1-eth1),packet_type(ns=0,id=0),eth(src=02:00:0a:00:01:01,dst=02:00:0a:00:02:01),"
    "eth_type(0x0800),ipv4(src=10.0.1.1,dst=10.0.2.1,proto=6,frag=no),tcp(src={port},dst=9000), packets:812, "
    "bytes:1234567, used:0.100s, flags:SFP., actions:t1-eth6\n"
)


def fastest_ms(action: Callable[[], object]) -> float:
    """Least of some repetitions, which other load on the machine disturbs least."""
    durations = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        action()
        durations.append(time.perf_counter() - begin)
    return min(durations) * 1e3


def compare(rules: Mapping[str, Rules]) -> None:
    """Find that nothing has changed."""
    for each in rules.values():
        changes(each, each)


def discover(topology: Topology) -> None:
    """From the connection of all switches to confirmed routes, with switches that answer at once."""
    world = World(topology)
    world.connect()
    world.run(1)
    assert world.health.status == "ready"


def fail_over(topology: Topology) -> Callable[[], None]:
    """A link goes down and comes back."""
    world = World(topology)
    world.connect()
    world.run(1)

    def flap() -> None:
        world.cable("t1-c1/1", False)
        world.cable("t1-c1/1", True)

    return flap


def poll(topology: Topology) -> Callable[[], None]:
    """One round of counters of all switches."""
    counters = LinkCounters(topology)
    readings = {
        switch.name: [
            PortCounters(end.port_no, 1.0, 10, 10, 1, 1, 0, 0) for end in topology.link_at if end.node == switch.name
        ]
        for switch in topology.switches
    }

    def round_() -> None:
        for switch, values in readings.items():
            counters.update(switch, values, 0.0)

    return round_


def main() -> None:
    """Print the table."""
    logging.disable()
    small, large = thesis(), fat_tree(racks=16, hosts_per_rack=16, core_switches=4)
    few, many = ("".join(_FLOW.format(port=port) for port in range(count)) for count in (100, 8000))
    rules = [ecmp_rules(topology) for topology in (small, large)]
    rows = {
        "rules of all switches": [fastest_ms(partial(ecmp_rules, t)) for t in (small, large)],
        "their difference": [fastest_ms(partial(compare, each)) for each in rules],
        "discovery and routes, in all": [fastest_ms(partial(discover, t)) for t in (small, large)],
        "a link down and up": [fastest_ms(fail_over(t)) for t in (small, large)],
        "one round of counters": [fastest_ms(poll(t)) for t in (small, large)],
        "reading 100 and 8,000 datapath flows": [
            fastest_ms(partial(read_datapath_flows, text)) for text in (few, many)
        ],
    }
    table = Table("what", "6 switches, ms", "20 switches, 384 links, ms", "ratio", title="Controller")
    for name, (first, second) in rows.items():
        table.add_row(name, f"{first:.2f}", f"{second:.2f}", f"{second / first:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
