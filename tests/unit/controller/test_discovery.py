import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.discovery import Discovery, Port
from controller.probes import ArpMessage, Probe
from topologies.fat_tree import fat_tree
from topologies.topology import Endpoint

PLAN = fat_tree(racks=2, hosts_per_rack=1, core_switches=1, uplink_ports_per_rack=2)
DPIDS = {switch.name: switch.dpid for switch in PLAN.switches}


def ports(switch):
    return [Port(end.port_no, f"{switch}-eth{end.port_no}", True) for end in PLAN.link_at if end.node == switch]


def connected():
    discovery = Discovery(PLAN)
    for switch, dpid in DPIDS.items():
        discovery.switch_connected(dpid, ports(switch), switch)
    return discovery


def hear(discovery, arrival, origin):
    discovery.probe_heard(DPIDS[arrival.node], arrival.port_no, DPIDS[origin.node], origin.port_no)


def complete():
    discovery = connected()
    for link in PLAN.uplinks:
        hear(discovery, link.a, link.b)
        hear(discovery, link.b, link.a)
    return discovery


def test_a_network_as_planned_has_no_findings():
    discovery = complete()
    assert discovery.findings().none
    assert set(discovery.states().values()) == {"up"}
    assert discovery.unheard_ends() == []


def test_before_anything_is_heard_links_are_suspect_and_probed_from_both_ends():
    discovery = connected()
    assert {discovery.state(link) for link in PLAN.uplinks} == {"suspect"}
    assert len(discovery.unheard_ends()) == 2 * len(PLAN.uplinks)
    assert all(discovery.state(link) == "up" for link in PLAN.host_link.values())


def test_missing_switches_and_links_are_named():
    discovery = complete()
    discovery.switch_disconnected(DPIDS["t2"])
    discovery.port_changed(DPIDS["t1"], Port(2, "t1-eth2", False))
    findings = discovery.findings()
    assert findings.missing_switches == ("t2",)
    assert set(findings.missing_links) == {"t1-c1/1", "h2-t2", "t2-c1/1", "t2-c1/2"}
    assert discovery.state(PLAN.link_by_id["t1-c1/1"]) == "down"
    assert discovery.state(PLAN.link_by_id["t2-c1/1"]) == "suspect"


def test_a_link_that_comes_back_is_up_only_when_its_wiring_is_confirmed_again():
    discovery = complete()
    link = PLAN.link_by_id["t1-c1/1"]
    for up in (False, True):
        discovery.port_changed(DPIDS["t1"], Port(2, "t1-eth2", up))
        discovery.port_changed(DPIDS["c1"], Port(1, "c1-eth1", up))
    assert discovery.state(link) == "suspect"
    assert set(discovery.unheard_ends()) == {link.a, link.b}
    hear(discovery, link.a, link.b)
    assert discovery.state(link) == "suspect"
    hear(discovery, link.b, link.a)
    assert discovery.state(link) == "up"


def test_swapped_cables_are_named_and_not_used():
    discovery = connected()
    first, second = PLAN.link_by_id["t1-c1/1"], PLAN.link_by_id["t1-c1/2"]
    for near, far in ((first.a, second.b), (second.a, first.b)):
        hear(discovery, near, far)
        hear(discovery, far, near)
    findings = discovery.findings()
    assert discovery.state(first) == discovery.state(second) == "down"
    assert findings.unexpected_links == (
        "c1:1-t1:3 is wired, planned t1-c1/1 (t1:2-c1:1) and t1-c1/2 (t1:3-c1:2)",
        "c1:2-t1:2 is wired, planned t1-c1/2 (t1:3-c1:2) and t1-c1/1 (t1:2-c1:1)",
    )


def test_an_extra_port_and_a_wrong_dpid_are_named():
    discovery = complete()
    discovery.port_changed(DPIDS["t1"], Port(9, "t1-eth9", True))
    discovery.switch_disconnected(DPIDS["c1"])
    discovery.switch_connected(0x999, ports("c1"), "c1")
    findings = discovery.findings()
    assert findings.unexpected_links == ("t1:9 (t1-eth9) is not planned",)
    assert findings.unexpected_switches == ("switch c1 has dpid 0x999, planned 0x101",)
    assert "c1" in findings.missing_switches


def test_probes_to_ports_that_are_down_do_not_count():
    discovery = connected()
    link = PLAN.link_by_id["t1-c1/1"]
    discovery.port_changed(DPIDS["t1"], Port(2, "t1-eth2", False))
    hear(discovery, link.a, link.b)
    assert discovery.state(link) == "down"


@given(st.integers(0, 2**64 - 1), st.integers(1, 2**32 - 1), st.binary(min_size=8, max_size=8))
def test_probes_are_read_back(dpid, port_no, nonce):
    probe = Probe(dpid, port_no, nonce)
    frame = probe.frame()
    assert frame[:6] == bytes.fromhex("0180c200000e")
    assert not frame[6] & 1
    assert Probe.read(frame) == probe
    assert Probe.read(frame.ljust(60, b"\0")) == probe


@given(st.binary(max_size=80))
def test_any_other_frame_is_no_probe_and_no_arp(data):
    assert Probe.read(data) is None or data[12:14] == b"\x88\xcc"
    assert Probe.read(bytes(12) + b"\x88\xcc" + data) is None or len(data) > 12
    ArpMessage.read(bytes(12) + b"\x08\x06" + data)


def test_arp_requests_are_answered_by_unicast():
    request = ArpMessage(True, "02:00:00:00:00:01", "10.0.1.1", "00:00:00:00:00:00", "10.0.2.1")
    assert ArpMessage.read(request.frame()) == request
    reply = request.answered_by("02:00:00:00:00:02")
    assert ArpMessage.read(reply.frame()) == reply
    assert reply.frame()[:6].hex(":") == "02:00:00:00:00:01"
    assert (reply.sender_ip, reply.sender_mac, reply.target_ip) == ("10.0.2.1", "02:00:00:00:00:02", "10.0.1.1")


@pytest.mark.parametrize("dpid", [0x101, 0x5])
def test_names_of_switches(dpid):
    assert Discovery(PLAN).name(dpid) == ("c1" if dpid == 0x101 else "dpid 0x5")
    assert Endpoint("c1", 1) in PLAN.link_at
