"""The emulated network is the planned one, and leaves nothing behind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from topologies.constants import UNSCALED
from topologies.emulated import host_settings, isolation
from topologies.emulated.network import EmulationError, emulated
from topologies.emulated.programs import ProgramError
from topologies.emulated.shaping import ShapingError, interface
from topologies.fat_tree import single_switch, thesis

SCALE = 8
TIMER_OF_A_CONNECTION = """
import socket, struct, sys
with socket.create_connection((sys.argv[1], 5201)) as connection:
    print(struct.unpack("8xI", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 12))[0] / 1e6)
"""


def interfaces():
    return {link["ifname"] for link in json.loads(subprocess.check_output(["ip", "-j", "link"]))}


def test_every_link_has_two_ends_and_both_are_shaped():
    topology = thesis().scaled(SCALE)
    with emulated(topology) as network:
        expected = {f"{end.node}-eth{end.port_no}" for link in topology.links for end in (link.a, link.b)}
        expected -= {f"{host.name}-eth1" for host in topology.hosts}
        assert expected <= interfaces()
        network.verify_shaping()
        subprocess.check_call(
            ["tc", "class", "change", "dev", "t1-eth3", "parent", "1:", "classid", "1:1", "htb", "rate", "9mbit"]
        )
        with pytest.raises(ShapingError, match="t1-eth3: 9000000 bit/s instead of 6250000"):
            network.verify_shaping()


def test_a_link_that_lost_its_queue_is_reported():
    with emulated(single_switch(2).scaled(SCALE)) as network:
        network.run("h2", ["tc", "qdisc", "del", "dev", "h2-eth1", "root"])
        with pytest.raises(ShapingError, match="0 HTB classes"):
            network.verify_shaping()


@pytest.mark.measured
def test_traffic_is_held_to_the_rate_and_bridges_without_flows_carry_nothing(measured):
    topology = single_switch(2, host_mbps=100)
    with emulated(topology) as network:
        ping = ["ping", "-c", "1", "-W", "1", topology.hosts[0].ip]
        with pytest.raises(ProgramError):
            network.run("h2", ping)
        subprocess.check_call(["ovs-ofctl", "-OOpenFlow13", "add-flow", "t1", "actions=NORMAL"])
        network.run("h2", ping)
        for trial in measured():
            server = network.popen("h1", ["iperf3", "-s", "-1", "--forceflush"], stdout=subprocess.PIPE, text=True)
            assert any("listening" in line for line in server.stdout)
            report = json.loads(network.run("h2", ["iperf3", "-J", "-c", topology.hosts[0].ip, "-t", "3", "-O", "1"]))
            server.communicate(timeout=10)
            goodput_mbps = report["end"]["sum_received"]["bits_per_second"] / 1e6
            trial.expect_near("goodput_mbps", goodput_mbps, 100 * 1448 / 1514, 0.02)


def test_hosts_use_the_chosen_congestion_control_and_the_machine_keeps_its_settings():
    own = isolation.current()
    names = ("net.core.wmem_default", "net.ipv4.tcp_allowed_congestion_control", "net.core.rmem_max")

    def settings():
        with own.host_network():
            return [host_settings.read(name) for name in names]

    before, interfaces_before = settings(), interfaces()
    with emulated(single_switch(3), congestion_control="reno") as network:
        assert settings() == before
        for host in ("h1", "h3"):
            assert network.run(host, ["cat", "/proc/sys/net/ipv4/tcp_congestion_control"]).strip() == "reno"
    assert settings() == before
    assert interfaces() == interfaces_before
    with (
        pytest.raises(EmulationError, match="congestion_control 'nosuch'"),
        emulated(single_switch(3), congestion_control="nosuch"),
    ):
        pass
    assert interfaces() == interfaces_before


def test_constants_are_in_force_and_what_differs_is_reported():
    constants = UNSCALED.scaled(SCALE, 64 * SCALE)
    topology = single_switch(2).scaled(SCALE)
    with emulated(topology, constants=constants) as network:
        assert network.constants.queue_bytes == network.shapes["t1"][0].queue_bytes == constants.queue_bytes
        subprocess.check_call(["ovs-ofctl", "-OOpenFlow13", "add-flow", "t1", "actions=NORMAL"])
        with network.popen("h1", ["iperf3", "-s"], stdout=subprocess.DEVNULL) as server:
            network.wait_listening("h1", 5201)
            argv = [sys.executable, "-c", TIMER_OF_A_CONNECTION, topology.hosts[0].ip]
            assert 0.01 <= float(network.run("h2", argv)) < UNSCALED.rto_min_s / 2
            server.kill()
        network.verify_constants()
        network.run("h2", ["ip", "link", "set", "dev", "h2-eth1", "gso_max_size", "65536"])
        with pytest.raises(EmulationError, match=r"host h2 has .*super_frame_bytes=65536.* instead of"):
            network.verify_constants()


def test_a_network_that_is_renewed_forgets_flows_and_peers_and_one_that_is_not_as_planned_is_not():
    topology = single_switch(2)
    with emulated(topology) as network:
        network.switch.vsctl(["set-controller", "t1", "tcp:127.0.0.1:1"])
        for command in (
            ["add-group", "t1", "group_id=1,type=all,bucket=output:1"],
            ["add-flow", "t1", "actions=NORMAL"],
        ):
            subprocess.check_call(["ovs-ofctl", "-OOpenFlow13", *command])
        with network.popen("h1", ["iperf3", "-s"], stdout=subprocess.DEVNULL) as server:
            network.wait_listening("h1", 5201)
            peers = ["ip", "tcp_metrics", "show"]
            for _ in range(50):  # TCP does not keep what it learnt of every connection
                network.run("h2", ["iperf3", "-c", topology.hosts[0].ip, "-n", "1M"])
                if topology.hosts[0].ip in network.run("h2", peers):
                    break
            else:
                pytest.fail("nothing to forget")
            server.kill()
        network.renew()
        assert network.run("h2", peers) == ""
        assert network.switch.vsctl(["get-controller", "t1"]) == ""
        for table in ("flows", "groups"):
            listed = subprocess.check_output(["ovs-ofctl", "-OOpenFlow13", f"dump-{table}", "t1"], text=True)
            assert "actions=" not in listed
        network.set_link(topology.links[1].id, up=False)
        with pytest.raises(EmulationError, match=f"down at {interface(topology.links[1].b)}"):
            network.renew()


def test_no_name_server_is_asked():
    with emulated(single_switch(2)) as network:
        assert not Path("/etc/resolv.conf").exists() or network.run("h1", ["cat", "/etc/resolv.conf"]) == ""


def test_no_arp_is_needed():
    with emulated(single_switch(3)) as network:
        neighbours = json.loads(network.run("h1", ["ip", "-j", "neighbour"]))
        assert {entry["dst"] for entry in neighbours} == {"10.0.1.2", "10.0.1.3"}
        assert all(entry["state"] == ["PERMANENT"] for entry in neighbours)


def test_a_stop_before_there_are_links_is_not_replaced_by_what_cleaning_up_misses(monkeypatch):
    def stopped(_network):
        raise KeyboardInterrupt

    monkeypatch.setattr("topologies.emulated.network._add_links", stopped)
    with pytest.raises(KeyboardInterrupt), emulated(single_switch(2)):
        pass
