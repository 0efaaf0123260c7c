import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.counters import HISTORY_SAMPLES, LinkCounters, PortCounters
from controller.queues import queue_drops
from topologies.fat_tree import fat_tree

PLAN = fat_tree(racks=2, hosts_per_rack=1, core_switches=1, uplink_ports_per_rack=2, uplink_mbps=8)


def reading(port_no, age_s, tx=0, rx=0, **fields):
    values = {"rx_packets": 0, "tx_packets": 0, "rx_drops": 0, "tx_drops": 0, **fields}
    return PortCounters(port_no, age_s, rx, tx, **values)


@given(st.floats(0.1, 1e5), st.floats(0.1, 10), st.integers(0, 10**12), st.integers(0, 10**7), st.floats(0, 5))
def test_rates_come_from_the_counters_own_clock(age, interval, start, sent, lateness):
    counters = LinkCounters(PLAN)
    counters.update("t1", [reading(2, age, tx=start)], time_s=0.0)
    counters.update("t1", [reading(2, age + interval, tx=start + sent)], time_s=interval + lateness)
    use = counters.latest["t1-c1/1", "up"]
    assert use.bits_per_s == pytest.approx(sent * 8 / interval, rel=1e-6)
    assert use.utilisation == pytest.approx(use.bits_per_s / 8e6)
    assert use.tx_bytes == start + sent


def test_each_direction_is_counted_at_the_sending_switch_and_at_the_switch_where_a_host_sends():
    counters = LinkCounters(PLAN)
    counters.update("t1", [reading(1, 1, tx=10, rx=20, rx_packets=2), reading(2, 1, tx=30, rx=40)], 1.0)
    counters.update("c1", [reading(1, 1, tx=41, rx=31, tx_packets=3)], 1.0)
    carried = {key: use.tx_bytes for key, use in counters.latest.items()}
    assert carried == {("h1-t1", "up"): 20, ("h1-t1", "down"): 10, ("t1-c1/1", "up"): 30, ("t1-c1/1", "down"): 41}
    assert counters.latest["h1-t1", "up"].tx_packets == 2
    assert counters.latest["t1-c1/1", "down"].tx_packets == 3


def test_counters_that_start_again_give_no_rate():
    counters = LinkCounters(PLAN)
    counters.update("t1", [reading(2, 100, tx=10**9)], 1.0)
    for age, sent in ((0.5, 100), (0.5, 100)):
        counters.update("t1", [reading(2, age, tx=sent)], 2.0)
        use = counters.latest["t1-c1/1", "up"]
        assert (use.bits_per_s, use.utilisation) == (None, None)
    counters.update("t1", [reading(2, 1.5, tx=1100)], 3.0)
    assert counters.latest["t1-c1/1", "up"].bits_per_s == 8000


def test_the_first_reading_of_a_controller_gives_no_rate():
    counters = LinkCounters(PLAN)
    counters.update("t1", [reading(2, 100, tx=10**9)], 1.0)
    use = counters.latest["t1-c1/1", "up"]
    assert (use.bits_per_s, use.utilisation) == (None, None)
    (sample,) = counters.history("t1-c1/1", "up")
    assert (sample.bits_per_s, sample.utilisation) == (None, None)


def test_drops_are_those_of_port_and_queue_together():
    counters = LinkCounters(PLAN)
    counters.update("t1", [reading(2, 1, tx_drops=3, rx_drops=7)], 1.0, {2: 40})
    assert counters.latest["t1-c1/1", "up"].drops == 43
    counters.update("t1", [reading(1, 1, tx_drops=3, rx_drops=7)], 1.0, {1: 40})
    assert counters.latest["h1-t1", "up"].drops == 7
    assert counters.latest["h1-t1", "down"].drops == 43


def test_history_is_bounded_and_in_order_and_unplanned_ports_are_ignored():
    counters = LinkCounters(PLAN)
    for second in range(HISTORY_SAMPLES + 5):
        counters.update("t1", [reading(2, second, tx=second), reading(99, second)], float(second))
    times = [sample.time_s for sample in counters.history("t1-c1/1", "up")]
    assert times == [float(second) for second in range(5, HISTORY_SAMPLES + 5)]


def test_the_latest_reading_is_replaced_and_never_changed():
    counters = LinkCounters(PLAN)
    before = counters.latest
    counters.update("t1", [reading(2, 1)], 1.0)
    assert before == {}
    assert len(counters.latest) == 1


def test_the_kernel_lists_its_queues():
    drops = queue_drops()
    assert all(isinstance(name, str) and isinstance(count, int) for name, count in drops.items())
    assert struct.calcsize("=BxxxiIII") == 20
