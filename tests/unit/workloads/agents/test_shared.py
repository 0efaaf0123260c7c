"""Lanes that share a connection, in one process: what arrives, what is refused, and who waits for whom."""

import asyncio
import json
import socket
import struct
from typing import Any

import pytest
import xxhash

from workloads.agents.connection import Connection, TransferError
from workloads.agents.content import Content
from workloads.agents.exchange import Lane
from workloads.agents.inbox import Inbox, Inboxes
from workloads.agents.shared import BUFFER_BYTES, SharedConnection, receive_shared
from workloads.agents.usage import Usage

CONTENT = Content(1)
WINDOW_BYTES = 512 * 1024
OPEN, DATA, END, CREDIT = range(4)


def socket_pair():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        return ours, listener.accept()[0]


class Ends:
    """Two agents of one process with a connection, each lane an exchange of its own."""

    def __init__(self, deadline_s=5.0):
        ours, theirs = socket_pair()
        self.inboxes, self.node = Inboxes(deadline_s), Usage()
        self.raw = Connection(ours, deadline_s)
        self.sender: SharedConnection | None = None
        self.receiving = asyncio.ensure_future(receive_shared(Connection(theirs, deadline_s), self.inboxes, self.node))

    async def get(self, pair, address):
        """The one that lanes are opened on, made for the first: as of `SharedConnections`."""
        if self.sender is None:
            self.sender = SharedConnection(self.raw)
        return self.sender

    def send(self, lane):
        connections: Any = self
        return asyncio.ensure_future(lane.run_shared(connections, (0, 1), ("127.0.0.1", 0), [Usage()]))

    async def close(self):
        if self.sender is not None:
            self.sender.close()
        await self.receiving

    def inbox(self, exchange, sources=1):
        inbox = Inbox(sources, asyncio.Event(), Usage(), WINDOW_BYTES)
        self.inboxes.open(("j", exchange, 0), inbox)
        return inbox

    async def frame(self, lane, kind, payload=b"", length=None):
        await self.raw.send(struct.pack("!IBI", lane, kind, len(payload) if length is None else length), payload)

    async def credit(self):
        """What a lane is granted next, of a sender that speaks for itself."""
        kind = None
        while kind != CREDIT:
            _, kind, length = struct.unpack("!IBI", await self.raw.receive_exactly(9))
        return length

    async def announce(self, lane=0, exchange="x"):
        header = {"job": "j", "exchange": exchange, "from": 0, "to": 0}
        await self.frame(lane, OPEN, json.dumps(header).encode())


def lane_of(exchange, *sizes, source=0):
    lane = Lane(CONTENT, ("j", exchange, 0), source, min(65_536, sum(sizes)), asyncio.Event())
    for size in sizes:
        lane.push(size)
    lane.end()
    return lane


async def drain(inbox):
    while not (inbox.complete and not inbox.backlog):
        inbox.consume(inbox.backlog)
        inbox.changed.clear()
        if not inbox.complete and inbox.failure is None:
            await inbox.changed.wait()
        if inbox.failure is not None:
            raise TransferError(inbox.failure)
    return inbox.received


def run(main):
    asyncio.run(asyncio.wait_for(main(), 30))


def test_all_that_lanes_carry_arrives_and_is_acknowledged():
    async def main():
        ends = Ends()
        sizes = {"a": 3_000_001, "b": 1, "c": 0, "d": 700_000}
        boxes = [ends.inbox(exchange) for exchange in sizes]
        lanes = [lane_of(exchange, size) for exchange, size in sizes.items()]
        received = await asyncio.gather(*map(drain, boxes), *map(ends.send, lanes))
        assert received[: len(boxes)] == list(sizes.values()) == [lane.parcel.bytes for lane in lanes]
        assert ends.node.received_bytes == sum(sizes.values())
        await ends.close()

    run(main)


def test_a_lane_ends_whose_last_bytes_come_while_its_consumer_lags_behind():
    async def main():
        ends = Ends()
        inbox = ends.inbox("x")
        size = WINDOW_BYTES * 3 // 2  # what has been granted when there is no room for more, or a little less
        sending = ends.send(lane_of("x", size))
        while inbox.received < size:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # and the end
        assert await drain(inbox) == size
        await sending
        await ends.close()

    run(main)


def test_a_consumer_that_does_nothing_holds_up_its_own_lane_alone_and_memory_stays_bounded():
    async def main():
        ends = Ends()
        stuck, quick = ends.inbox("stuck"), ends.inbox("quick")
        waiting = ends.send(lane_of("stuck", 10_000_000))
        other = ends.send(lane_of("quick", 5_000_000))
        assert await drain(quick) == 5_000_000
        await other
        assert not waiting.done()
        assert WINDOW_BYTES <= stuck.backlog <= 2 * WINDOW_BYTES
        assert await drain(stuck) == 10_000_000
        await waiting
        await ends.close()

    run(main)


def test_sources_of_one_inbox_have_its_window_among_them():
    async def main():
        ends = Ends()
        inbox = ends.inbox("x", sources=8)
        lanes = [ends.send(lane_of("x", 1_000_000, source=source)) for source in range(8)]
        await asyncio.sleep(0.3)
        assert inbox.backlog <= 2 * WINDOW_BYTES + 8 * BUFFER_BYTES
        assert await drain(inbox) == 8_000_000
        await asyncio.gather(*lanes)
        await ends.close()

    run(main)


def test_a_lane_may_come_before_its_task_and_does_not_hold_the_others_up():
    async def main():
        ends = Ends()
        early, empty = ends.send(lane_of("late", 100_000)), ends.send(lane_of("empty"))
        quick = ends.inbox("quick")
        other = ends.send(lane_of("quick", 1_000_000))
        assert await drain(quick) == 1_000_000
        await other
        assert not early.done()
        assert await drain(ends.inbox("late")) == 100_000
        assert await drain(ends.inbox("empty")) == 0
        await asyncio.gather(early, empty)
        await ends.close()

    run(main)


PAYLOAD = bytes(range(256)) * 4


@pytest.mark.parametrize(
    ("size", "digest", "words"),
    [
        (len(PAYLOAD), 1, "another size or checksum"),
        (len(PAYLOAD) + 1, xxhash.xxh3_64_intdigest(PAYLOAD), "another size or checksum"),
    ],
)
def test_a_corrupted_partition_is_not_accepted(size, digest, words):
    async def main():
        ends = Ends()
        inbox = ends.inbox("x")
        await ends.announce()
        await ends.credit()
        await ends.frame(0, DATA, PAYLOAD)
        await ends.frame(0, END, struct.pack("!QQ", size, digest))
        with pytest.raises(TransferError, match=words):
            await ends.receiving
        assert words in (inbox.failure or "")
        assert not inbox.complete

    run(main)


def test_more_than_was_granted_is_refused():
    async def main():
        ends = Ends()
        inbox = ends.inbox("x")
        await ends.announce()
        await ends.frame(0, DATA, length=await ends.credit() + 1)
        with pytest.raises(TransferError, match="more than was granted"):
            await ends.receiving
        assert inbox.failure

    run(main)


@pytest.mark.parametrize("frame", [(7, DATA, b"x"), (0, END, b"x"), (0, OPEN, b"no header"), (0, OPEN, b"{}")])
def test_what_makes_no_sense_ends_the_connection(frame):
    async def main():
        ends = Ends()
        inbox = ends.inbox("x")
        await ends.announce()
        await ends.credit()
        await ends.frame(*frame)
        with pytest.raises(TransferError):
            await ends.receiving
        assert inbox.failure

    run(main)


def test_a_silent_sender_fails_its_lanes_and_a_silent_receiver_the_sender():
    async def main():
        ends = Ends(deadline_s=0.3)
        inbox = ends.inbox("x")
        await ends.announce()
        with pytest.raises(TransferError, match="silent for"):
            await ends.receiving
        assert "silent" in (inbox.failure or "")
        ours, theirs = socket_pair()
        ends.raw, ends.sender = Connection(ours, 0.3), None
        with pytest.raises(TransferError, match="silent for"):
            await ends.send(lane_of("x", 1000))
        theirs.close()

    run(main)


def test_ends_that_live_wait_for_each_other_as_long_as_it_takes():
    async def main():
        ends = Ends(deadline_s=0.3)
        inbox = ends.inbox("x")
        lane = Lane(CONTENT, ("j", "x", 0), 0, 65_536, asyncio.Event())
        sending = ends.send(lane)
        await asyncio.sleep(1)  # the source computes
        lane.push(10_000_000)
        lane.end()
        await asyncio.sleep(1)  # the consumer computes
        assert await drain(inbox) == 10_000_000
        await sending
        await ends.close()

    run(main)


def test_a_task_that_ends_early_releases_those_who_wait_to_send():
    async def main():
        ends = Ends()
        ends.inbox("x")
        sending = ends.send(lane_of("x", 10_000_000))
        await asyncio.sleep(0.2)
        ends.inboxes.close(("j", "x", 0))
        with pytest.raises(TransferError):
            await sending
        with pytest.raises(TransferError, match="the task has ended"):
            await ends.receiving
        with pytest.raises(TransferError):
            await ends.send(lane_of("y", 10))

    run(main)
