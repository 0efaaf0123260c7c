"""Things of somebody else on the same machine that look as much like the testbed's own as they can.

A virtual link named like a switch's port, a network namespace with an Open vSwitch whose bridge and port are named like
a switch's, an iperf3 server, and log files in /tmp: all that Mininet's own clean-up would remove.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.lifecycle.testbed import wait_until

_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
_BRIDGE = "t1"
_PORT = "t1-eth1"


@dataclass(frozen=True)
class Foreign:
    """What must survive."""

    namespace: str
    link: str
    switch: Path
    iperf3: subprocess.Popen[bytes]
    iperf3_port: int
    files: tuple[Path, ...]

    def harm(self) -> list[str]:
        """What happened to it, one line each; empty when it all lives and works."""
        lines = [f"{path} is gone" for path in self.files if not path.exists()]
        if self.iperf3.poll() is not None:
            lines.append("the iperf3 server has ended")
        else:
            client = ["iperf3", "-c", "127.0.0.1", "-p", str(self.iperf3_port), "-n", "1M"]
            lines += _failure(client, "the iperf3 server does not serve")
        lines += _failure(["ip", "-n", self.namespace, "link", "show", _PORT], "no namespace with a link")
        lines += _failure(["ip", "link", "show", self.link], "no virtual link")
        vsctl = ["ovs-vsctl", f"--db=unix:{self.switch}/db.sock", "--timeout=10"]
        bridges = _output([*vsctl, "list-br"]).split()
        if bridges != [_BRIDGE]:
            lines.append(f"bridges are {bridges} instead of {[_BRIDGE]}")
        if _PORT not in _output(["env", f"OVS_RUNDIR={self.switch}", "ovs-appctl", "dpif/show"]):
            lines.append("the bridge has lost its port")
        return lines


@contextlib.contextmanager
def foreign(folder: Path) -> Iterator[Foreign]:
    """Make it all, and remove it at the end; `folder` is for the switch's files.

    Waits while other tests have such things on the machine: their coming and going would look like a testbed's doing.
    """
    token = secrets.token_hex(3)
    link = f"t{secrets.randbelow(9000) + 1000}-eth1"
    with contextlib.ExitStack() as stack:
        directory = os.open(Path(__file__).parent, os.O_RDONLY)
        stack.callback(os.close, directory)
        fcntl.flock(directory, fcntl.LOCK_EX)
        namespace = f"foreign-{token}"
        _run(["ip", "netns", "add", namespace])
        stack.callback(_run, ["ip", "netns", "delete", namespace])
        _run(["ip", "link", "add", link, "type", "veth", "peer", "name", _PORT, "netns", namespace])
        stack.callback(_run, ["ip", "link", "delete", link])
        switch = stack.enter_context(_open_vswitch(folder, namespace))
        files = tuple(Path("/tmp", f"{token}{suffix}") for suffix in (".log", ".out"))
        for path in files:
            path.write_text("somebody else's\n")
            stack.callback(path.unlink, missing_ok=True)
        port = _free_port()
        server = stack.enter_context(
            subprocess.Popen(["iperf3", "-s", "-B", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL)
        )
        stack.callback(server.terminate)
        things = Foreign(namespace, link, switch, server, port, files)
        wait_until(lambda: not things.harm(), "somebody else's things work")
        yield things


@contextlib.contextmanager
def _open_vswitch(folder: Path, namespace: str) -> Iterator[Path]:
    """An Open vSwitch with its files in `folder` and a bridge with a port in a network namespace."""
    variables = {**os.environ, **{f"OVS_{kind}DIR": str(folder) for kind in ("RUN", "LOG", "DB")}}
    daemon = ["--no-chdir", "--detach", "--log-file", "-vconsole:off", "--pidfile"]
    database = folder / "conf.db"
    vsctl = ["ovs-vsctl", f"--db=unix:{folder}/db.sock"]
    with contextlib.ExitStack() as stack:
        _run(["ovsdb-tool", "create", str(database), _SCHEMA])
        _run(["ovsdb-server", *daemon, f"--remote=punix:{folder}/db.sock", str(database)], variables)
        stack.callback(_end, folder / "ovsdb-server.pid")
        _run([*vsctl, "--no-wait", "init"])
        _run(["ip", "netns", "exec", namespace, "ovs-vswitchd", *daemon, f"unix:{folder}/db.sock"], variables)
        stack.callback(_end, folder / "ovs-vswitchd.pid")
        stack.callback(_run, [*vsctl, "--timeout=10", "del-br", _BRIDGE])
        bridge = ["add-br", _BRIDGE, "--", "set", "bridge", _BRIDGE, "datapath_type=netdev"]
        _run([*vsctl, "--timeout=10", *bridge, "--", "add-port", _BRIDGE, _PORT])
        yield folder


def _end(pid_file: Path) -> None:
    os.kill(int(pid_file.read_text()), signal.SIGTERM)
    wait_until(lambda: not pid_file.exists(), f"the end of {pid_file.stem}")


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def _failure(argv: list[str], meaning: str) -> list[str]:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20)
    return [f"{meaning}: {done.stderr.strip()}"] if done.returncode else []


def _output(argv: list[str]) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=20).stdout


def _run(argv: list[str], environment: dict[str, str] | None = None) -> None:
    subprocess.run(argv, check=True, env=environment, timeout=20, stdout=subprocess.DEVNULL)
