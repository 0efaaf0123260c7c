import errno

import pytest

from controller.core import PROBE_INTERVAL_S, SETTLE_S, Core
from controller.counters import PortCounters
from controller.discovery import Port
from controller.journal import Event, Journal
from controller.probes import ArpMessage, Probe
from tests.unit.controller.fake_switches import FakeSwitches
from topologies.fat_tree import fat_tree, single_switch
from topologies.topology import Endpoint

NONCE = b"12345678"


class World:
    """A core, its fake switches and the cables between them, under one clock."""

    def __init__(self, topology, wires=None, datapath_flows=None):
        self.topology = topology
        self.datapath_flows = datapath_flows
        self.now = 100.0
        self.switches = FakeSwitches(topology)
        self.journal = Journal(clock=lambda: self.now)
        self.events: list[Event] = []
        self.journal.listen(self.events.append, 0)
        self.core = self.new_core()
        pairs = wires or [(link.a, link.b) for link in topology.uplinks]
        self.wires = {near: far for a, b in pairs for near, far in ((a, b), (b, a))}
        self.dpids = {switch.name: switch.dpid for switch in topology.switches}
        self.dead = set()
        self.queue_drops = dict

    def new_core(self):
        return Core(
            self.topology,
            self.switches,
            self.journal,
            seed=1,
            nonce=NONCE,
            queue_drops=lambda: self.queue_drops(),
            datapath_flows=self.datapath_flows,
            clock=lambda: self.now,
            epoch=lambda: self.now,
        )

    def connect(self, *names):
        for name in names or self.dpids:
            ends = [end for end in self.topology.link_at if end.node == name]
            ports = [Port(end.port_no, f"{name}-eth{end.port_no}", end not in self.dead) for end in ends]
            self.switches.connected.add(self.dpids[name])
            self.core.switch_connected(self.dpids[name], ports, name)

    def disconnect(self, name):
        self.switches.connected.discard(self.dpids[name])
        self.core.switch_disconnected(self.dpids[name])

    def port(self, end, up):
        (self.dead.discard if up else self.dead.add)(end)
        self.core.port_changed(self.dpids[end.node], Port(end.port_no, "", up))

    def cable(self, link_id, up):
        link = self.topology.link_by_id[link_id]
        self.port(link.a, up)
        self.port(link.b, up)

    def deliver(self):
        """Frames arrive over the wires, barriers are answered."""
        for name, switch in self.switches.by_name.items():
            frames, switch.sent = switch.sent, []
            for port_no, frame in frames:
                far = self.wires.get(Endpoint(name, port_no))
                if (
                    far
                    and not {far, Endpoint(name, port_no)} & self.dead
                    and self.dpids[far.node] in self.switches.connected
                ):
                    self.core.frame_received(self.dpids[far.node], far.port_no, frame)
            tokens, switch.tokens = switch.tokens, []
            for token in tokens:
                self.core.confirmed(self.dpids[name], token)

    def run(self, seconds):
        end = self.now + seconds
        while self.now < end:
            self.now += PROBE_INTERVAL_S
            self.core.tick()
            self.deliver()
        self.deliver()

    @property
    def health(self):
        return self.core.snapshot


@pytest.fixture
def world():
    world = World(fat_tree(racks=3, hosts_per_rack=2, core_switches=2, uplink_ports_per_rack=4))
    world.connect()
    world.run(1)
    return world


def kinds(world):
    return [event.kind for event in world.events]


def test_a_network_as_planned_becomes_ready_and_every_pair_is_routed(world):
    assert world.health.status == "ready"
    assert world.health.routes_installed
    assert world.health.findings.none
    assert world.health.discovery_time_s < 1
    for source in world.topology.hosts:
        for destination in world.topology.hosts:
            if source.rack != destination.rack:
                assert len(world.switches.routes(source.name, destination.name)) == 8


def test_a_snapshot_is_complete_when_others_can_see_it(monkeypatch):
    """It is read by other threads, at any time."""
    seen = []

    def watched(core, name, value):
        object.__setattr__(core, name, value)
        if name == "snapshot":
            seen.append(value)

    monkeypatch.setattr(Core, "__setattr__", watched)
    world = World(fat_tree(racks=2, hosts_per_rack=1, core_switches=1, uplink_ports_per_rack=1))
    world.connect()
    world.run(1)
    ready = [snapshot for snapshot in seen if snapshot.status == "ready"]
    assert ready
    assert all(snapshot.discovery_time_s is not None for snapshot in ready)


def test_it_says_once_what_it_decided(world):
    before = len(world.events)
    world.run(5)
    assert len(world.events) == before
    assert kinds(world).count("status") == 1


def test_nothing_is_routed_before_the_network_is_known():
    world = World(fat_tree(racks=2))
    world.connect("t1", "c1")
    world.core.tick()
    assert world.health.status == "discovering"
    assert not any(switch.groups for switch in world.switches.by_name.values())


def test_with_a_switch_missing_the_rest_is_routed_after_a_while_and_the_switch_is_named():
    world = World(fat_tree(racks=2))
    world.connect("t1", "t2", "c1")
    world.run(SETTLE_S + 1)
    assert world.health.status == "degraded"
    assert world.health.findings.missing_switches == ("c2",)
    assert not world.health.routes_installed
    assert {link for route in world.switches.routes("h1", "h3") for link in route[1:3]} == {
        f"{edge}-c1/{copy}" for edge in ("t1", "t2") for copy in (1, 2, 3, 4)
    }
    world.connect("c2")
    world.run(1)
    assert world.health.status == "ready"
    assert len(world.switches.routes("h1", "h3")) == 32


def test_a_dead_link_leaves_all_groups_at_once_and_returns_after_its_wiring_is_confirmed(world):
    world.port(world.topology.link_by_id["t1-c1/1"].a, False)
    for source, destination in (("h1", "h3"), ("h3", "h1")):
        routes = world.switches.routes(source, destination)
        assert routes
        assert not any("t1-c1/1" in route for route in routes)
    assert world.health.status == "degraded"
    world.port(world.topology.link_by_id["t1-c1/1"].b, False)
    world.cable("t1-c1/1", True)
    assert not any("t1-c1/1" in route for route in world.switches.routes("h1", "h3"))
    world.run(0.5)
    assert any("t1-c1/1" in route for route in world.switches.routes("h1", "h3"))
    assert world.health.status == "ready"


def test_a_core_switch_that_cannot_reach_a_rack_is_avoided_by_all_others(world):
    for copy in (1, 2):
        world.cable(f"t1-c1/{copy}", False)
    routes = world.switches.routes("h5", "h1")
    assert routes
    assert all(route[1].startswith("t3-c2") for route in routes)
    assert len(world.switches.routes("h5", "h3")) == 8


def test_a_silent_core_switch_is_avoided_but_a_silent_edge_switch_is_not_cut_off(world):
    world.disconnect("c1")
    assert all("c2" in route[1] for route in world.switches.routes("h1", "h3"))
    world.connect("c1")
    world.run(1)
    assert len(world.switches.routes("h1", "h3")) == 8
    world.disconnect("t2")
    assert len(world.switches.routes("h1", "h3")) == 8
    assert world.health.status == "degraded"
    world.connect("t2")
    world.run(1)
    assert world.health.status == "ready"


def test_a_new_controller_takes_over_without_an_interruption_and_clears_what_is_stale(world):
    stale = next(iter(world.switches.by_name["t1"].flows.values()))[0]
    for switch in world.switches.by_name.values():
        switch.generation += 1
    world.core = world.new_core()
    routes = world.switches.routes("h1", "h3")
    for name in world.dpids:
        world.connect(name)
        assert world.switches.routes("h1", "h3") == routes
    world.run(1)
    assert world.health.status == "ready"
    assert world.switches.routes("h1", "h3") == routes
    t1 = world.switches.by_name["t1"]
    assert {generation for _, generation in t1.flows.values()} == {1}
    t1.groups[77] = t1.groups[2]
    world.core.groups_listed(world.dpids["t1"], list(t1.groups))
    assert 77 not in t1.groups
    assert stale.key in t1.flows


def test_swapped_cables_are_reported_once_and_not_used():
    topology = fat_tree(racks=2)
    wires = [(link.a, link.b) for link in topology.uplinks]
    (a, b), (c, d) = wires[0], wires[1]
    world = World(topology, [(a, d), (c, b), *wires[2:]])
    world.connect()
    world.run(SETTLE_S + 1)
    assert world.health.status == "degraded"
    assert len(world.health.findings.unexpected_links) == 2
    assert kinds(world).count("not_as_planned") == 2
    assert not {"t1-c1/1", "t1-c1/2"} & {link for route in world.switches.routes("h1", "h3") for link in route}


def test_forged_probes_are_ignored(world):
    world.core.frame_received(world.dpids["t1"], 1, Probe(world.dpids["c2"], 1, b"forged!!").frame())
    assert world.health.findings.none


def test_arp_is_answered_from_the_plan_and_never_forwarded(world):
    hosts = {host.name: host for host in world.topology.hosts}
    request = ArpMessage(True, hosts["h1"].mac, hosts["h1"].ip, "00:00:00:00:00:00", hosts["h6"].ip)
    world.core.frame_received(world.dpids["t1"], 1, request.frame())
    assert world.switches.by_name["t1"].sent == [(1, request.answered_by(hosts["h6"].mac).frame())]
    assert not any(switch.sent for name, switch in world.switches.by_name.items() if name != "t1")
    assert (world.health.seen["h1"].switch, world.health.seen["h1"].port_no) == ("t1", 1)
    unknown = ArpMessage(True, hosts["h1"].mac, hosts["h1"].ip, "00:00:00:00:00:00", "10.0.9.9")
    world.core.frame_received(world.dpids["t1"], 1, unknown.frame())
    assert len(world.switches.by_name["t1"].sent) == 1


def test_a_host_at_another_port_than_planned_is_named(world):
    host = world.topology.hosts[0]
    message = ArpMessage(True, host.mac, host.ip, "00:00:00:00:00:00", "10.0.3.1")
    for _ in range(3):
        world.core.frame_received(world.dpids["t1"], 2, message.frame())
    reported = [event.fields["what"] for event in world.events if event.kind == "not_as_planned"]
    assert reported == ["host h1 speaks at t1:2, planned t1:1"]


def test_counters_are_asked_for_and_taken_in(world):
    world.core.poll()
    assert all(switch.reads == 1 for switch in world.switches.by_name.values())
    world.core.counters_read(world.dpids["t1"], [PortCounters(3, 1.0, 0, 5, 0, 1, 0, 0)])
    assert world.core.counters.latest["t1-c1/1", "up"].tx_bytes == 5
    assert world.core.counters.latest["t1-c1/1", "up"].time_s == world.now


def test_a_single_switch_needs_no_probes():
    world = World(single_switch(4))
    world.connect()
    world.deliver()
    assert world.health.status == "ready"
    assert world.switches.routes("h1", "h4") == [("h1-t1", "h4-t1")]


def test_a_core_switch_that_connects_first_after_a_long_wait_is_no_discovery_at_rest():
    world = World(fat_tree(2, 2, 1, 2))
    world.now += 10 * SETTLE_S
    world.connect("c1")
    world.core.tick()
    assert world.core.snapshot.status == "discovering"
    world.now += SETTLE_S
    world.core.tick()
    assert world.core.snapshot.status == "degraded"


def test_events_of_a_process_before_this_one_are_no_reason_to_hold_any_back():
    journal = Journal()
    for kind in ("started", "ready"):
        journal.record(kind)
    assert [event.kind for event in journal.listen(print, 1)[0]] == ["ready"]
    assert [event.kind for event in journal.listen(print, 500)[0]] == ["started", "ready"]


def test_a_kernel_that_does_not_tell_its_drops_leaves_them_as_they_were(world):
    def fails():
        raise OSError(errno.EMFILE, "Too many open files")

    world.queue_drops = lambda: {"t1-eth3": 7}
    world.core.poll()
    world.queue_drops = fails
    world.core.poll()
    assert all(switch.reads == 2 for switch in world.switches.by_name.values())
    world.core.counters_read(world.dpids["t1"], [PortCounters(3, 1.0, 0, 5, 0, 1, 0, 0)])
    assert world.core.counters.latest["t1-c1/1", "up"].drops == 7
    (told,) = (event.fields["what"] for event in world.events if event.kind == "not_as_planned")
    assert told == "packets dropped are unknown: [Errno 24] Too many open files"
