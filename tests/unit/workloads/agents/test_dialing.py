import asyncio
import contextlib
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.agents import dialing
from workloads.agents.connection import TransferError, listen
from workloads.agents.dialing import Dialer, source_ports

NEAR, FAR, ELSEWHERE = "127.0.0.3", "127.0.0.2", "127.0.0.4"


@given(st.integers(0, 2**53), st.text())
def test_ports_follow_from_seed_and_purpose_and_leave_those_of_services_alone(seed, purpose):
    ports = list(islice(source_ports(seed, purpose), 20))
    assert ports == list(islice(source_ports(seed, purpose), 20))
    assert all(16_384 <= port < 65_536 for port in ports)


def test_ports_are_drawn_evenly():
    drawn = [next(source_ports(1, f"read file {block}")) for block in range(8_000)]
    counts = [sum(port // 6_144 == eighth for port in drawn) for eighth in range(65_536 // 6_144)]
    assert max(counts[3:]) < 1.2 * min(counts[3:])
    odd = sum(port % 2 for port in drawn)
    assert 3_800 < odd < 4_200


@contextlib.contextmanager
def listening(*ips):
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(listen(ip, 0))).getsockname() for ip in ips]


async def opened(dialer, *wanted):
    """Own ports of connections, all of them open at the same time."""
    connections = [await dialer.open(address, purpose) for address, purpose in wanted]
    ports = [connection.ports[0] for connection in connections]
    for connection in connections:
        connection.close()
    return ports


def test_a_connection_has_the_same_port_in_every_run_with_one_seed_whatever_was_opened_before():
    with listening(FAR) as [address]:
        a, b = (address, "read a 1"), (address, "read b 1")
        first = asyncio.run(opened(Dialer(NEAR, 5, 1), a, b))
        second = asyncio.run(opened(Dialer(ELSEWHERE, 5, 1), b, a))
        third = asyncio.run(opened(Dialer("127.0.0.5", 5, 2), a, b))
    assert first == second[::-1]
    assert set(first).isdisjoint(third)


def test_connections_for_one_purpose_have_ports_of_their_own_by_address():
    with listening(FAR, ELSEWHERE) as [one, other]:
        ports = asyncio.run(opened(Dialer(NEAR, 5, 3), *[(one, "read a 1")] * 5, *[(other, "read a 1")] * 5))
    assert len(set(ports)) == 5
    assert ports[:5] == ports[5:]


def test_a_port_that_is_taken_is_passed_over(monkeypatch):
    drawn = iter([20_000, 20_000, 20_001, 20_000])
    monkeypatch.setattr(dialing, "source_ports", lambda _seed, _purpose: drawn)
    with listening(FAR, ELSEWHERE) as [one, other]:
        wanted = [(one, "a"), (one, "b"), (other, "c")]
        assert asyncio.run(opened(Dialer("127.0.0.6", 5, 1), *wanted)) == [20_000, 20_001, 20_000]


def test_an_agent_without_a_free_port_says_so(monkeypatch):
    monkeypatch.setattr(dialing, "source_ports", lambda _seed, _purpose: iter([20_000] * 100))
    with listening(FAR) as [address], pytest.raises(TransferError, match=r"127\.0\.0\.2: no port is free"):
        asyncio.run(opened(Dialer("127.0.0.7", 5, 1), (address, "a"), (address, "b")))
