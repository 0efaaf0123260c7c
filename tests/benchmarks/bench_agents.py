"""Agents against iperf3 on the same emulated path, and what they cost on loopback.

Run as root with `python -m topologies.emulated.isolation -- .venv/bin/python -m tests.benchmarks.bench_agents`; with
`--loopback` and without the isolation, only the part that needs neither root nor a network runs.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from tests.unit.workloads.loopback import Block, blocks_of, hosts, memory_mb, racks, spawn
from workloads.coordination.events import Event, Transfers, one_by_one
from workloads.coordination.pool import AgentPool, Spawn
from workloads.job import Exchange, Job, Read, Stage
from workloads.node_model import NodeModel
from workloads.scale import Scale
from workloads.schedule import preset

FREE = NodeModel(cores=64, disk_mb_per_s=1e6)  # resources that slow nothing down
SECONDS = 5
ONE_FLOW_BAR, ALL_TO_ALL_BAR, CPU_BAR, BLOCK_BAR_MS, MEMORY_BAR_MB, START_BAR_S = 0.97, 0.95, 0.15, 1.0, 30.0, 0.3
_TICKS = 100.0


def cpu_s(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


# -- iperf3 --------------------------------------------------------------------------------------------------------


def iperf3_mbps(network: Any, pairs: Sequence[tuple[str, str]], flows: int) -> float:
    """Sum of the goodput of `flows` connections between each (client, server) in Mbit/s, without the first second."""
    address = {host.name: host.ip for host in network.topology.hosts}
    servers, clients = [], []
    for i, (_, server) in enumerate(pairs):
        argv = ["iperf3", "-s", "-1", "-p", str(5201 + i), "--forceflush"]
        servers.append(network.popen(server, argv, stdout=subprocess.DEVNULL))
    for i, (_, server) in enumerate(pairs):
        network.wait_listening(server, 5201 + i)
    for i, (client, server) in enumerate(pairs):
        argv = ["iperf3", "-J", "-c", address[server], "-p", str(5201 + i), "-P", str(flows), "-t", str(SECONDS), "-O1"]
        clients.append(network.popen(client, argv, stdout=subprocess.PIPE))
    reports = [json.loads(client.communicate(timeout=60)[0]) for client in clients]
    for server in servers:
        server.wait(timeout=10)
    return float(sum(report["end"]["sum_received"]["bits_per_second"] for report in reports)) / 1e6


# -- agents --------------------------------------------------------------------------------------------------------


async def one_transfer(network: Any, rate_mbps: float) -> tuple[float, list[float]]:
    """Goodput of one block read in Mbit/s, and the share of a core that reader and server used."""
    size = int(rate_mbps * 1e6 / 8 * SECONDS)
    block_map, sizes = blocks_of("j/in", [size], [("h2",)])
    job = Job("j", "bench", (Stage("scan", (Read("j/in", size),)),), containers=2)
    events: list[Event | Transfers] = []
    async with pool_on(network) as pool:
        await pool.store(block_map, sizes)
        before = [cpu_s(pool.pids[host]) for host in ("h1", "h2")]
        result = await pool.run_job(job, ("h1", "h1"), block_map, events.append, deadline_s=60)
        used = [cpu_s(pool.pids[host]) - then for host, then in zip(("h1", "h2"), before, strict=True)]
    if result.failed:
        raise RuntimeError(result.failed)
    read = next(event for event in one_by_one(events) if event.kind == "read")
    took_s = read.time_s - (read.start_s or 0.0)
    return size * 8 / took_s / 1e6, [seconds / took_s for seconds in used]


async def all_to_all(network: Any, slots: int) -> float:
    """Aggregate goodput in Mbit/s of a shuffle among all hosts with slots^2 flows a pair, ends left out."""
    names = [host.name for host in network.topology.hosts]
    rate = sum(network.topology.host_link[name].capacity_mbps for name in names) * 1e6 / 8
    block_map, sizes = blocks_of("j/in", [1000], [("h1",)])
    exchange = Exchange("spread", int(rate * (SECONDS + 3)), pipelined=False)
    stages = (
        Stage("scan", (Read("j/in", 1000),)),
        Stage("spread", (Exchange("scan", 1000),)),
        Stage("sink", (exchange,)),
    )
    job = Job("j", "bench", stages, containers=len(names) + 1, slots_per_container=slots)
    samples: list[Event] = []
    async with pool_on(network, samples.append) as pool:
        await pool.store(block_map, sizes)
        began = pool.clock()
        await pool.run_job(job, ["h1", *names], block_map, lambda _: None, deadline_s=SECONDS + 2)
    counted: dict[str, list[Event]] = {name: [] for name in names}
    for event in samples:
        if event.job is None and began + 1 < event.time_s < began + 1 + SECONDS:
            counted[event.host or ""].append(event)
    return sum(
        sum(event.received_bytes or 0 for event in rows[1:]) * 8 / (rows[-1].time_s - rows[0].time_s) / 1e6
        for rows in counted.values()
    )


def pool_on(network: Any, sink: Callable[[Event], None] | None = None) -> AgentPool:
    """Agents on all hosts of an emulated network."""

    def start(host: str, argv: Sequence[str], descriptors: Sequence[int]) -> subprocess.Popen[bytes]:
        process: subprocess.Popen[bytes] = network.popen(host, argv, pass_fds=descriptors)
        return process

    addresses = {host.name: host.ip for host in network.topology.hosts}
    return AgentPool(addresses, start, dict.fromkeys(addresses, FREE), Scale(), 1, sink=sink, sample_s=0.25)


async def start_up(count: int) -> tuple[float, float]:
    """Wall seconds until so many agents are ready, and the resident memory of the largest in MB."""
    began = time.monotonic()
    async with AgentPool(hosts(count), spawn, dict.fromkeys(hosts(count), FREE), Scale(), 1) as pool:
        return time.monotonic() - began, max(memory_mb(pid) for pid in pool.pids.values())


async def mixed_high(start: Spawn) -> dict[str, float]:
    """The thesis's five jobs at once with tiny volumes: what a block, a transfer and a job cost in CPU time."""
    scale, rng = Scale(rate_divisor=8, volume_divisor=4096), np.random.default_rng(1)
    names, submissions = list(hosts(8)), preset("mixed-high")
    jobs = [submission.job() for submission in submissions]
    sizes = {
        Block(file, i): min(2**27, size - i * 2**27)
        for job in jobs
        for file, size in job.files.items()
        for i in range(-(-size // 2**27))
    }
    block_map = {block: tuple(names[i] for i in rng.permutation(8)[:3]) for block in sizes}
    slots = list(rng.permutation([name for name in names for _ in range(8)]))
    events: list[Event | Transfers] = []
    async with AgentPool(
        hosts(8), start, dict.fromkeys(hosts(8), NodeModel()), scale, 1, racks=racks(8), sink=events.append
    ) as pool:
        await pool.store(block_map, sizes)
        before, own, began = {pid: cpu_s(pid) for pid in pool.pids.values()}, time.process_time(), time.monotonic()

        async def submit(i: int) -> None:
            await asyncio.sleep(scale.wall_s(submissions[i].at_s))
            placement = slots[12 * i : 12 * i + 12]
            result = await pool.run_job(jobs[i], placement, block_map, events.append, deadline_s=120)
            if result.failed:
                raise RuntimeError(f"{result.job_id}: {result.failed}")

        await asyncio.gather(*(submit(i) for i in range(len(jobs))))
        return {
            "blocks": len(sizes),
            "transfers": sum(event.kind == "transfer" for event in one_by_one(events)),
            "wall_s": time.monotonic() - began,
            "agents_s": sum(cpu_s(pid) - then for pid, then in before.items()),
            "coordinator_s": time.process_time() - own,
            "memory_mb": max(memory_mb(pid) for pid in pool.pids.values()),
        }


# -- report --------------------------------------------------------------------------------------------------------


def row(table: Table, what: str, measured: str, goal: str, met: bool) -> None:
    """One line; a missed goal is marked."""
    table.add_row(what, measured, goal, "yes" if met else "NO")


def on_loopback(table: Table) -> None:
    """Start-up, memory and the cost of a block."""
    for count in (8, 64):
        took_s, memory = asyncio.run(start_up(count))
        each = took_s / count
        row(table, f"start of {count} agents", f"{took_s:.2f} s, {each:.3f} s each", "0.3 s each", each <= START_BAR_S)
        row(table, f"resident memory, {count} idle agents", f"{memory:.1f} MB", "30 MB", memory <= MEMORY_BAR_MB)
    cost = asyncio.run(mixed_high(spawn))
    block_ms = 1000 * (cost["agents_s"] + cost["coordinator_s"]) / cost["blocks"]
    detail = (
        f"{block_ms:.2f} ms CPU ({cost['blocks']:.0f} blocks and {cost['transfers']:.0f} transfers in "
        f"{cost['wall_s']:.1f} s; agents {cost['agents_s']:.1f} s, coordinator {cost['coordinator_s']:.1f} s)"
    )
    row(table, "mixed-high on loopback, a block with its share of all else", detail, "1 ms", block_ms <= BLOCK_BAR_MS)
    memory = cost["memory_mb"]
    row(table, "resident memory after mixed-high", f"{memory:.1f} MB", "30 MB", memory <= MEMORY_BAR_MB)


def on_emulated_network(table: Table) -> None:
    """Goodput and CPU against iperf3."""
    from topologies.emulated.network import emulated
    from topologies.fat_tree import single_switch

    for rate_mbps in (1000.0, 125.0):
        with emulated(single_switch(2, host_mbps=rate_mbps)) as network:
            subprocess.check_call(["ovs-ofctl", "-OOpenFlow13", "add-flow", "t1", "actions=NORMAL"])
            reference = iperf3_mbps(network, [("h2", "h1")], 1)
            goodput, cpu = asyncio.run(one_transfer(network, rate_mbps))
        ratio = goodput / reference
        measured = f"{goodput:.1f} of {reference:.1f} Mbit/s = {ratio:.1%}"
        row(table, f"one transfer at {rate_mbps:g} Mbit/s", measured, "97 %", ratio >= ONE_FLOW_BAR)
        used = f"reader {cpu[0]:.1%}, server {cpu[1]:.1%} of a core"
        row(table, f"CPU at {rate_mbps:g} Mbit/s", used, "15 %", max(cpu) < CPU_BAR)
    for slots in (1, 2):
        with emulated(single_switch(8, host_mbps=125.0)) as network:
            subprocess.check_call(["ovs-ofctl", "-OOpenFlow13", "add-flow", "t1", "actions=NORMAL"])
            names = [host.name for host in network.topology.hosts]
            pairs = [(a, b) for a in names for b in names if a != b]
            reference = iperf3_mbps(network, pairs, slots**2)
            goodput = asyncio.run(all_to_all(network, slots))
        ratio = goodput / reference
        measured = f"{goodput:.1f} of {reference:.1f} Mbit/s = {ratio:.1%}"
        what = f"all-to-all of 8 hosts at 125 Mbit/s, {slots**2} flow(s) a pair"
        row(table, what, measured, "95 %", ratio >= ALL_TO_ALL_BAR)


def main() -> None:
    """Measures and prints."""
    table = Table("measured", "result", "goal", "met", title="agents")
    on_loopback(table)
    if "--loopback" not in sys.argv:
        on_emulated_network(table)
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
