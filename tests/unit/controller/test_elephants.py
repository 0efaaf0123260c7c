import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.counters import LinkUse
from controller.elephants import (
    ELEPHANT_LOOKS,
    PIN_IDLE_S,
    DatapathFlows,
    Elephants,
    FiveTuple,
    Look,
    Sighting,
    read_datapath_flows,
)
from controller.paths import PathFinder, TraceError
from controller.routing import ecmp_rules
from tests.unit.controller.test_core import World
from topologies.fat_tree import thesis
from topologies.topology import Endpoint

PLAN = thesis().scaled(8)
LOOK_S = 0.5
LARGE = int(6.25e6 / 8 * ELEPHANT_LOOKS * LOOK_S) + 1
INTERFACES = {
    f"{end.node}-eth{end.port_no}": end for end in PLAN.link_at if end.node in {switch.name for switch in PLAN.switches}
}

DUMP = """\
flow-dump from the main thread:
recirc_id(0),in_port(t1-eth1),packet_type(ns=0,id=0),eth(src=02:00:0a:00:01:01,dst=02:00:0a:00:02:01),eth_type(0x0800),\
ipv4(src=10.0.1.1,dst=10.0.2.1,proto=6,frag=no),tcp(src=40000,dst=9000), packets:812, bytes:1234567, used:0.100s, \
flags:SFP., actions:t1-eth6
recirc_id(0),in_port(c1-eth5),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(src=10.0.1.1,dst=10.0.2.1,proto=17,tos=0/0,\
frag=no),udp(src=1,dst=2), packets:1, bytes:60, used:never, actions:t2-eth3
recirc_id(0),in_port(t1-eth2),packet_type(ns=0,id=0),eth_type(0x0800),ipv4(src=10.0.1.2,dst=10.0.2.1,proto=1,frag=no), \
packets:3, bytes:294, used:2.1s, actions:t1-eth4
recirc_id(0),in_port(t1-eth2),packet_type(ns=0,id=0),eth_type(0x86dd),ipv6(frag=no), packets:0, \
bytes:0, used:never, actions:drop
"""


def flow(number, source="10.0.1.1", destination="10.0.2.1"):
    return FiveTuple(6, source, destination, 40000 + number, 9000)


def elephants():
    rules = ecmp_rules(PLAN)
    finder = PathFinder(PLAN)
    return Elephants(PLAN, lambda source, destination: finder.possible(source, destination, rules))


def look(now_s, *sightings, use=()):
    return Look(sightings, INTERFACES, {(each.link_id, each.direction): each for each in use}, now_s)


def use(link_id, direction, utilisation):
    return LinkUse(link_id, direction, 6.25, 0, 0, 0, 0, 0, utilisation * 6.25e6, utilisation)


def test_flows_are_read_from_what_the_datapath_prints():
    tcp, udp = read_datapath_flows(DUMP)
    assert tcp == Sighting(FiveTuple(6, "10.0.1.1", "10.0.2.1", 40000, 9000), "t1-eth1", "t1-eth6", 1234567)
    assert udp == Sighting(FiveTuple(17, "10.0.1.1", "10.0.2.1", 1, 2), "c1-eth5", "t2-eth3", 60)
    assert str(tcp.flow) == "tcp 10.0.1.1:40000-10.0.2.1:9000"


def test_elephants_that_came_to_share_a_link_part_when_another_is_seen_to_be_free():
    herd = elephants()
    herd.update(look(0.0))
    seen = [Sighting(flow(i), "t1-eth1", "t1-eth3", LARGE) for i in range(2)]
    full = [use(link.id, way, 1.0) for link in PLAN.uplinks for way in ("up", "down") if link.id[-3:] != "1/1"]
    assert len({path.links[1] for _, path in herd.update(look(0.5, *seen, use=full))}) == 1
    free = [use(each.link_id, each.direction, 0.03) for each in full]
    seen = [dataclasses.replace(each, carried_bytes=2 * LARGE) for each in seen]
    ((_, path),) = herd.update(look(1.0, *seen, use=free))
    assert {pin.path.links[1] for pin in herd.pins.values()} == {"t1-c1/1", path.links[1]}
    assert len({pin.path.links[2] for pin in herd.pins.values()}) == 2
    assert herd.update(look(1.5, *seen, use=free)) == []


@given(st.lists(st.tuples(st.integers(1, 2), st.integers(3, 8)), min_size=1, max_size=40))
@settings(deadline=None)
def test_moving_comes_to_rest(pairs):
    herd = elephants()
    herd.update(look(0.0))
    address = {host.name: host.ip for host in PLAN.hosts}
    flows = [flow(i, address[f"h{a}"], address[f"h{b}"]) for i, (a, b) in enumerate(pairs)]
    stale = [use(link.id, "up", 1.0) for link in PLAN.uplinks if link.id != "t1-c1/1"]
    for round_no in range(1, 12):
        seen = [
            Sighting(each, f"t1-eth{a}", "t1-eth3", round_no * LARGE) for each, (a, _) in zip(flows, pairs, strict=True)
        ]
        moved = herd.update(look(0.5 * round_no, *seen, use=stale if round_no == 1 else ()))
    assert moved == []
    assert set(herd.pins) == set(flows)


def test_that_the_datapath_does_not_answer_is_said_once_until_it_answers_again(caplog):
    answers = iter([None, None, DUMP, None])

    def ask(*_):
        answer = next(answers)
        if answer is None:
            raise TraceError("gone")
        return answer

    flows = DatapathFlows(ask)
    assert [len(flows()) for _ in range(4)] == [0, 0, 2, 0]
    assert [record.message for record in caplog.records] == 2 * ["datapath_not_read"]


def test_as_many_elephants_as_links_get_a_link_each_wherever_the_hash_put_them():
    herd = elephants()
    herd.update(look(0.0))
    fresh = herd.update(look(0.5, *[Sighting(flow(i), "t1-eth1", "t1-eth3", LARGE) for i in range(8)]))
    assert len(fresh) == 8
    for hop in (1, 2):
        assert len({path.links[hop] for _, path in fresh}) == 8


def test_an_elephant_takes_the_path_whose_fullest_link_is_emptiest():
    herd = elephants()
    herd.update(look(0.0))
    busy = [
        use(link.id, way, 0.7)
        for link in PLAN.uplinks
        for way in ("up", "down")
        if link.id not in ("t1-c2/3", "t2-c2/1")
    ]
    busy += [use("t1-c2/3", "up", 0.2), use("t2-c2/1", "down", 0.1), use("t2-c2/1", "up", 0.9)]
    ((_, path),) = herd.update(look(0.5, Sighting(flow(1), "t1-eth1", "t1-eth3", LARGE), use=busy))
    assert path.links == ("h1-t1", "t1-c2/3", "t2-c2/1", "h3-t2")


def test_an_elephant_that_has_its_path_to_itself_stays():
    herd = elephants()
    herd.update(look(0.0))
    own = (Sighting(flow(1), "t1-eth1", "t1-eth8", LARGE), Sighting(flow(1), "c2-eth2", "c2-eth7", LARGE))
    full = [use("t1-c2/2", "up", 1.0), use("t2-c2/3", "down", 1.0)]
    ((_, path),) = herd.update(look(0.5, *own, use=full))
    assert path.links == ("h1-t1", "t1-c2/2", "t2-c2/3", "h3-t2")


@pytest.mark.parametrize(
    ("carried", "source"), [((0, LARGE - 2), "10.0.1.1"), ((LARGE, LARGE), "10.0.1.1"), ((0, LARGE), "10.0.1.77")]
)
def test_small_idle_and_foreign_flows_are_left_to_the_hash(carried, source):
    herd = elephants()
    for time_s, count in enumerate(carried):
        assert herd.update(look(LOOK_S * time_s, Sighting(flow(1, source), "t1-eth1", "t1-eth3", count))) == []


@pytest.mark.parametrize("interval_s", [0.1, 0.5, 5.0])
def test_how_large_a_flow_must_be_goes_with_how_often_one_looks(interval_s):
    large = LARGE * interval_s / LOOK_S
    herd = elephants()
    herd.update(look(0.0))
    seen = [Sighting(flow(i), "t1-eth1", "t1-eth3", int(large * share)) for i, share in enumerate((0.98, 1.02))]
    assert [pinned for pinned, _ in herd.update(look(interval_s, *seen))] == [flow(1)]


def test_flows_within_a_rack_are_not_pinned():
    herd = elephants()
    herd.update(look(0.0))
    assert herd.update(look(0.5, Sighting(flow(1, "10.0.1.1", "10.0.1.2"), "t1-eth1", "t1-eth2", LARGE))) == []


def test_a_pin_ends_with_its_flow_or_with_its_links():
    herd = elephants()
    herd.update(look(0.0))
    herd.update(look(0.5, *[Sighting(flow(i), "t1-eth1", "t1-eth3", LARGE) for i in range(8)]))
    kept = {entry for entries in herd.entries().values() for entry in entries}
    assert {entry.match[4] for entry in kept} == {("tcp_src", 40000 + i) for i in range(8)}
    herd.forget_paths_over({"t1-c1/1"})
    assert len(herd.pins) == 7
    herd.update(look(1.0, Sighting(flow(7), "t1-eth1", "t1-eth3", 2 * LARGE)))
    herd.update(look(0.6 + PIN_IDLE_S, Sighting(flow(7), "t1-eth1", "t1-eth3", 2 * LARGE)))
    assert set(herd.pins) <= {flow(7)}


def test_the_core_pins_by_entries_above_the_groups_and_moves_them_when_a_link_dies():
    shown: list[Sighting] = []
    world = World(PLAN, datapath_flows=lambda: shown)
    world.connect()
    world.run(1)
    world.core.poll()
    world.now += 0.5
    shown.append(Sighting(flow(1), "t1-eth1", "t1-eth3", LARGE))
    world.core.poll()
    assert world.health.status == "ready"
    pinned = [held for held, _ in world.switches.by_name["t1"].flows.values() if ("tcp_src", 40001) in held.match]
    assert [held.priority for held in pinned] == [200]
    link = world.topology.link_at[Endpoint("t1", pinned[0].output.port_no)]
    world.cable(link.id, False)
    assert not [held for held, _ in world.switches.by_name["t1"].flows.values() if ("tcp_src", 40001) in held.match]
    world.now += 0.5
    shown[0] = dataclasses.replace(shown[0], carried_bytes=3 * LARGE)
    world.core.poll()
    assert [event.kind for event in world.events].count("elephant_pinned") == 2
