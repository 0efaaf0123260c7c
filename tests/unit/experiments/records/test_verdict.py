"""What tells of an overloaded machine makes a run doubtful, and is read right from what the tools print."""

import json
from collections import namedtuple
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.records import series, verdict
from experiments.records.delays import Delays, LinkDelays
from experiments.records.verdict import Sample, Watched, rows
from experiments.runs.machine_sampler import _Counters, _sample
from experiments.specification.model import FidelitySpec
from topologies.emulated.kernel_counters import frames_received, queues, receive_queues, tcp_counters

GOOD = Sample(
    time_wall_s=0.5,
    cpu_idle=0.6,
    cpu_steal=0.0,
    datapath_cpu=0.4,
    run_queue_delay_s=0.0001,
    agents_run_queue_delay_s=0.0002,
    receive_queue_bytes=2304,
    receive_delay_s=0.0004,
    arrived_bytes=2_900_000,
    receive_drops=0,
    frames_received=10_000,
    backlog_bytes=30_000,
    queue_drops=3,
    retransmissions=3,
    segments_sent=10_000,
)
LIMITS = FidelitySpec()


def samples(count=20, **changed):
    return [replace(GOOD, time_wall_s=0.5 * number, **changed) for number in range(1, count + 1)]


def assess(seen, limits=LIMITS, rate_shortfall=0.0, forced=None, delays=None, **others):
    return verdict.assess(Watched(tuple(seen), delays), limits, rate_shortfall, forced, **others)


def test_agents_may_wait_longer_on_the_wall_where_modelled_time_is_slower():
    waiting = samples(agents_run_queue_delay_s=0.01)
    assert assess(waiting, LIMITS, rate_shortfall=0.0, speed=64).verdict == "doubtful"
    assert assess(waiting, LIMITS, rate_shortfall=0.0, speed=16).verdict == "trusted"


def test_a_machine_with_room_to_spare_is_trusted():
    fidelity = assess(samples(), LIMITS, rate_shortfall=0.01)
    assert fidelity.verdict == "trusted"
    assert fidelity.reasons == ()
    assert fidelity.figures["cpu_idle_p05"] == 0.6
    assert fidelity.figures["rate_shortfall"] == 0.01


@pytest.mark.parametrize(
    ("changed", "limits", "figure"),
    [
        ({"cpu_idle": 0.049}, {"min_cpu_idle": 0.04}, "cpu_idle_p05"),
        ({"cpu_steal": 0.11}, {"max_cpu_steal": 0.12}, "cpu_steal_p95"),
        ({"run_queue_delay_s": 0.0051}, {"max_run_queue_delay_s": 0.006}, "run_queue_delay_s_p95"),
        ({"agents_run_queue_delay_s": 0.0026}, {"max_agents_delay_modelled_s": 0.34}, "agents_run_queue_delay_s_p95"),
        ({"receive_delay_s": 0.021}, {"max_receive_delay_s": 0.03}, "receive_delay_s_p95"),
        ({"receive_drops": 11}, {"max_receive_drop_share": 0.002}, "receive_drop_share"),
    ],
)
def test_each_threshold_flips_the_verdict_alone(changed, limits, figure):
    doubtful = assess(samples(**changed), LIMITS, rate_shortfall=0.0)
    assert doubtful.verdict == "doubtful"
    (reason,) = doubtful.reasons
    assert reason.startswith(f"{figure} ")
    assert assess(samples(**changed), LIMITS.model_copy(update=limits), rate_shortfall=0.0).verdict == "trusted"


def test_losses_are_of_frames_and_retransmissions_of_segments():
    """One frame holds many segments, so that dividing its loss by segments would hide it."""
    figures = assess(
        samples(receive_drops=2, queue_drops=4, frames_received=1_000, retransmissions=100, segments_sent=20_000),
        LIMITS,
        rate_shortfall=0.0,
    ).figures
    assert figures["receive_drop_share"] == pytest.approx(0.002)
    assert figures["queue_drop_share"] == pytest.approx(0.004)
    assert figures["retransmission_share"] == pytest.approx(0.005)


def test_the_calibration_flips_the_verdict_and_no_calibration_does_not():
    assert assess(samples(), LIMITS, rate_shortfall=0.101).reasons[0].startswith("rate_shortfall 0.101 is above 0.1")
    assert assess(samples(), LIMITS, rate_shortfall=0.1).verdict == "trusted"
    assert assess(samples(), LIMITS, rate_shortfall=None).verdict == "trusted"


def test_a_strategy_that_computes_for_long_makes_the_run_doubtful():
    """A modelled minute passes in each second that it computes, which no real cluster would see."""
    doubtful = assess(samples(), LIMITS, rate_shortfall=0.0, decision_share=0.011)
    assert doubtful.reasons[0].startswith("decision_share 0.011 is above 0.01")
    assert assess(samples(), LIMITS, rate_shortfall=0.0, decision_share=0.01).verdict == "trusted"


def test_a_forced_run_is_doubtful_and_says_so_first():
    fidelity = assess(samples(cpu_idle=0.01), LIMITS, 0.0, forced="calibration: the up-links carry too little")
    assert fidelity.verdict == "doubtful"
    assert fidelity.reasons[0] == "calibration: the up-links carry too little"
    assert len(fidelity.reasons) == 2


def test_without_samples_nothing_is_trusted():
    assert assess([], LIMITS, rate_shortfall=0.0).verdict == "doubtful"


def test_what_says_nothing_about_the_machine_is_recorded_and_not_judged():
    busy = samples(datapath_cpu=0.99, queue_drops=500, retransmissions=500, backlog_bytes=60_000)
    fidelity = assess(busy, LIMITS, rate_shortfall=0.0)
    assert fidelity.verdict == "trusted"
    assert fidelity.figures["datapath_cpu_p95"] == 0.99
    assert fidelity.figures["queue_drop_share"] == fidelity.figures["retransmission_share"] == 0.05


def test_one_bad_moment_in_a_long_run_is_forgiven_and_a_tenth_of_it_is_not():
    def verdict(bad):
        return assess([*samples(100 - bad), *samples(bad, cpu_idle=0.0)], LIMITS, rate_shortfall=0.0).verdict

    assert verdict(1) == "trusted"
    assert verdict(10) == "doubtful"


def test_a_wait_for_the_switches_counts_as_often_as_bytes_waited():
    """A tenth of the intervals is bad: forgiven with next to nothing in them, and not with as much as in others."""

    def verdict(amount):
        bad = samples(10, receive_delay_s=0.3, arrived_bytes=amount)
        return assess([*samples(90), *bad], LIMITS, rate_shortfall=0.0).verdict

    assert verdict(70_000) == "trusted"
    assert verdict(GOOD.arrived_bytes) == "doubtful"


def test_a_run_in_which_nothing_was_sent_has_no_waits():
    assert assess(samples(arrived_bytes=0), LIMITS, rate_shortfall=0.0).figures["receive_delay_s_p95"] == 0.0


unit = st.floats(0, 1, allow_nan=False)


@given(idle=unit, steal=unit, delay_s=st.floats(0, 0.1), error=unit, bound=unit)
def test_a_stricter_threshold_never_makes_a_doubtful_run_trusted(idle, steal, delay_s, error, bound):
    seen = samples(5, cpu_idle=idle, cpu_steal=steal, run_queue_delay_s=delay_s)
    loose = LIMITS.model_copy(update={"min_cpu_idle": bound / 2, "max_cpu_steal": 1 - bound / 2})
    strict = LIMITS.model_copy(update={"min_cpu_idle": bound, "max_cpu_steal": 1 - bound})
    doubts = len(assess(seen, loose, error).reasons)
    assert len(assess(seen, strict, error).reasons) >= doubts


def test_rows_have_the_columns_of_the_file():
    (row,) = rows([GOOD])
    assert set(row) == set(series.FIDELITY)
    assert row["segments_sent"] == 10_000.0


Cpu = namedtuple("Cpu", "user nice system idle iowait irq softirq steal guest guest_nice")


def counters(time_s, idle, user, steal=0.0, **changed):
    known = {
        "datapath_cpu_s": 0.0,
        "datapath_delay": (0.0, 0),
        "agent_delays": ((0.0, 0), (0.0, 0)),
        "receive_queue_bytes": 0,
        "receive_drops": {},
        "frames_received": 0,
        "backlog_bytes": 0,
        "queue_drops": 0,
        "forwarded_bytes": 0,
        "retransmissions": 0,
        "segments_sent": 0,
    }
    return _Counters(time_s=time_s, cpu=Cpu(user, 0, 0, idle, 0, 0, 0, steal, user, 0), **{**known, **changed})


def test_a_sample_is_the_difference_of_two_readings():
    before = counters(100.0, idle=50.0, user=20.0)
    after = counters(
        100.5,
        idle=50.6,
        user=20.3,
        steal=0.1,
        datapath_cpu_s=0.25,
        datapath_delay=(0.02, 10),
        agent_delays=((0.0, 0), (0.06, 20)),
        receive_queue_bytes=100_000,
        receive_drops={"38": 4},
        frames_received=90,
        backlog_bytes=7,
        queue_drops=5,
        forwarded_bytes=1_000_000,
        retransmissions=6,
        segments_sent=700,
    )
    sample = _sample(before, after, started=90.0)
    assert sample.time_wall_s == 10.5
    assert sample.cpu_idle == pytest.approx(0.6)  # guest time is within user time and counts once
    assert sample.cpu_steal == pytest.approx(0.1)
    assert sample.datapath_cpu == pytest.approx(0.5)
    assert sample.run_queue_delay_s == pytest.approx(0.002)
    assert sample.agents_run_queue_delay_s == pytest.approx(0.003)
    assert sample.receive_delay_s == pytest.approx(0.05)  # 100 kB at 2 MB/s
    assert sample.arrived_bytes == 1_100_000
    assert sample.frames_received == 90
    assert (sample.receive_drops, sample.queue_drops, sample.retransmissions, sample.segments_sent) == (4, 5, 6, 700)


def test_an_idle_interval_has_no_delays():
    sample = _sample(counters(1.0, 1.0, 1.0), counters(1.5, 2.0, 1.0, receive_queue_bytes=2304), started=0.0)
    assert sample.cpu_idle == 1.0
    assert (sample.receive_delay_s, sample.run_queue_delay_s, sample.agents_run_queue_delay_s) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("forwarded", [0, 66])
def test_what_waits_for_switches_that_forward_nothing_has_waited_for_the_interval(forwarded):
    stuck = counters(1.5, 2.0, 1.0, receive_queue_bytes=5_000_000, forwarded_bytes=forwarded)
    sample = _sample(counters(1.0, 1.0, 1.0), stuck, started=0.0)
    assert (sample.receive_delay_s, sample.arrived_bytes) == (0.5, 5_000_000 + forwarded)


SS = """\
p_raw 0      0        *:t1-eth1 * users:(("ovs-vswitchd",pid=12,fd=38)) skmem:(r4608,rb212992,t0,tb134217728,f0,w0,o176,bl0,d0)
p_raw 0      0        *:t1-eth2 * users:(("ovs-vswitchd",pid=12,fd=39)) skmem:(r66816,rb212992,t0,tb134217728,f0,w0,o176,bl0,d17)
p_raw 0      0      [0]:*       * users:(("ovs-vswitchd",pid=12,fd=44)) skmem:(r0,rb212992,t0,tb134217728,f0,w0,o0,bl0,d0)
p_dgr 0      0      arp:eth0    * users:(("other",pid=99,fd=3)) skmem:(r9999,rb212992,t0,tb212992,f0,w0,o0,bl0,d88)
"""  # noqa: E501 - as ss of iproute2 6.1 prints it


def test_waiting_and_lost_packets_are_those_of_the_switches():
    assert receive_queues(SS) == (4608 + 66816, {"38": 0, "39": 17, "44": 0})
    assert receive_queues(SS.replace(" skmem", "\n\t skmem")) == receive_queues(SS)  # other versions break the line
    assert receive_queues("") == (0, {})


def test_frames_are_those_of_the_switches_ports():
    ports = [
        {"ifname": name, "stats64": {"rx": {"packets": count}}}
        for name, count in (("lo", 9), ("t1-eth1", 5), ("c1", 2))
    ]
    assert frames_received(ports) == 7


def test_a_loss_counter_that_was_reset_is_not_taken_for_a_gain():
    """Open vSwitch reads the statistics of its sockets now and then, which sets some of them back."""
    before = counters(0.0, 0.0, 0.0, receive_drops={"38": 5, "39": 40})
    after = counters(1.0, 0.5, 0.5, receive_drops={"38": 7, "39": 3, "44": 1})
    assert _sample(before, after, started=0.0).receive_drops == 2 + 3 + 1


def qdisc(kind, device, **figures):
    known = {"bytes": 0, "packets": 0, "drops": 0, "overlimits": 0, "requeues": 0, "backlog": 0, "qlen": 0}
    return {"kind": kind, "handle": "10:", "dev": device, "options": {}, **known, **figures}


def test_queues_are_counted_once_although_the_shaper_above_counts_them_too():
    document = json.dumps(
        [
            qdisc("noqueue", "lo"),
            qdisc("htb", "t1-eth1", bytes=2_311_290, packets=45, drops=11, overlimits=102),
            qdisc("bfifo", "t1-eth1", bytes=2_311_290, packets=45, drops=11, backlog=3028),
            qdisc("htb", "t1-eth2", bytes=8592, packets=128),
            qdisc("bfifo", "t1-eth2", bytes=8592, packets=128),
        ]
    )
    assert queues(json.loads(document)) == (2_311_290 + 8592, 3028, 11)


SNMP = """\
Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors
Ip: 2 64 125 0 0
Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs \
RetransSegs InErrs OutRsts InCsumErrors
Tcp: 1 200 120000 -1 9 0 0 0 9 125 2665 1 0 0 0
Udp: InDatagrams NoPorts InErrors OutDatagrams
Udp: 0 0 0 0
"""


def test_tcp_counters_are_found_by_name():
    counted = tcp_counters(SNMP)
    assert (counted["OutSegs"], counted["RetransSegs"], counted["MaxConn"]) == (2665, 1, -1)
    assert tcp_counters(Path("/proc/net/snmp").read_text())["OutSegs"] >= 0


def held_up(worst_s, slowest="t1-c1 up", queue_s=0.04):
    name, way = slowest.split()
    return Delays((LinkDelays(name, way, 200, 0, worst_s, worst_s, worst_s),), worst_s, queue_s)


def test_a_link_that_holds_datagrams_up_is_named():
    assert assess(samples(), delays=held_up(0.05)).verdict == "trusted"
    doubtful = assess(samples(), delays=held_up(0.051))
    assert doubtful.reasons == ("packet_delay_s_p99 0.051 is above 0.05: datagrams were held up, most on t1-c1 up",)
    assert assess(samples(), delays=held_up(0.051, queue_s=0.06)).verdict == "trusted"
    (reason,) = assess(samples(), delays=held_up(0.041, queue_s=0.01)).reasons
    assert reason.startswith("packet_delay_s_p99 0.041 is above 0.04:")
    assert assess(samples()).figures["packet_delay_s_p99"] is None


def test_a_run_whose_datagrams_could_not_be_sent_is_doubtful():
    seen = Watched(tuple(samples()), None, "delay probe: ended with exit code -9")
    assert verdict.assess(seen, LIMITS, 0.0).reasons == ("delay probe: ended with exit code -9",)
