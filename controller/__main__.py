"""`python -m controller`: options, and the wiring of the parts."""

from __future__ import annotations

import argparse
import logging
import os
import resource
import secrets
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

from controller import openflow
from controller.core import Core
from controller.elephants import DatapathFlows
from controller.interface import northbound, server
from controller.journal import Journal, log_to_stderr
from controller.messages import Switchboard
from controller.paths import PathFinder
from controller.queues import queue_drops
from topologies.topology import Topology

RYU_ENVIRONMENT = Path(__file__).resolve().parent.parent / ".venv-ryu"

_ENOUGH_FILES = 16_384
_MOST_BYTES = 256 * 2**20

_LOG = logging.getLogger("controller")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        fail(message)


def fail(message: str) -> NoReturn:
    """End with exit code 2 and one line that says what is wrong."""
    print(f"controller: {' '.join(message.split())}", file=sys.stderr)
    raise SystemExit(2)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m controller", description="SDN controller of an emulated network.")
    parser.add_argument("--topology", type=Path, required=True, metavar="FILE", help="the plan, as JSON")
    parser.add_argument("--openflow-port", type=_port, default=6653, help="where switches connect, on 127.0.0.1")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--http-fd", type=int, metavar="FD", help="inherited listening socket for the API")
    where.add_argument("--http-port", type=_port, default=8181, help="port for the API")
    parser.add_argument(
        "--http-host", default="127.0.0.1", help="address for the API; others than loopback need a token"
    )
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="file with the token that requests must carry")
    parser.add_argument("--poll-interval", type=_interval, default=0.5, metavar="S", help="between counter readings")
    parser.add_argument("--seed", type=int, default=0, help="perturbs every switch's flow hash")
    parser.add_argument(
        "--multipath", choices=("ecmp", "least-loaded"), default="ecmp", help="how flows spread over parallel paths"
    )
    parser.add_argument("--controller-library", choices=("os-ken", "ryu"), default="os-ken", help="OpenFlow library")
    parser.add_argument("--log-level", choices=("debug", "info", "warning", "error"), default="info")
    return parser


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text}: give a port from 0 to 65535")
    return number


def _interval(text: str) -> float:
    seconds = float(text)
    if not openflow.TICK_S <= seconds <= 60:
        raise argparse.ArgumentTypeError(f"{text}: give {openflow.TICK_S} to 60 seconds")
    return seconds


def _start_again_with_ryu(arguments: list[str]) -> NoReturn:
    python = RYU_ENVIRONMENT / "bin/python"
    if not python.exists():
        fail("--controller-library ryu: Ryu is not installed; run `python3 scripts/provision_ryu.py`")
    environment = {**os.environ, "PYTHONPATH": str(RYU_ENVIRONMENT.parent), "PYTHONWARNINGS": "ignore"}
    os.execve(python, [str(python), "-m", "controller", *arguments], environment)


def _read_topology(path: Path) -> Topology:
    try:
        return Topology.from_json(_text("--topology", path))
    except ValueError as error:
        fail(f"--topology {path}: {error}")


def _text(option: str, path: Path) -> str:
    try:
        if not path.is_file() or path.stat().st_size > _MOST_BYTES:
            fail(f"{option} {path}: no regular file of at most {_MOST_BYTES // 2**20} MiB; give another")
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        fail(f"{option} {path}: {error}")


def _listener(options: argparse.Namespace) -> socket.socket:
    try:
        if options.http_fd is not None:
            listener = socket.socket(fileno=options.http_fd)
        else:
            listener = socket.create_server((options.http_host, options.http_port))
        host = listener.getsockname()[0]
    except (OSError, OverflowError, ValueError) as error:
        fail(f"the API has nowhere to listen: {error}; give --http-fd or a free --http-port")
    if not (host.startswith("127.") or host == "::1") and options.token_file is None:
        fail(f"--http-host {host}: not a loopback address; give --token-file too")
    return listener


def _token(path: Path | None) -> str | None:
    if path is None:
        return None
    token = _text("--token-file", path).strip()
    if len(token) < 16:
        fail(f"--token-file {path}: a token has at least 16 characters")
    return token


def _raise_limit_of_files() -> None:
    """Every connection is an open file; the usual 1,024 are little beside many switches."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = _ENOUGH_FILES if most == resource.RLIM_INFINITY else min(most, _ENOUGH_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (enough, most))


def _end(code: int) -> NoReturn:
    """End now: threads that wait for the network must not hold the process."""
    logging.shutdown()
    os._exit(code)


def _end_on_signal() -> None:
    """End with exit code 0 on SIGTERM and SIGINT.

    The main thread sits in a wait that a signal does not always interrupt, so Python's own handlers may never run. What
    surely happens is that the signal's number is written to the wake-up descriptor, which a thread reads.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: None)

    def wait() -> None:
        received = os.read(reading, 1)[0]
        _LOG.info("stopped", extra={"fields": {"signal": signal.Signals(received).name}})
        _end(0)

    threading.Thread(target=wait, name="signals", daemon=True).start()


def _api_failed(error: BaseException) -> None:
    _LOG.critical("northbound_failed", exc_info=error)
    _end(1)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the controller until a signal ends it."""
    options = _parser().parse_args(arguments)
    if options.controller_library == "ryu" and Path(sys.prefix) != RYU_ENVIRONMENT:
        _start_again_with_ryu(sys.argv[1:] if arguments is None else arguments)
    topology = _read_topology(options.topology)
    token = _token(options.token_file)
    listener = _listener(options)
    log_to_stderr(options.log_level)
    _raise_limit_of_files()
    _end_on_signal()
    journal = Journal()
    switchboard = Switchboard(generation=int(time.time()))
    try:
        flows = DatapathFlows() if options.multipath == "least-loaded" else None
        core = Core(topology, switchboard, journal, options.seed, secrets.token_bytes(8), queue_drops, flows)
    except ValueError as error:
        fail(f"--topology {options.topology}: {error}")
    sources = northbound.Sources(core, journal, PathFinder(topology), token)
    server.serve(northbound.application(sources), listener, _api_failed)
    journal.record("started", topology=topology.name, openflow_port=options.openflow_port, seed=options.seed)
    openflow.serve(options.controller_library, options.openflow_port, core, switchboard, options.poll_interval)
    _LOG.critical("not_listening", extra={"fields": {"openflow_port": options.openflow_port}})
    _end(1)


if __name__ == "__main__":
    main()
