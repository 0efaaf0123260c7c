import struct

from topologies.emulated.delay_probe import DATAGRAM_BYTES, PORT, Flow, Plan, Port, headers

SOURCE = Port(11, "h1-eth1", "10.0.0.1", "02:00:00:00:00:01")
DESTINATION = Port(12, "h2-eth1", "10.0.1.7", "02:00:00:00:01:07")
FLOW = Flow(SOURCE, DESTINATION, 20_001)


def test_headers_are_those_of_a_datagram_that_a_kernel_accepts():
    frame = headers(FLOW)
    assert len(frame) + 12 == DATAGRAM_BYTES
    assert frame[:14].hex() == "020000000107" + "020000000001" + "0800"
    ip = frame[14:34]
    words = struct.unpack("!10H", ip)
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    assert total == 0xFFFF  # RFC 1071: the sum over a header with its checksum
    assert (ip[0], ip[9], words[1]) == (0x45, 17, DATAGRAM_BYTES - 14)
    assert (tuple(ip[12:16]), tuple(ip[16:20])) == ((10, 0, 0, 1), (10, 0, 1, 7))
    assert struct.unpack("!4H", frame[34:]) == (20_001, PORT, DATAGRAM_BYTES - 34, 0)


def test_a_plan_survives_being_handed_over():
    plan = Plan((FLOW, Flow(DESTINATION, SOURCE, 7)), 64.5, 3)
    assert Plan.from_json(plan.to_json()) == plan
    assert "\n" not in plan.to_json()
