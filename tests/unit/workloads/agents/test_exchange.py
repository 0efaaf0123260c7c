"""Lanes and inboxes in one process: what arrives, what is refused, and how far a producer may run ahead."""

import asyncio
import socket
import struct

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from workloads.agents.connection import Connection, TransferError
from workloads.agents.content import Content
from workloads.agents.dialing import Dialer
from workloads.agents.exchange import Connections, Lane, Outlet, part_bytes
from workloads.agents.inbox import Inbox, Inboxes, receive_lane
from workloads.agents.usage import Usage
from workloads.agents.wire import FRAME_BYTES, receive_header, send_header

CONTENT = Content(1)
WINDOW_BYTES = 512 * 1024


def connections(deadline_s=5.0):
    ours, theirs = socket.socketpair()
    return Connection(ours, deadline_s), Connection(theirs, deadline_s)


def open_inbox(inboxes, task=0, sources=1):
    inbox = Inbox(sources, asyncio.Event(), Usage(), WINDOW_BYTES)
    inboxes.open(("j", "x", task), inbox)
    return inbox


def local_outlet(inboxes, tasks, kind="repartition", weights=None, expected=10**6):
    moved = asyncio.Event()
    lanes = [Lane(CONTENT, ("j", "x", task), 0, part_bytes(expected, WINDOW_BYTES), moved) for task in range(tasks)]
    loop = asyncio.get_running_loop()

    def start(lane):
        return loop.create_task(lane.run_local(inboxes))

    return Outlet(lanes, kind, weights or [1] * tasks, moved, start, WINDOW_BYTES)


async def drain(inbox):
    """A consumer that takes everything at once."""
    while not (inbox.complete and not inbox.backlog):
        inbox.consume(inbox.backlog)
        inbox.changed.clear()
        if not inbox.complete:
            await inbox.changed.wait()
    return inbox.received


async def frames(connection, *payloads, total=None, digest=0):
    for payload in payloads:
        await connection.send(struct.pack("!I", len(payload)), payload)
    size = sum(len(payload) for payload in payloads)
    await connection.send(struct.pack("!IQQ", 0xFFFFFFFF, size if total is None else total, digest))


@pytest.mark.parametrize("kind", ["repartition", "broadcast"])
def test_everything_emitted_arrives(kind):
    async def main():
        inboxes = Inboxes(5)
        boxes = [open_inbox(inboxes, task) for task in range(3)]
        outlet = local_outlet(inboxes, 3, kind, [4, 2, 1])

        async def produce():
            for size in (1, 70_000, 0, 3_000_001, 5):
                await outlet.emit(size)
            return await outlet.finish()

        parcels, *received = await asyncio.gather(produce(), *(drain(box) for box in boxes))
        total = 3_070_007
        assert [parcel.bytes for parcel in parcels] == received
        assert sum(received) == (3 * total if kind == "broadcast" else total)
        if kind == "repartition":
            assert received == pytest.approx([total * share / 7 for share in (4, 2, 1)], abs=3)

    asyncio.run(main())


@given(st.integers(min_value=0, max_value=10**12), st.integers(min_value=2**15, max_value=2**26))
def test_a_part_is_a_quarter_within_bounds_and_fits_the_window_twice(expected, window):
    assert part_bytes(expected, window) == min(65536, max(8192, expected // 4), window // 2)
    assert 2 * part_bytes(expected, window) <= window


@pytest.mark.parametrize("expected", [24_000, 200_000, 1_000_000])
def test_a_lane_sends_while_its_source_works_however_little_it_carries(expected):
    async def main():
        inboxes = Inboxes(5)
        box = open_inbox(inboxes)
        outlet = local_outlet(inboxes, 1, expected=expected)
        await outlet.emit(expected // 2)
        while not box.backlog:
            await asyncio.sleep(0)  # for ever, if it waited for the rest
        await outlet.emit(expected - expected // 2)
        await asyncio.gather(outlet.finish(), drain(box))
        assert box.received == expected

    asyncio.run(asyncio.wait_for(main(), 10))


def test_a_producer_is_told_that_it_had_to_wait():
    async def main():
        inboxes = Inboxes(5)
        box = open_inbox(inboxes)
        outlet = local_outlet(inboxes, 1, expected=10**7)
        assert not await outlet.emit(100_000)
        emitting = asyncio.ensure_future(outlet.emit(4 * WINDOW_BYTES))
        draining = asyncio.ensure_future(drain(box))
        assert await emitting
        await asyncio.gather(outlet.finish(), draining)

    asyncio.run(main())


def test_a_producer_cannot_run_ahead_of_a_consumer_that_does_nothing():
    async def main():
        inboxes = Inboxes(5)
        box = open_inbox(inboxes)
        outlet = local_outlet(inboxes, 1)
        emitted = 0

        async def produce():
            nonlocal emitted
            for _ in range(100):
                await outlet.emit(100_000)
                emitted += 100_000
            await outlet.finish()

        producing = asyncio.ensure_future(produce())
        for _ in range(1000):
            await asyncio.sleep(0)
        assert box.backlog <= WINDOW_BYTES + FRAME_BYTES
        assert emitted <= box.backlog + WINDOW_BYTES + 200_000
        assert await drain(box) == 10_000_000
        await producing

    asyncio.run(main())


def test_a_lane_over_a_connection_arrives_and_is_acknowledged():
    async def main():
        a, b = connections()
        inboxes = Inboxes(5)
        box, node = open_inbox(inboxes), Usage()
        receiving = asyncio.ensure_future(receive_lane(b, box, 0, node))
        await frames(a, b"x" * 1000, b"", b"y" * 10, digest=_digest(b"x" * 1000 + b"y" * 10))
        assert await a.receive_exactly(1) == b"+"
        await receiving
        assert box.complete
        assert box.received == node.received_bytes == box.usage.received_bytes == 1010

    asyncio.run(main())


@pytest.mark.parametrize(
    "forge",
    [
        lambda a: frames(a, b"x" * 10, digest=_digest(b"y" * 10)),
        lambda a: frames(a, b"x" * 10, total=11, digest=_digest(b"x" * 10)),
        lambda a: a.send(struct.pack("!I", FRAME_BYTES + 1)),
    ],
)
def test_a_corrupted_partition_is_not_accepted(forge):
    async def main():
        a, b = connections()
        box = open_inbox(Inboxes(5))
        sending = asyncio.ensure_future(forge(a))
        with pytest.raises(TransferError):
            await receive_lane(b, box, 0, Usage())
        await sending
        assert box.failure
        assert not box.complete

    asyncio.run(main())


def test_a_sender_that_goes_silent_fails_the_consumer_with_a_reason():
    async def main():
        a, b = connections(deadline_s=0.1)
        box = open_inbox(Inboxes(5))
        await a.send(struct.pack("!I", 1000), b"x" * 400)
        with pytest.raises(TransferError, match="silent"):
            await receive_lane(b, box, 0, Usage())
        assert "silent" in box.failure

    asyncio.run(main())


@pytest.mark.parametrize("alive", [True, False])
def test_a_sender_waits_for_a_slow_consumer_but_not_for_a_frozen_agent(alive):
    async def main():
        listener = socket.create_server(("127.0.0.2", 0))
        listener.setblocking(False)
        lane = Lane(CONTENT, ("j", "x", 0), 0, 65_536, asyncio.Event())
        lane.push(20_000_000)
        lane.end()
        address = listener.getsockname()
        sending = asyncio.ensure_future(lane.run_remote(Connections(Dialer("127.0.0.3", 0.2, 1)), address, [Usage()]))
        sock, _ = await asyncio.get_running_loop().sock_accept(listener)
        connection, box = Connection(sock, 0.2), open_inbox(Inboxes(5))
        if not alive:
            with pytest.raises(TransferError, match="took nothing"):
                await sending
            return
        await receive_header(connection)
        receiving = asyncio.ensure_future(receive_lane(connection, box, 0, Usage()))
        await asyncio.sleep(1.0)
        assert not sending.done()
        assert box.backlog <= WINDOW_BYTES + FRAME_BYTES
        assert await drain(box) == 20_000_000
        await asyncio.gather(receiving, sending)
        assert lane.parcel.bytes == 20_000_000

    asyncio.run(main())


def test_a_partition_that_comes_twice_fails_the_consumer():
    box = Inbox(2, asyncio.Event(), Usage(), WINDOW_BYTES)
    box.end(0, 5)
    box.end(0, 5)
    assert "twice" in box.failure


def test_a_lane_may_come_before_its_task_but_not_without_it():
    async def main():
        inboxes = Inboxes(0.1)
        finding = asyncio.ensure_future(inboxes.find(("j", "x", 0)))
        await asyncio.sleep(0)
        box = open_inbox(inboxes)
        assert await finding is box
        with pytest.raises(TransferError, match="no task 1"):
            await inboxes.find(("j", "x", 1))

    asyncio.run(main())


def test_a_task_that_ends_early_releases_those_who_wait_to_send():
    async def main():
        inboxes = Inboxes(5)
        open_inbox(inboxes)
        outlet = local_outlet(inboxes, 1)
        producing = asyncio.ensure_future(outlet.emit(10 * WINDOW_BYTES))
        await asyncio.sleep(0.01)
        inboxes.close(("j", "x", 0))
        with pytest.raises(TransferError, match="ended"):
            await producing

    asyncio.run(main())


def test_headers_that_are_not_json_are_refused():
    async def main():
        a, b = connections()
        await send_header(a, {"op": "read"})
        assert await receive_header(b) == {"op": "read"}
        for text in (b"GET / HTTP", b"[1]"):
            await a.send(struct.pack("!H", len(text)), text)
            with pytest.raises(TransferError, match="not a JSON object"):
                await receive_header(b)

    asyncio.run(main())


def _digest(data):
    return xxhash.xxh3_64_intdigest(data)
