"""Serves the API on a socket: at once, and also while somebody opens connections without end."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 512
REQUEST_WITHIN_S = 10.0
IDLE_S = 60
_ACCEPTED_AT_ONCE = 128  # asyncio takes so many before it looks whether they are too many; each is an open file


class _Connection(H11Protocol):
    """A client. When there are too many, the one that has been idle for longest is closed."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        # asyncio sends at once only on sockets that it has made itself; here every answer would wait 40 ms. The
        # listener's own option is not enough: a client may have connected before this process set it.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().connection_made(transport)
        self._active_s = time.monotonic()
        self.loop.call_later(REQUEST_WITHIN_S, self._close_without_request)
        others = [other for other in self.connections if other is not self and not other.transport.is_closing()]
        if len(others) >= MOST_CONNECTIONS:
            idle = [other for other in others if isinstance(other, _Connection) and other._idle]
            min(idle, key=lambda other: other._active_s, default=self).transport.abort()

    def data_received(self, data: bytes) -> None:
        self._active_s = time.monotonic()
        super().data_received(data)

    @property
    def _idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _close_without_request(self) -> None:
        if self.cycle is None:
            self.transport.abort()


def serve(app: FastAPI, listener: socket.socket, failed: Callable[[BaseException], None]) -> None:
    """Serve the API on a listening socket, in a thread of its own; `failed` is called when that thread ends."""
    config = uvicorn.Config(
        app,
        http=_Connection,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_keep_alive=IDLE_S,
        backlog=_ACCEPTED_AT_ONCE,
    )
    server = uvicorn.Server(config)

    def run() -> None:
        try:
            server.run(sockets=[listener])
        except BaseException as error:
            failed(error)
        else:
            failed(RuntimeError("the HTTP server has ended"))

    threading.Thread(target=run, name="northbound", daemon=True).start()
