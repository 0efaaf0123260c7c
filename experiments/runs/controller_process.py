"""The controller as seen from outside: a process that is started, asked over HTTP and stopped."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx
import psutil

from experiments.documents import nofollow
from experiments.errors import ExperimentError
from topologies.emulated import openvswitch
from topologies.emulated.isolation import Isolation
from topologies.topology import Direction, Topology

READY_TIMEOUT_S = 30.0
CONFINED = (
    *("setpriv", "--no-new-privs", "--clear-groups", "--inh-caps=-all"),
    *("--bounding-set=-all,+dac_read_search", "--"),
)
"""What root starts a program by that takes its powers from it but one: code may lie where only its owner may look."""
_ROOT = Path(__file__).resolve().parents[2]
_POLL_S = 0.05
_ANSWER_S = 10.0
_LOOK_S = 0.5  # how long to wait for an answer before looking whether the process that owes it is alive
_DYING_S = 1.0  # a process that is killed is cut off from its clients a moment before it has ended


class ControllerError(ExperimentError):
    """The controller did not start, did not get ready or ended; the message says what is missing."""


@dataclass(frozen=True)
class Options:
    """How the controller is to run; see `python -m controller --help`."""

    poll_interval_s: float = 0.5
    multipath: str = "ecmp"
    library: str = "os-ken"
    seed: int = 1

    @property
    def arguments(self) -> list[str]:
        """As command-line arguments."""
        return [
            *("--poll-interval", str(self.poll_interval_s)),
            *("--multipath", self.multipath),
            *("--controller-library", self.library),
            *("--seed", str(self.seed)),
        ]

    @property
    def python(self) -> str:
        """The interpreter that has the library.

        Raises:
            ControllerError: it has not been provided.
        """
        if self.library != "ryu":
            return sys.executable
        python = _ROOT / ".venv-ryu" / "bin" / "python"
        if not python.exists():
            raise ControllerError("controller.library ryu: not installed; run `python scripts/provision_ryu.py` once")
        return str(python)


class Controller:
    """A running controller and its northbound API."""

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]], client: httpx.Client, log: Path) -> None:
        self._start = start
        self.process = start()
        self._client = client
        self._log = log

    def get(self, path: str, **parameters: str | int) -> dict[str, Any]:
        """A document of the API.

        Connections that a killed process had not accepted stay open, since the listening socket outlives it: nothing
        but the process itself tells that their answer will not come.

        Raises:
            ControllerError: the process has ended, or it answers with an error, or not within 10 s.
        """
        deadline = time.monotonic() + _ANSWER_S
        while True:
            self.require_alive()
            try:
                answer = self._client.get(path, params=parameters)
                answer.raise_for_status()
            except httpx.HTTPError as error:
                if not isinstance(error, httpx.ReadTimeout) or time.monotonic() > deadline:
                    raise ControllerError(f"controller: {path}: {error}") from error
            else:
                document: dict[str, Any] = answer.json()
                return document

    def path(
        self,
        topology: Topology,
        source: str,
        destination: str,
        source_port: int,
        destination_port: int,
        protocol: Literal["tcp", "udp"] = "tcp",
    ) -> list[tuple[str, Direction]]:
        """Directed links that a flow between two hosts crosses, as the switches hash it.

        Raises:
            ControllerError: the controller cannot tell.
        """
        ports = {"src_port": source_port, "dst_port": destination_port}
        answer = self.get("/v1/paths", src=source, dst=destination, protocol=protocol, **ports)
        if answer["selected"] is None:
            raise ControllerError(f"path from {source} to {destination}: {answer['selected_by']}")
        path: list[tuple[str, Direction]] = []
        node = source
        for name in answer["selected"]["links"]:
            link = topology.link_by_id[name]
            path.append((name, link.direction_from(node)))
            node = link.far(node).node
        return path

    def restart_if_killed(self) -> signal.Signals | None:
        """Start the process again when a signal ended it; the switches' routes outlive it.

        Returns:
            That signal; None when the process is alive.

        Raises:
            ControllerError: it has ended by itself, which is an error of its own.
        """
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=_DYING_S)
        if self.process.returncode is None or self.process.returncode >= 0:
            self.require_alive()
            return None
        killed_by = signal.Signals(-self.process.returncode)
        self.process = self._start()
        return killed_by

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.send_signal(signal.SIGCONT)  # one that has been stopped ends, too
        try:
            self.process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def require_alive(self) -> None:
        """Look whether the process lives.

        Raises:
            ControllerError: it has been stopped, or has ended; the message has its last words.
        """
        self.require_not_stopped()
        if self.process.poll() is not None:
            code, log = self.process.returncode, self._log
            raise ControllerError(f"the controller ended with exit code {code}: {_last_word(log)}; see {log.name}")

    def require_not_stopped(self) -> None:
        """Look whether the process would go on, if it lives.

        Raises:
            ControllerError: it has been stopped by a signal.
        """
        with contextlib.suppress(psutil.NoSuchProcess):
            if psutil.Process(self.process.pid).status() == psutil.STATUS_STOPPED:
                raise ControllerError(
                    f"the controller (process {self.process.pid}) has been stopped by a signal; "
                    "routes and counters are waited for in vain"
                )

    def wait_until_ready(self, timeout_s: float = READY_TIMEOUT_S) -> float:
        """Wait until every planned link is discovered and every route installed; returns the seconds it took.

        Raises:
            ControllerError: not ready in time; the message names the missing switches and links.
        """
        return self._wait(lambda health: health["status"] == "ready", timeout_s)

    def wait_until_routed(self, timeout_s: float = READY_TIMEOUT_S) -> float:
        """Wait until routes are installed over the links there are, all or not; returns the seconds it took.

        Raises:
            ControllerError: not in time; the message names the missing switches and links.
        """
        return self._wait(lambda health: health["routes_installed"], timeout_s)

    def _wait(self, satisfied: Callable[[dict[str, Any]], bool], timeout_s: float) -> float:
        begin = time.monotonic()
        problem = "it does not answer"
        while time.monotonic() - begin < timeout_s:
            try:
                health = self.get("/v1/health")
            except ControllerError:
                self.require_alive()
            else:
                if satisfied(health):
                    return time.monotonic() - begin
                problem = _missing(health)
            time.sleep(_POLL_S)
        raise ControllerError(f"the network was not ready within {timeout_s:g} s: {problem}")


@contextlib.contextmanager
def controller(
    topology: Topology, isolation: Isolation, openflow_port: int, listener: socket.socket, options: Options, log: Path
) -> Iterator[Controller]:
    """Run the controller for an emulated network.

    Args:
        topology: with emulated capacities.
        isolation: where the network lives; the topology is handed over in its directory.
        openflow_port: where the switches connect, in the network namespace of the switches.
        listener: where the API is served; see `listen`.
        options: how it is to run.
        log: file for its log.
    """
    document = isolation.directory / "topology.json"
    document.write_text(topology.to_json())
    argv = [*CONFINED, options.python, "-m", "controller", "--topology", str(document)]
    argv += ["--openflow-port", str(openflow_port), "--http-fd", str(listener.fileno()), *options.arguments]
    variables = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", **openvswitch.environment(isolation)}
    port = listener.getsockname()[1]

    def start() -> subprocess.Popen[bytes]:
        # In the checkout: `-m` looks into the working directory first, and anybody may have put a `controller` there.
        return subprocess.Popen(
            argv,
            cwd=_ROOT,
            env=variables,
            umask=0o077,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[listener.fileno()],
        )

    timeout = httpx.Timeout(_ANSWER_S, read=_LOOK_S)
    with nofollow.appending(log) as output:
        transport = _HostNetworkTransport(isolation)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", transport=transport, timeout=timeout) as client:
            running = Controller(start, client, log)
            try:
                yield running
            finally:
                running.stop()


def listen(isolation: Isolation, port: int = 0) -> socket.socket:
    """A listening socket on the machine's own loopback, where users and tools reach the API; 0 takes a free port.

    Raises:
        ControllerError: the port is taken.
    """
    with isolation.host_network():
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError as error:
            listener.close()
            raise ControllerError(f"port {port}: {error.strerror}; choose another with --http-port") from error
        listener.listen(64)
    return listener


class _HostNetworkTransport(httpx.HTTPTransport):
    """Connects from the machine's own network namespace, where the API listens."""

    def __init__(self, isolation: Isolation) -> None:
        super().__init__()
        self._isolation = isolation

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._isolation.host_network():
            return super().handle_request(request)


def _last_word(log: Path) -> str:
    """What the log says last: the error when it is a trace, else the line as it is."""
    lines = nofollow.read_text(log).splitlines() or ["its log is empty"]
    try:
        trace: str = json.loads(lines[-1])["traceback"]
    except (ValueError, LookupError, TypeError):
        return lines[-1]
    return trace.splitlines()[-1]


def _missing(health: dict[str, Any]) -> str:
    parts = [
        f"{name.replace('_', ' ')}: {', '.join(health[name])}"
        for name in ("missing_switches", "missing_links", "unexpected_links")
        if health.get(name)
    ]
    return "; ".join(parts) or "routes are not installed yet"
