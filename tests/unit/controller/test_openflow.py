"""The application against a stand-in for the library, which needs neither switches nor the library."""

import struct
from types import SimpleNamespace

import pytest

from controller import openflow
from controller.counters import PortCounters
from controller.discovery import Port
from controller.messages import SelectByHash, Switchboard
from controller.openflow import SILENCE_S, TICK_S, Pacer

OFP = SimpleNamespace(
    OFPP_MAX=0xFFFFFF00, OFPP_LOCAL=0xFFFFFFFE, OFPP_ANY=0xFFFFFFFF, OFPPC_PORT_DOWN=1, OFPPS_LINK_DOWN=1,
    OFPPR_DELETE=1, OFPT_FLOW_MOD=14, OFPT_GROUP_MOD=15,
)  # fmt: skip


class Recorder:
    """Takes every report, and remembers its name and arguments."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        return lambda *arguments: self.calls.append((name, *arguments))


class FakeDatapath:
    def __init__(self, dpid):
        self.id = dpid
        self.ofproto = OFP
        self.closed = False
        self.socket = SimpleNamespace(fileno=lambda: -1 if self.closed else 5, shutdown=self.close)
        self.ofproto_parser = SimpleNamespace(
            OFPPortDescStatsRequest=lambda *arguments: "ports?", OFPEchoRequest=lambda *arguments: "echo?"
        )
        self.sent = []

    def send_msg(self, message):
        self.sent.append(message)

    def close(self, how):
        self.closed = True


class Exited(BaseException):
    pass


@pytest.fixture
def application(monkeypatch):
    def leave(code):
        raise Exited(code)

    class App:
        def register_handler(self, event, handler):
            self.tick = handler

    monkeypatch.setattr("os._exit", leave)
    events = SimpleNamespace(**{f"EventOFP{name}": name for name in (
        "StateChange", "PortDescStatsReply", "PortStatus", "PacketIn", "PortStatsReply", "GroupStatsReply",
        "BarrierReply", "ErrorMsg",
    )})  # fmt: skip
    handler = SimpleNamespace(
        MAIN_DISPATCHER="main", DEAD_DISPATCHER="dead", set_ev_cls=lambda event, states: lambda function: function
    )
    event = SimpleNamespace(EventBase=object)
    api = SimpleNamespace(ofp_event=events, handler=handler, event=event, App=App, openflow_1_5=6)
    return openflow._application(api)(Recorder(), Switchboard(1), 0.5)


def message(datapath, **fields):
    return SimpleNamespace(msg=SimpleNamespace(datapath=datapath, **fields))


def port(port_no, config=0, state=0, name=b"t1-eth1"):
    return SimpleNamespace(port_no=port_no, name=name, config=config, state=state)


def connect(application, dpid=7):
    datapath = FakeDatapath(dpid)
    application.state_changed(SimpleNamespace(datapath=datapath, state="main"))
    assert datapath.sent == ["ports?"]
    ports = [port(1), port(2, state=1), port(3, config=1), port(OFP.OFPP_LOCAL, name=b"t1")]
    application.ports_described(message(datapath, body=ports))
    return datapath


def test_a_switch_is_reported_with_its_ports_and_its_bridge(application):
    connect(application)
    ports = [Port(1, "t1-eth1", True), Port(2, "t1-eth1", False), Port(3, "t1-eth1", False)]
    assert application.core.calls == [("switch_connected", 7, ports, "t1")]


def test_only_the_end_of_the_latest_connection_of_a_switch_counts(application):
    first = connect(application)
    second = connect(application)
    application.core.calls.clear()
    application.state_changed(SimpleNamespace(datapath=first, state="dead"))
    assert application.core.calls == []
    application.state_changed(SimpleNamespace(datapath=second, state="dead"))
    assert application.core.calls == [("switch_disconnected", 7)]
    assert application.switchboard.datapaths == {}


def test_changes_of_ports_are_reported_but_not_of_the_local_one(application):
    datapath = connect(application)
    application.core.calls.clear()
    application.port_status(message(datapath, desc=port(1, state=1), reason=2))
    application.port_status(message(datapath, desc=port(2), reason=OFP.OFPPR_DELETE))
    application.port_status(message(datapath, desc=port(OFP.OFPP_LOCAL), reason=2))
    assert application.core.calls == [("port_changed", 7, Port(1, "t1-eth1", False)), ("port_removed", 7, 2)]


def test_counters_carry_their_own_clock(application):
    datapath = connect(application)
    application.core.calls.clear()
    fields = {"rx_bytes": 1, "tx_bytes": 2, "rx_packets": 3, "tx_packets": 4, "rx_dropped": 5, "tx_dropped": 6}
    body = [SimpleNamespace(port_no=1, duration_sec=10, duration_nsec=250_000_000, **fields)]
    application.port_counters(message(datapath, body=body))
    assert application.core.calls == [("counters_read", 7, [PortCounters(1, 10.25, 1, 2, 3, 4, 5, 6)])]


def test_frames_groups_and_confirmations_are_passed_on(application):
    datapath = connect(application)
    application.core.calls.clear()
    application.packet_in(message(datapath, match={"in_port": 3}, data=bytearray(b"abc")))
    application.groups_listed(message(datapath, body=[SimpleNamespace(group_id=4)]))
    application.barrier_reply(message(datapath, xid=12))
    assert application.core.calls == [("frame_received", 7, 3, b"abc"), ("groups_listed", 7, [4]), ("confirmed", 7, 12)]


@pytest.mark.parametrize(("kind", "fatal"), [(14, True), (15, True), (13, False)])
def test_a_refused_rule_ends_the_process_and_any_other_error_does_not(application, kind, fatal):
    datapath = connect(application)
    event = message(datapath, type=1, code=2, data=bytes([6, kind, 0, 8, 0, 0, 0, 1]))
    if fatal:
        with pytest.raises(Exited, match="1"):
            application.refused(event)
    else:
        application.refused(event)


def test_an_exception_in_any_handler_ends_the_process(application):
    with pytest.raises(Exited, match="1"):
        application.packet_in(message(FakeDatapath(1), match={}, data=b""))


def test_time_is_passed_on_and_counters_are_asked_for_at_their_interval():
    core = Recorder()
    pacer = Pacer(core, Switchboard(1), 0.5)
    for _ in range(10):
        pacer.tick()
    assert [name for name, *_ in core.calls].count("poll") == 2
    assert [name for name, *_ in core.calls].count("tick") == 10


def test_a_silent_switch_is_cut_off_and_one_that_answers_is_not():
    switchboard = Switchboard(1)
    silent, talking = FakeDatapath(1), FakeDatapath(2)
    switchboard.datapaths = {1: silent, 2: talking}
    pacer = Pacer(Recorder(), switchboard, 0.5)
    pacer.heard(1)
    for _ in range(round(SILENCE_S / TICK_S) + 10):
        pacer.heard(2)
        pacer.tick()
    assert silent.closed
    assert "echo?" in silent.sent
    assert not talking.closed
    assert talking.sent == []


def test_the_hash_property_is_well_formed():
    prop = SelectByHash(0x1122334455667788).serialize()
    kind, length, vendor, experiment = struct.unpack_from("!HHII", prop)
    assert (kind, vendor, experiment) == (0xFFFF, 0x154D, 1)
    assert len(prop) % 8 == 0
    assert length <= len(prop) < length + 8
    assert prop[16:32].rstrip(b"\0") == b"hash"
    assert prop[32:40].hex() == "1122334455667788"
    rest, fields = prop[40:length], []
    while rest:
        size = rest[3]
        fields.append((int.from_bytes(rest[:2], "big"), rest[2] >> 1))
        assert rest[4 : 4 + size] == b"\xff" * size
        rest = rest[4 + size :]
    assert fields == [(0x8000, number) for number in range(10, 17)]
