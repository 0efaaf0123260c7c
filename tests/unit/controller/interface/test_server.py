"""Somebody who opens connections without end does not keep others from being answered."""

import asyncio
import contextlib
import http.client
import socket
import time

import psutil
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from controller.interface import server

MOST = 8


def application():
    app = FastAPI()

    @app.get("/ok")
    async def ok():
        return "ok"

    @app.get("/stream")
    async def stream():
        async def ticks():
            while True:
                yield "tick\n"
                await asyncio.sleep(0.05)

        return StreamingResponse(ticks())

    return app


@pytest.fixture
def idle_soon(monkeypatch):
    """Connections are idle for long after a second; to be asked for before `connect`."""
    monkeypatch.setattr(server, "IDLE_S", 1)


@pytest.fixture
def connect(monkeypatch):
    """Opens a connection to a server that takes few of them, and waits for a request for longer than any test."""
    monkeypatch.setattr(server, "MOST_CONNECTIONS", MOST)
    monkeypatch.setattr(server, "REQUEST_WITHIN_S", 60)
    listener = socket.create_server(("127.0.0.1", 0))
    server.serve(application(), listener, lambda _: None)
    with contextlib.ExitStack() as opened:

        def open_one():
            return opened.enter_context(socket.create_connection(listener.getsockname(), timeout=10))

        yield open_one


def ask(connection, path="/ok"):
    """The status of an answer on an open connection, which stays open."""
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    if path == "/ok":
        answer.read()
    return answer.status


def is_closed(connection):
    """Whether the server closes it, within ten seconds."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


def test_who_asks_is_answered_while_others_open_connections_and_say_nothing(connect):
    idle = [connect() for _ in range(20 * MOST)]
    assert ask(connect()) == 200
    assert all(is_closed(connection) for connection in idle[: 19 * MOST])


@pytest.mark.parametrize("begun", [b"", b"GET /ok HTTP/1.1\r\nHost: 127"])
def test_a_connection_without_a_request_is_closed_and_one_with_is_kept(begun, connect, monkeypatch):
    monkeypatch.setattr(server, "REQUEST_WITHIN_S", 0.3)
    silent, used = connect(), connect()
    assert ask(used) == 200
    silent.sendall(begun)
    assert is_closed(silent)
    time.sleep(0.4)  # longer than a connection may take to its first request
    assert ask(used) == 200


def test_a_connection_that_asks_nothing_more_is_closed(idle_soon, connect):
    used = connect()
    assert ask(used) == 200
    assert is_closed(used)


@pytest.mark.parametrize("path", ["/ok", "/stream"])
def test_a_body_without_end_is_not_kept(path, connect):
    asking = connect()
    asking.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000000000\r\n\r\n".encode())
    assert asking.recv(1)
    before = psutil.Process().memory_info().rss
    asking.settimeout(1)
    with contextlib.suppress(TimeoutError, ConnectionError):  # it is not taken any more
        for _ in range(200):
            asking.sendall(bytes(1_000_000))
    assert psutil.Process().memory_info().rss - before < 50_000_000
    assert ask(connect()) == 200


def test_streams_are_not_closed_for_newcomers(connect):
    streams = [connect() for _ in range(MOST)]
    assert [ask(stream, "/stream") for stream in streams] == [200] * MOST
    assert is_closed(connect())
    assert all(stream.recv(1) for stream in streams)
