"""TCP between agents: non-blocking sockets with large buffers and a deadline on every wait.

Received payload is checksummed in one scratch buffer and then forgotten, so memory does not grow with the number of
connections; payload to send is a view of the content pool.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Callable, Sequence

from workloads.errors import WorkloadError

Buffer = bytes | memoryview

SCRATCH_BYTES = 1 << 20
_LOW_WATER = 128 * 1024  # wake for this much, not for every segment
_NOT_SENT_LOW_WATER = 25  # TCP_NOTSENT_LOWAT, tcp(7)
_UNSENT_BYTES = 32 * 1024  # in the kernel, before whoever comes next has to wait
_PORT_TAKEN = (errno.EADDRINUSE, errno.EADDRNOTAVAIL)
_SIOCOUTQ = 0x5411  # bytes that the peer has not acknowledged, tcp(7)
SCRATCH = memoryview(bytearray(SCRATCH_BYTES))
"""Where payload lands; whoever fills it uses it before the next `await`."""


class TransferError(WorkloadError):
    """A transfer that cannot complete; the message says why and with whom."""


class PortTakenError(TransferError):
    """The own port is in use, or was until a moment ago."""


class Connection:
    """A connected stream socket for use by one coroutine at a time in each direction."""

    def __init__(self, sock: socket.socket, deadline_s: float, peer: str = "peer") -> None:
        sock.setblocking(False)
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self.peer = peer
        self.deadline_s = deadline_s
        self._loop = asyncio.get_running_loop()
        self._low_water = 1
        self._signs = True

    @classmethod
    async def open(cls, source: tuple[str, int], address: tuple[str, int], deadline_s: float) -> Connection:
        """Connects from an address of this host; port 0 lets the kernel choose.

        Raises:
            PortTakenError: another connection between the two addresses has the port.
            TransferError: refused, unreachable, or no answer within the deadline.
        """
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections to other addresses may have the port
        connection = cls(sock, deadline_s, address[0])
        try:
            error = _bind(sock, source) or sock.connect_ex(address)
            if error in _PORT_TAKEN:
                raise PortTakenError(f"connecting to {address[0]} from port {source[1]}: {os.strerror(error)}")
            if error == errno.EINPROGRESS:
                await connection._writable(f"connecting to {address[0]}")
                error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                raise TransferError(f"connecting to {address[0]}: {os.strerror(error)}")
        except BaseException:
            connection.close()
            raise
        return connection

    @property
    def ports(self) -> tuple[int, int]:
        """Own and other port, which tell the flow apart on the network."""
        return self._sock.getsockname()[1], self._sock.getpeername()[1]

    def share(self) -> None:
        """From now on several take turns to send, each a little, and what the peer says is never dropped."""
        self._signs = False
        if self._sock.family == socket.AF_INET:
            self._sock.setsockopt(socket.IPPROTO_TCP, _NOT_SENT_LOW_WATER, _UNSENT_BYTES)

    def shut(self) -> None:
        """Ends the conversation in both directions, which whoever waits for it notices."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Closes the socket; a second time does nothing."""
        self._sock.close()

    async def send(self, *buffers: Buffer) -> None:
        """Sends all of the buffers.

        A peer that cannot take more for good reasons may send single bytes as signs of life, which are dropped here.

        Raises:
            TransferError: the peer closed, or took nothing and gave no sign of life for the deadline.
        """
        pending: Sequence[Buffer] = [buffer for buffer in buffers if len(buffer)]
        while pending:
            try:
                sent = self._sock.sendmsg(pending)
            except BlockingIOError:
                await self._writable("sending")
                continue
            except OSError as error:
                raise TransferError(f"sending to {self.peer}: {error.strerror or error}") from error
            pending = _without(pending, sent)

    async def more(self) -> bool:
        """Waits, as long as it takes, for the peer to say something; returns whether it did and did not just close."""
        while True:
            try:
                return bool(self._sock.recv(1, socket.MSG_PEEK))
            except BlockingIOError:
                self._set_low_water(1)
                await self._readable(deadline=False)
            except OSError:
                return False

    async def receive_exactly(self, size: int) -> bytes:
        """The next `size` bytes, for headers.

        Raises:
            TransferError: the peer closed, or sent nothing for the deadline.
        """
        data = bytearray(size)
        done = 0
        while done < size:
            done += await self._receive_into(memoryview(data)[done:], 1)
        return bytes(data)

    async def receive_payload(self, size: int, consume: Callable[[memoryview], object]) -> None:
        """Receives `size` bytes and gives each piece to `consume`, which must not keep it.

        Raises:
            TransferError: the peer closed, or sent nothing for the deadline.
        """
        while size:
            got = await self._receive_into(SCRATCH[: min(size, SCRATCH_BYTES)], min(size, _LOW_WATER))
            consume(SCRATCH[:got])
            size -= got

    async def _receive_into(self, view: memoryview, low_water: int) -> int:
        while True:
            try:
                got = self._sock.recv_into(view)
            except BlockingIOError:
                self._set_low_water(low_water)
                await self._readable()
                continue
            except OSError as error:
                raise TransferError(f"receiving from {self.peer}: {error.strerror or error}") from error
            if not got:
                raise TransferError(f"receiving from {self.peer}: closed before the end")
            return got

    def _set_low_water(self, size: int) -> None:
        if size != self._low_water:
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
            self._low_water = size

    async def _readable(self, deadline: bool = True) -> None:
        woken: asyncio.Future[bool] = self._loop.create_future()
        descriptor = self._sock.fileno()
        self._loop.add_reader(descriptor, _wake, woken)
        timer = self._loop.call_later(self.deadline_s, _give_up, woken) if deadline else None
        try:
            # Below the low-water mark some bytes may wait without a wake-up: that is progress, too.
            if not await woken and not self._bytes_waiting():
                raise TransferError(f"receiving from {self.peer}: silent for {self.deadline_s:g} s")
        finally:
            if timer is not None:
                timer.cancel()
            self._loop.remove_reader(descriptor)

    def _bytes_waiting(self) -> bool:
        try:
            return bool(self._sock.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False

    def _signs_of_life(self) -> bool:
        if not self._signs:
            return False
        try:
            return bool(self._sock.recv(4096))
        except OSError:
            return False

    async def _writable(self, doing: str) -> None:
        woken: asyncio.Future[bool] = self._loop.create_future()
        descriptor = self._sock.fileno()
        waiting = self._unacknowledged()
        self._loop.add_writer(descriptor, _wake, woken)
        timer = self._loop.call_later(self.deadline_s, _give_up, woken)
        try:
            # A socket counts as writable when a third of its buffer is free, which takes long on a slow connection.
            if not await woken and not self._signs_of_life() and self._unacknowledged() == waiting:
                raise TransferError(f"{doing}: {self.peer} took nothing for {self.deadline_s:g} s")
        finally:
            timer.cancel()
            self._loop.remove_writer(descriptor)

    def _unacknowledged(self) -> int:
        (size,) = struct.unpack("i", fcntl.ioctl(self._sock, _SIOCOUTQ, bytes(4)))
        return int(size)


def _bind(sock: socket.socket, source: tuple[str, int]) -> int:
    """Binds; the error's number, 0 if there is none."""
    try:
        sock.bind(source)
    except OSError as error:
        return error.errno or errno.EADDRINUSE
    return 0


def listen(ip: str, port: int) -> socket.socket:
    """A listening socket; port 0 lets the kernel choose."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((ip, port))
    sock.listen(1024)
    sock.setblocking(False)
    return sock


def _wake(woken: asyncio.Future[bool]) -> None:
    if not woken.done():
        woken.set_result(True)


def _give_up(woken: asyncio.Future[bool]) -> None:
    if not woken.done():
        woken.set_result(False)


def _without(buffers: Sequence[Buffer], sent: int) -> list[Buffer]:
    """What is left of `buffers` after `sent` bytes."""
    left: list[Buffer] = []
    for buffer in buffers:
        if sent >= len(buffer):
            sent -= len(buffer)
        else:
            left.append(memoryview(buffer)[sent:])
            sent = 0
    return left
