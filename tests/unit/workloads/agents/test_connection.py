import array
import asyncio
import fcntl
import socket
import termios

import pytest

from tests.unit.workloads import virtual_time
from workloads.agents.connection import Connection, TransferError, listen

ADDRESS = "127.0.0.2"


def pair(deadline_s=5.0, buffer_bytes=None):
    """Two connected sockets, the first wrapped."""
    ours, theirs = socket.socketpair()
    if buffer_bytes:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer_bytes)
    return Connection(ours, deadline_s), theirs


def waiting_bytes(sock):
    """How much has arrived and was not read yet."""
    size = array.array("i", [0])
    fcntl.ioctl(sock, termios.FIONREAD, size)
    return size[0]


async def accepted(listener):
    listener.setblocking(False)
    sock, _ = await asyncio.get_running_loop().sock_accept(listener)
    return sock


def test_what_is_sent_arrives_unchanged_over_tcp():
    async def main():
        listener = listen(ADDRESS, 0)
        sender = await Connection.open(("127.0.0.3", 0), listener.getsockname(), 5)
        receiver = Connection(await accepted(listener), 5)
        data, got = bytes(range(256)) * 20_000, bytearray()
        sending = asyncio.ensure_future(sender.send(b"head", memoryview(data), b"tail"))
        assert await receiver.receive_exactly(4) == b"head"
        await receiver.receive_payload(len(data), got.extend)
        assert await receiver.receive_exactly(4) == b"tail"
        await sending
        assert got == data
        assert sender.ports == receiver.ports[::-1]
        for closable in (sender, receiver, listener):
            closable.close()

    asyncio.run(main())


def test_a_silent_peer_fails_the_transfer_after_the_deadline():
    async def main():
        connection, _theirs = pair(deadline_s=0.1)
        with pytest.raises(TransferError, match=r"silent for 0\.1 s"):
            await connection.receive_exactly(1)
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) == pytest.approx(0.1)


def test_a_slow_peer_below_the_low_water_mark_is_not_taken_for_silent():
    async def main():
        listener = listen(ADDRESS, 0)
        sender = await Connection.open(("127.0.0.3", 0), listener.getsockname(), 5)
        sock = await accepted(listener)
        receiver = Connection(sock, 0.2)

        async def trickle():
            for _ in range(12):
                await sender.send(b"x" * 10)
                while not waiting_bytes(sock):
                    pass  # no time goes by until it has arrived
                await asyncio.sleep(0.05)

        sending = asyncio.ensure_future(trickle())
        got = bytearray()
        await receiver.receive_payload(120, got.extend)
        await sending
        assert len(got) == 120

    virtual_time.run(main())


def test_a_peer_that_takes_nothing_fails_the_transfer_after_the_deadline():
    async def main():
        connection, _theirs = pair(deadline_s=0.1, buffer_bytes=4096)
        with pytest.raises(TransferError, match="took nothing"):
            await connection.send(bytes(10_000_000))

    virtual_time.run(main())


def test_a_peer_that_frees_the_send_buffer_slowly_is_not_taken_for_one_that_takes_nothing():
    async def main():
        connection, theirs = pair(deadline_s=0.2, buffer_bytes=400_000)
        theirs.setblocking(False)
        size, taken = 2_000_000, 0
        sending = asyncio.ensure_future(connection.send(bytes(size)))
        loop = asyncio.get_running_loop()
        while taken < size:
            await asyncio.sleep(0.05)
            taken += len(theirs.recv(20_000 if loop.time() < 1 else size))
        await sending

    virtual_time.run(main())


def test_a_peer_that_closes_early_fails_the_transfer():
    async def main():
        connection, theirs = pair()
        theirs.send(b"half")
        theirs.close()
        with pytest.raises(TransferError, match="closed before the end"):
            await connection.receive_exactly(8)

    asyncio.run(main())


def test_a_refused_connection_says_so():
    async def main():
        listener = listen(ADDRESS, 0)
        address = listener.getsockname()
        listener.close()
        with pytest.raises(TransferError, match="refused"):
            await Connection.open(("127.0.0.3", 0), address, 5)

    asyncio.run(main())
