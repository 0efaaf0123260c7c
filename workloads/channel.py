"""Control messages over an inherited socketpair: one JSON array a line, the message's name and then its fields.

Values nest as the annotations of `protocol` say. A library for this (msgspec) was measured to take 8 MB in every agent,
whose whole process has 18.
"""

from __future__ import annotations

import asyncio
import functools
import json
import types
import typing
from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

from workloads import protocol
from workloads.protocol import Message

Received = TypeVar("Received", bound=Message)

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def encode(message: Message) -> bytes:
    """A message as a line."""
    return _encode([type(message).__name__, *message]).encode() + b"\n"


def decode(line: bytes) -> Message:
    """The message in a line."""
    name, *values = json.loads(line)
    message: Message = _builder(getattr(protocol, name))(values)
    return message


@functools.cache
def _builder(annotation: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - a class, or what `typing` makes of several
    """Makes a value of a type of what JSON has for it."""
    if hasattr(annotation, "_fields"):
        hints = typing.get_type_hints(annotation)
        builders = [_builder(hints[field]) for field in annotation._fields]
        return lambda values: annotation(*(build(value) for build, value in zip(builders, values, strict=True)))
    inner = [_builder(part) for part in typing.get_args(annotation) if part not in (..., types.NoneType)]
    origin = typing.get_origin(annotation)
    if origin is types.UnionType:
        (build,) = inner
        return lambda value: None if value is None else build(value)
    if origin is dict:
        return lambda value: {key: inner[1](item) for key, item in value.items()}
    if origin is tuple and ... in typing.get_args(annotation):
        return lambda value: tuple(map(inner[0], value))
    if origin is tuple:
        return tuple
    return lambda value: value


class Channel(asyncio.Protocol, Generic[Received]):
    """One end of a control connection; both ends speak the same way.

    Args:
        receive: takes every message.
        lost: takes the reason when the other end is gone.
    """

    def __init__(self, receive: Callable[[Received], None], lost: Callable[[str], None]) -> None:
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
            self._receive(cast("Received", decode(line)))

    def connection_lost(self, exc: Exception | None) -> None:
        """Reports the end of the other process."""
        self._transport = None
        self._lost(f"control connection lost: {exc}" if exc else "process ended")

    def send(self, message: Message) -> None:
        """Queues a message; silently dropped when the other end is gone, which `lost` has reported."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode(message))

    def close(self) -> None:
        """Closes this end, after what is queued has been sent."""
        if self._transport is not None:
            self._transport.close()
