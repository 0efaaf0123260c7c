"""The controller against real switches: discovery, spreading of flows, and counters.

Tests that start a controller of their own come before those that share one.
"""

import collections
import contextlib
import dataclasses
import json
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from scipy import stats

from tests.emulation.running_controller import PATIENCE_S, connected, controller, kernel_bytes, links_down
from topologies.emulated import shaping
from topologies.topology import Endpoint, Link


@pytest.mark.measured
def test_the_thesis_network_is_discovered_and_routed_within_three_seconds(library, network, tmp_path, measured):
    for trial in measured():
        with connected(network, tmp_path, "--controller-library", library) as running:
            health = running.get("/v1/health")
        assert health["links_up"] == health["links_planned"] == 40
        trial.expect("discovery_time_s", health["discovery_time_s"], at_most=3)


def test_every_decision_of_the_controller_is_in_its_log_with_the_reason(library, network, tmp_path):
    with connected(network, tmp_path, "--controller-library", library) as running:
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


def test_what_is_not_as_planned_is_reported_by_name_and_the_rest_is_routed(library, network, tmp_path):
    planned = mistaken(network.topology)
    with controller(planned, tmp_path, "--controller-library", library) as running:
        network.connect_controller()
        running.wait(lambda health: health["status"] == "degraded", PATIENCE_S)
        health = running.get("/v1/health")
        network.run("h1", ["ping", "-c", "1", "-W", "2", planned.hosts[2].ip])
    assert health["missing_switches"] == ["c2"]
    assert health["unexpected_switches"] == ["switch c2 has dpid 0x102, planned 0x777"]
    assert {"t1-c1/9", "t1-c1/1", "t1-c1/2"} <= set(health["missing_links"])
    assert "t1-c1/3" not in health["missing_links"]
    assert any(text.startswith("t2:6 (t2-eth6) is not planned") for text in health["unexpected_links"])
    assert any(text.startswith("c1:1-t1:3 is wired, planned t1-c1/2") for text in health["unexpected_links"])


def mistaken(topology):
    """A plan with two links swapped, one missing, one too many, and a switch with another dpid."""
    ends = {link.id: (link.a, link.b) for link in topology.links}
    swapped = {"t1-c1/1": "t1-c1/2", "t1-c1/2": "t1-c1/1"}
    links = [
        dataclasses.replace(each, b=ends[swapped.get(each.id, each.id)][1])
        for each in topology.links
        if each.id != "t2-c1/4"
    ]
    links.append(Link("t1-c1/9", Endpoint("t1", 99), Endpoint("c1", 99), 10.0))
    switches = [dataclasses.replace(each, dpid=0x777) if each.name == "c2" else each for each in topology.switches]
    return dataclasses.replace(topology, links=tuple(links), switches=tuple(switches))


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
def by_hash_mbps(network, tmp_path_factory):
    """What the hash makes of the same connections, which no library has a part in: the switches compute it."""
    with connected(network, tmp_path_factory.mktemp("ecmp")):
        return goodput_mbps(network, ELEPHANTS, 4)


@pytest.mark.measured
def test_pinning_elephants_to_the_emptiest_path_fills_the_links_that_the_hash_leaves_idle(
    library, network, tmp_path, measured, by_hash_mbps
):
    for trial in measured():
        options = ("--controller-library", library, "--multipath", "least-loaded")
        with connected(network, tmp_path, *options) as running:
            earlier = len(running.events("elephant_pinned"))
            mbps = goodput_mbps(network, ELEPHANTS, 4)
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
        s.sendto(bytes(1000), (sys.argv[1], destination)); time.sleep(0.0002)
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
import select, socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300); s.bind((sys.argv[1], 0)); print("up", flush=True)
s.settimeout(0.5); count = 0; told = False
while not told:
    told = select.select([sys.stdin], [], [], 0)[0]
    try:
        while True:
            count += s.recv(2048)[6:12].hex() == "02000a000101"
    except TimeoutError:
        pass
print(count)
"""


def test_no_broadcast_frame_reaches_another_host_and_arp_is_answered(running, network):
    others = [host.name for host in network.topology.hosts if host.name != "h1"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    ears = [network.popen(host, [sys.executable, "-c", LISTEN, f"{host}-eth1"], **pipes) for host in others]
    assert all(ear.stdout.readline() == "up\n" for ear in ears)
    replies = int(network.run("h1", [sys.executable, "-c", NOISE]))
    for ear in ears:
        ear.stdin.close()
    heard = [int(ear.stdout.read()) for ear in ears]
    print("frames heard by others:", heard, "ARP replies:", replies)
    assert heard == [0] * 7
    assert replies == 100
    seen = {host["name"]: host["seen_at"] for host in running.get("/v1/hosts")["hosts"]}
    assert seen["h1"] == "t1:1"


WINDOW_S = 5
"""64 KB, the super-frame that a reading may miss, is 4 % of what a link 40 % full carries meanwhile."""
TWO_POLLS_S = 1.2


@pytest.mark.measured
def test_utilisation_agrees_with_the_kernel_and_costs_little(running, network, measured):
    for trial in measured():
        _hold_counters_against_the_kernel(running, network, trial)


def _hold_counters_against_the_kernel(running, network, trial):
    """In mid-traffic, where both go on while one is read after the other, and byte for byte from silence to silence."""
    uplinks = network.topology.uplinks
    ends = {(up.id, way): shaping.interface(up.ends(way)[0]) for up in uplinks for way in ("up", "down")}
    process = psutil.Process(running.process.pid)

    def read():
        sent = kernel_bytes()
        return time.time(), {key: sent[interface] for key, interface in ends.items()}, sum(process.cpu_times()[:2])

    def counted():
        return {(use["id"], use["direction"]): use["tx_bytes"] for use in running.get("/v1/links")["links"]}

    time.sleep(TWO_POLLS_S)
    _, silent_before, _ = read()
    counted_before = counted()
    with loaded(network, WINDOW_S + 3):
        time.sleep(2)
        begin, first, cpu_before = read()
        time.sleep(WINDOW_S)
        end, last, cpu_after = read()
    time.sleep(TWO_POLLS_S)
    _, silent_after, _ = read()
    counted_after = counted()
    drops = {use["id"]: use["drops"] for use in running.get("/v1/links")["links"] if use["direction"] == "up"}
    queue = json.loads(subprocess.check_output(["tc", "-s", "-j", "qdisc", "show", "dev", "t1-eth3"]))[0]
    assert drops["t1-c1/1"] == queue["drops"]
    assert sum(drops.values()) > 0
    errors = []
    for (name, way), interface in ends.items():
        carried = last[name, way] - first[name, way]
        if carried < 1e5:
            continue  # the hash has put no flow there
        history = running.client.get(f"/v1/links/{name}/history", params={"samples": 60}).json()[way]
        times, totals = [sample["time_s"] for sample in history], [sample["tx_bytes"] for sample in history]
        seen = float(np.interp(end, times, totals) - np.interp(begin, times, totals))
        quarter_full = network.topology.link_by_id[name].capacity_mbps * 1e6 / 8 * WINDOW_S / 4
        errors.append(abs(seen - carried) / max(carried, quarter_full))
        whole = silent_after[name, way] - silent_before[name, way]
        assert counted_after[name, way] - counted_before[name, way] == pytest.approx(whole, abs=1000), interface
    assert len(errors) > 32
    trial.expect("worst_error", max(errors), at_most=0.05)
    trial.expect("cpu", (cpu_after - cpu_before) / (end - begin), at_most=0.1)


@contextlib.contextmanager
def loaded(network, seconds):
    """Eight connections from every host to one of another rack."""
    ring = [f"h{number}" for number in (1, 3, 5, 7, 2, 4, 6, 8)]
    pairs = list(zip(ring, [*ring[1:], ring[0]], strict=True))
    address = {host.name: host.ip for host in network.topology.hosts}
    for _, destination in pairs:
        network.popen(destination, ["iperf3", "-s", "-1"], stdout=subprocess.DEVNULL)
        network.wait_listening(destination, 5201)
    options = ["-t", str(seconds), "-P", "8"]
    clients = [
        network.popen(source, ["iperf3", "-c", address[destination], *options], stdout=subprocess.DEVNULL)
        for source, destination in pairs
    ]
    yield
    assert [client.wait(timeout=30) for client in clients] == [0] * len(clients)
