"""The controller against real switches: discovery, spreading of flows, and counters.

Tests that start a controller of their own come before those that share one.
"""

import collections
import json
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from scipy import stats

from tests.emulation.running_controller import PATIENCE_S, controller, kernel_bytes, links_down
from topologies.emulated import shaping


@pytest.mark.measured
def test_the_thesis_network_is_discovered_and_routed_within_three_seconds(library, plan, network, tmp_path, measured):
    for trial in measured():
        with controller(plan, tmp_path, "--controller-library", library) as running:
            running.wait_until_ready()
            health = running.get("/v1/health")
        assert health["links_up"] == health["links_planned"] == 40
        trial.expect("discovery_time_s", health["discovery_time_s"], at_most=3)


def test_every_decision_of_the_controller_is_in_its_log_with_the_reason(library, plan, network, tmp_path):
    with controller(plan, tmp_path, "--controller-library", library) as running:
        running.wait_until_ready()
        for source in ("h1", "h8"):
            for host in network.topology.hosts:
                network.run(source, ["ping", "-c", "1", "-W", "2", host.ip])
        with links_down("t1-eth3"):
            running.wait(lambda _: 3 not in running.ports("t1", "10.0.2."), PATIENCE_S)
        running.wait(lambda _: 3 in running.ports("t1", "10.0.2."), PATIENCE_S)
        running.wait(lambda document: len(document["links"]) == 80, PATIENCE_S, "/v1/links")
    assert running.process.returncode == 0
    lines = [json.loads(line) for line in running.log.read_text().splitlines()]
    assert all({"time", "level", "logger", "event"} <= line.keys() for line in lines)
    decisions = [line for line in lines if line["event"] in ("rules_changed", "link_up", "link_down", "link_suspect")]
    assert all(line["why"] for line in decisions)
    assert [line["level"] for line in decisions if line["event"] == "link_down"] == ["warning"]


def goodput_mbps(network, pairs, seconds):
    """What one TCP stream from each source to each destination gets in total, all at once."""
    address = {host.name: host.ip for host in network.topology.hosts}
    measured = []
    for port, (source, destination) in enumerate(pairs, start=5201):
        server = ["iperf3", "-s", "-1", "-p", str(port)]
        network.popen(destination, server, stdout=subprocess.DEVNULL)
        network.wait_listening(destination, port)
        client = ["iperf3", "-J", "-c", address[destination], "-p", str(port), "-t", str(seconds), "-O", "4"]
        measured.append(network.popen(source, client, stdout=subprocess.PIPE, text=True))
    reports = [json.loads(client.communicate(timeout=seconds + 20)[0]) for client in measured]
    return sum(report["end"]["sum_received"]["bits_per_second"] for report in reports) / 1e6


ELEPHANTS = [(source, destination) for source in ("h1", "h2") for destination in ("h3", "h4") for _ in range(2)]


@pytest.fixture(scope="module")
def by_hash_mbps(plan, network, tmp_path_factory):
    """What the hash makes of the same connections, which no library has a part in: the switches compute it."""
    with controller(plan, tmp_path_factory.mktemp("ecmp")) as running:
        running.wait_until_ready()
        return goodput_mbps(network, ELEPHANTS, 8)


@pytest.mark.measured
def test_pinning_elephants_to_the_emptiest_path_fills_the_links_that_the_hash_leaves_idle(
    library, plan, network, tmp_path, measured, by_hash_mbps
):
    for trial in measured():
        options = ("--controller-library", library, "--multipath", "least-loaded")
        with controller(plan, tmp_path, *options) as running:
            running.wait_until_ready()
            earlier = len(running.events("elephant_pinned"))
            mbps = goodput_mbps(network, ELEPHANTS, 8)
            pinned = running.events("elephant_pinned")[earlier:]
        least = len(ELEPHANTS)
        trial.expect("pinned", sum(event["flow"].startswith("tcp 10.0.1.") for event in pinned), at_least=least)
        trial.expect("pinned_mbps", mbps, at_least=0.88 * 50)
        trial.expect("gain_over_hash_mbps", mbps - by_hash_mbps, at_least=0)


SEND_FLOWS = """
import json, socket, sys, time
for source, destination in json.load(sys.stdin):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("0.0.0.0", source))
    for _ in range(4):
        s.sendto(bytes(1000), (sys.argv[1], destination)); time.sleep(0.0005)
    s.close()
"""
FLOW_BYTES = 4 * (1000 + 42)


def test_a_thousand_flows_spread_evenly_and_take_the_paths_that_the_api_names(running, network):
    rng = np.random.default_rng(7)
    flows = [
        (int(source), int(rng.integers(1024, 65536))) for source in rng.choice(np.arange(1024, 65536), 1000, False)
    ]
    named: collections.Counter[str] = collections.Counter()
    for source, destination in flows:
        answer = running.get("/v1/paths", src="h1", dst="h3", src_port=source, dst_port=destination, protocol="udp")
        assert answer["selected"] in answer["paths"]
        named.update(answer["selected"]["links"][1:3])
    interfaces = {up.id: shaping.interface(up.a) for up in network.topology.uplinks if up.a.node == "t1"}
    interfaces |= {up.id: shaping.interface(up.b) for up in network.topology.uplinks if up.a.node == "t2"}
    before = kernel_bytes()
    sender = network.popen("h1", [sys.executable, "-c", SEND_FLOWS, "10.0.2.1"], stdin=subprocess.PIPE)
    sender.communicate(json.dumps(flows).encode(), timeout=60)
    assert sender.returncode == 0

    def carried():
        now = kernel_bytes()
        return {up: (now[interface] - before[interface]) / FLOW_BYTES for up, interface in interfaces.items()}

    running.wait(lambda _: sum(carried().values()) >= 2000, PATIENCE_S)
    assert {up: round(flows) for up, flows in carried().items()} == {up: named[up] for up in interfaces}
    spreads = {"t1": [named[f"t1-{core}/{copy}"] for core in ("c1", "c2") for copy in (1, 2, 3, 4)]}
    spreads |= {core: [named[f"t2-{core}/{copy}"] for copy in (1, 2, 3, 4)] for core in ("c1", "c2")}
    for switch, counts in spreads.items():
        assert stats.chisquare(counts).pvalue > 0.01, (switch, counts)  # the same flows and hash every time


NOISE = """
import socket, time
mac = bytes.fromhex(open("/sys/class/net/h1-eth1/address").read().strip().replace(":", ""))
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300); s.bind(("h1-eth1", 0)); s.settimeout(1)
def arp(target):
    who = mac + bytes([10, 0, 1, 1])
    return b"\\xff" * 6 + mac + bytes.fromhex("08060001080006040001") + who + bytes(6) + bytes(target) + bytes(18)
payload = bytes(46)
for number in range(100):
    for frame in (
        arp([10, 0, 3, 1]), arp([10, 0, 9, 9]), b"\\xff" * 6 + mac + b"\\x08\\x00" + payload,
        bytes.fromhex("01005e000001") + mac + b"\\x08\\x00" + payload,
        bytes.fromhex("020000000099") + mac + b"\\x88\\xb5" + payload,
        bytes.fromhex("0180c2000000") + mac + b"\\x00\\x26" + payload,
    ):
        s.send(frame)
    time.sleep(0.005)
replies = 0
try:
    while replies < 100:
        frame = s.recv(2048)
        replies += frame[12:14] == b"\\x08\\x06" and frame[20:28].hex() == "000202000a000301"
except TimeoutError:
    pass
print(replies)
"""

LISTEN = """
import socket, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300); s.bind((sys.argv[1], 0)); print("up", flush=True)
s.settimeout(3); count = 0
try:
    while True:
        count += s.recv(2048)[6:12].hex() == "02000a000101"
except TimeoutError:
    print(count)
"""


def test_no_broadcast_frame_reaches_another_host_and_arp_is_answered(running, network):
    others = [host.name for host in network.topology.hosts if host.name != "h1"]
    ears = [
        network.popen(host, [sys.executable, "-c", LISTEN, f"{host}-eth1"], stdout=subprocess.PIPE, text=True)
        for host in others
    ]
    assert all(ear.stdout.readline() == "up\n" for ear in ears)
    replies = int(network.run("h1", [sys.executable, "-c", NOISE]))
    heard = [int(ear.communicate(timeout=20)[0]) for ear in ears]
    print("frames heard by others:", heard, "ARP replies:", replies)
    assert heard == [0] * 7
    assert replies == 100
    seen = {host["name"]: host["seen_at"] for host in running.get("/v1/hosts")["hosts"]}
    assert seen["h1"] == "t1:1"


WINDOW_S = 12
"""So long that 64 KB, the super-frame that a reading may miss, is under 2 % of what a link 40 % full carries."""


@pytest.mark.measured
def test_utilisation_agrees_with_the_kernel_and_costs_little(running, network, measured):
    for trial in measured():
        _hold_counters_against_the_kernel(running, network, trial)


def _hold_counters_against_the_kernel(running, network, trial):
    ring = [f"h{number}" for number in (1, 3, 5, 7, 2, 4, 6, 8)]
    pairs = list(zip(ring, [*ring[1:], ring[0]], strict=True))
    address = {host.name: host.ip for host in network.topology.hosts}
    for _, destination in pairs:
        network.popen(destination, ["iperf3", "-s", "-1"], stdout=subprocess.DEVNULL)
        network.wait_listening(destination, 5201)
    clients = [
        network.popen(
            source,
            ["iperf3", "-c", address[destination], "-t", str(WINDOW_S + 4), "-P", "8"],
            stdout=subprocess.DEVNULL,
        )
        for source, destination in pairs
    ]
    time.sleep(2)
    process = psutil.Process(running.process.pid)
    ends = {
        (up.id, way): shaping.interface(up.ends(way)[0]) for up in network.topology.uplinks for way in ("up", "down")
    }
    readings = []
    for _ in range(2):
        cpu = sum(process.cpu_times()[:2])
        sent = kernel_bytes()
        readings.append((time.time(), {key: sent[interface] for key, interface in ends.items()}, cpu))
        time.sleep(WINDOW_S if len(readings) == 1 else 1)
    (begin, first, cpu_before), (end, last, cpu_after) = readings
    errors = []
    for (name, way), bytes_before in first.items():
        history = running.client.get(f"/v1/links/{name}/history", params={"samples": 60}).json()[way]
        times, counted = [sample["time_s"] for sample in history], [sample["tx_bytes"] for sample in history]
        real = last[name, way] - bytes_before
        if real < 1e5:
            continue  # the hash has put no flow there
        seen = float(np.interp(end, times, counted) - np.interp(begin, times, counted))
        quarter_full = network.topology.link_by_id[name].capacity_mbps * 1e6 / 8 * WINDOW_S / 4
        errors.append(abs(seen - real) / max(real, quarter_full))
    cpu = (cpu_after - cpu_before) / (end - begin)
    assert [client.wait(timeout=30) for client in clients] == [0] * len(clients)
    time.sleep(2)  # two polls
    drops = {use["id"]: use["drops"] for use in running.get("/v1/links")["links"] if use["direction"] == "up"}
    queue = json.loads(subprocess.check_output(["tc", "-s", "-j", "qdisc", "show", "dev", "t1-eth3"]))[0]
    assert drops["t1-c1/1"] == queue["drops"]
    assert sum(drops.values()) > 0
    assert len(errors) > 32
    trial.expect("worst_error", max(errors), at_most=0.02)
    trial.expect("cpu", cpu, at_most=0.1)
