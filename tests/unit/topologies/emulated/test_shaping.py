import json

import pytest

from topologies.constants import Constants
from topologies.emulated.shaping import Shape, ShapingError, differences, parse, plan, read_back_commands
from topologies.fat_tree import thesis

FILTER = """\
filter parent 1: protocol ip pref 49152 u32 chain 0 fh 800::800 order 2048 key ht 800 bkt 0 *flowid 1:3 not_in_hw
  match 00000000/0000ff00 at 0
"""


def test_every_direction_of_every_link_is_shaped_at_its_rate():
    topology = thesis().scaled(8)
    planned = plan(topology, Constants(queue_bytes=1000, short_packets_first=True))
    shapes = {shape.interface: shape for shapes in planned.values() for shape in shapes}
    assert len(shapes) == 2 * len(topology.links)
    for link in topology.links:
        for end in (link.a, link.b):
            assert shapes[f"{end.node}-eth{end.port_no}"].rate_bps == round(link.capacity_mbps * 1e6)
    assert shapes["t1-eth3"].queue_bytes == 1000
    assert shapes["h1-eth1"].queue_bytes > 1000
    assert shapes["t1-eth3"].short_first
    assert not shapes["h1-eth1"].short_first


def test_commands_say_what_the_shape_says():
    shape = Shape("t1-eth3", 40_000_000_000, 65_536)
    qdisc, htb, fifo = shape.commands
    assert "rate 40000000000bit ceil 40000000000bit" in htb
    assert "quantum" in htb
    assert "limit 65536" in fifo
    assert all("dev t1-eth3" in command for command in (qdisc, htb, fifo))


def kernel(shapes):
    """What tc says of interfaces with these shapes."""
    text, qdiscs = "", []
    for shape in shapes:
        text += f"class htb 1:1 root leaf 10: prio 0 rate {shape.rate_bps}bit ceil {shape.rate_bps}bit burst 3026b\n"
        if shape.short_first:
            text += FILTER
        for parent in ("1:2", "1:3") if shape.short_first else ("1:1",):
            queue = {"dev": shape.interface, "parent": parent, "options": {"limit": shape.queue_bytes}}
            qdiscs.append({"kind": "bfifo", **queue})
    return text, json.dumps(qdiscs)


def test_read_back_finds_what_was_set_and_reports_what_was_not():
    shapes = [Shape("a-eth1", 6_250_000, 1000), Shape("a-eth2", 10**9, 2000)]
    assert differences(shapes, parse(shapes, *kernel(shapes))) == []
    real = [Shape("a-eth1", 9_000_000, 1000), Shape("a-eth2", 10**9, 64)]
    found = differences(shapes, parse(shapes, *kernel(real)))
    assert found == [
        "a-eth1: 9000000 bit/s instead of 6250000",
        "a-eth2: queue of 64 bytes instead of 2000",
    ]
    short = [Shape("a-eth1", 6_250_000, 1000, short_first=True), shapes[1]]
    assert differences(short, parse(short, *kernel(short))) == []
    assert differences(short, parse(short, *kernel(shapes))) == ["a-eth1: short packets do not go first"]
    assert differences(shapes, parse(shapes, *kernel(short))) == ["a-eth1: short packets go first"]
    text, queues = kernel(short)
    assert differences(short, parse(short, text.replace(FILTER, ""), queues)) == ["a-eth1: not shaped"]
    assert differences([*shapes, Shape("b-eth1", 1, 1)], parse(shapes, *kernel(shapes))) == ["b-eth1: not shaped"]


def test_units_of_tc_are_understood():
    shapes = [Shape("a-eth1", 6_250_000, 1), Shape("a-eth2", 40 * 10**9, 1)]
    text = (
        "class htb 1:1 root leaf 10: prio 0 rate 6250Kbit ceil 6250Kbit burst 3026b cburst 3026b \n"
        "class htb 1:1 root leaf 10: prio 0 rate 40Gbit ceil 40Gbit burst 0b cburst 0b \n"
    )
    assert differences(shapes, parse(shapes, text, kernel(shapes)[1])) == []


def test_a_missing_class_stops():
    shapes = [Shape("a-eth1", 1, 1)]
    with pytest.raises(ShapingError, match="0 HTB classes for 1"):
        parse(shapes, "", "[]")
    assert read_back_commands(shapes) == (["tc", "-batch", "-"], "class show dev a-eth1\nfilter show dev a-eth1\n")
