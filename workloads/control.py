"""Control messages between the run process and an agent: one JSON object a line over an inherited socketpair."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

Message = dict[str, Any]

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Channel(asyncio.Protocol):
    """One end of a control connection; both ends speak the same way.

    Attributes:
        closed: Done when the other end is gone, with the reason.
    """

    def __init__(self, receive: Callable[[Message], None], lost: Callable[[str], None]) -> None:
        self._receive = receive
        self._lost = lost
        self._partial = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keeps the transport for `send`."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Hands over every complete line."""
        lines = (self._partial + data).split(b"\n") if self._partial else data.split(b"\n")
        self._partial = lines.pop()
        for line in lines:
            self._receive(json.loads(line))

    def connection_lost(self, exc: Exception | None) -> None:
        """Reports the end of the other process."""
        self._transport = None
        self._lost(f"control connection lost: {exc}" if exc else "process ended")

    def send(self, message: Message) -> None:
        """Queues a message; silently dropped when the other end is gone, which `lost` has reported."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(_encode(message).encode() + b"\n")

    def close(self) -> None:
        """Closes this end, after what is queued has been sent."""
        if self._transport is not None:
            self._transport.close()
