"""Which queue a switch port should have: goodput, retransmissions, round-trip time and fairness by its length.

Run as root: `python -m topologies.emulated.isolation -- .venv/bin/python -m tests.benchmarks.bench_queue`
(rates in Mbit/s as arguments, 6.25 and 25 by default: 50 and 200 Mbit/s at rate divisor 8; five minutes a rate). TCP
connections of one host to one in another rack fill an up-link while a second pair of hosts pings across the same link.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from rich.table import Table

from topologies.constants import UNSCALED
from topologies.emulated.network import EmulatedNetwork, emulated
from topologies.fat_tree import fat_tree
from twin.pool import GOODPUT

RATES_MBPS = (6.25, 25.0)
QUEUES_KIB = (12, 16, 24, 36, 72, 128, 512)
CONSTANTS = UNSCALED.scaled(8, 512)
FLOWS = (1, 8, 32)
HOST_MBPS = 125.0
DURATION_S = 6
LEAST_GOODPUT = 0.98
MOST_ROUND_TRIP_MS = 100.0


@dataclass(frozen=True)
class Loaded:
    """One measurement under load; goodput as a share of what the link can carry, retransmissions of segments sent."""

    goodput: float
    retransmissions: float
    round_trip_ms: float
    worst_round_trip_ms: float
    lost_pings: float
    fairness: float

    @property
    def passes(self) -> bool:
        """Whether the link is used and answers quickly."""
        return self.goodput >= LEAST_GOODPUT and self.round_trip_ms < MOST_ROUND_TRIP_MS


def main() -> int:
    """Print a table a rate, and which queues pass at all rates and numbers of flows; 1 if the default does not."""
    rates = tuple(map(float, sys.argv[1:])) or RATES_MBPS
    passing = set(QUEUES_KIB)
    for rate_mbps in rates:
        table = Table(title=f"{rate_mbps:g} Mbit/s")
        for column in ("queue, KiB", "flows", "goodput", "retransmitted", "RTT, ms", "worst", "pings lost", "Jain"):
            table.add_column(column, justify="right")
        for queue_kib in QUEUES_KIB:
            for flows in FLOWS:
                measured = _measure(rate_mbps, queue_kib, flows)
                if not measured.passes:
                    passing.discard(queue_kib)
                table.add_row(str(queue_kib), str(flows), *_cells(measured), end_section=flows == FLOWS[-1])
        Console(width=100).print(table)
    print(f"goodput {LEAST_GOODPUT:.0%} or more, round trip below {MOST_ROUND_TRIP_MS:g} ms: {sorted(passing)} KiB")
    return int(CONSTANTS.queue_bytes // 1024 not in passing)


def _measure(rate_mbps: float, queue_kib: int, flows: int) -> Loaded:
    topology = fat_tree(2, 2, 1, 1, host_mbps=max(HOST_MBPS, rate_mbps), uplink_mbps=rate_mbps)
    sender, prober, receiver, mirror = topology.hosts
    with emulated(topology, constants=replace(CONSTANTS, queue_bytes=queue_kib * 1024)) as network:
        for switch in topology.switches:  # a tree: learning switches do
            argv = ["ovs-ofctl", "-OOpenFlow13", "add-flow", switch.name, "actions=NORMAL"]
            subprocess.run(argv, check=True)
        network.run(prober.name, ["ping", "-c", "1", mirror.ip])
        with _echoes(network, prober.name, mirror.ip) as echoes:
            report = _load(network, sender.name, receiver.name, receiver.ip, flows)
            lines = echoes.communicate(timeout=30)[0]
    return _loaded(report, lines, rate_mbps)


def _echoes(network: EmulatedNetwork, host: str, target: str) -> subprocess.Popen[str]:
    """Pings over the loaded link; those of the first second, before the queue is full, are left out by `_loaded`."""
    argv = ["ping", "-i", "0.2", "-c", str(DURATION_S * 5), target]
    return network.popen(host, argv, stdout=subprocess.PIPE, text=True)


def _load(network: EmulatedNetwork, sender: str, receiver: str, target: str, flows: int) -> dict[str, Any]:
    with network.popen(receiver, ["iperf3", "-s", "-1"], stdout=subprocess.DEVNULL) as server:
        network.wait_listening(receiver, 5201)
        client = ["iperf3", "-J", "-c", target, "-t", str(DURATION_S), "-O", "1", "-P", str(flows)]
        report: dict[str, Any] = json.loads(network.run(sender, client))
        server.wait(timeout=30)
    return report


def _loaded(report: dict[str, Any], pings: str, rate_mbps: float) -> Loaded:
    end = report["end"]
    rates = [stream["receiver"]["bits_per_second"] for stream in end["streams"]]
    sent = end["sum_sent"]
    times = {int(number): float(ms) for number, ms in re.findall(r"icmp_seq=(\d+) .*time=([\d.]+) ms", pings)}
    late = [ms for number, ms in times.items() if number > 10]
    lost = re.search(r"([\d.]+)% packet loss", pings)
    if not late or lost is None:
        raise RuntimeError(f"no ping came back:\n{pings}")
    return Loaded(
        goodput=end["sum_received"]["bits_per_second"] / 1e6 / (rate_mbps * GOODPUT),
        retransmissions=sent["retransmits"] * 1448 / sent["bytes"],
        round_trip_ms=sum(late) / len(late),
        worst_round_trip_ms=max(late),
        lost_pings=float(lost[1]) / 100,
        fairness=sum(rates) ** 2 / len(rates) / sum(rate * rate for rate in rates),
    )


def _cells(measured: Loaded) -> tuple[str, ...]:
    return (
        f"{measured.goodput:.3f}",
        f"{measured.retransmissions:.1%}",
        f"{measured.round_trip_ms:.0f}",
        f"{measured.worst_round_trip_ms:.0f}",
        f"{measured.lost_pings:.0%}",
        f"{measured.fairness:.2f}",
    )


if __name__ == "__main__":
    sys.exit(main())
