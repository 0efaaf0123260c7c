"""A testbed as a process to be killed, and a search for what it left on the machine."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from topologies.emulated import isolation
from topologies.emulated.isolation import STATE_DIRECTORY

ISOLATED = (sys.executable, "-m", "topologies.emulated.isolation", "--")
SETTINGS = Path("/proc/sys/net")

_CHANGING = re.compile(r"_count$|nf_log|flush$|/(conf|neigh)/(?!all/|default/)")  # by itself, or with an interface
_SUSPECT = re.compile(r"^(mn|mininet|ovs|vconn|vlogs|iperf3?\.|placement-testbed)")
_TOKEN = "LIFECYCLE_TEST"  # in the environment of a testbed and so of every process that it starts


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = 10.0) -> None:
    """Wait for a condition.

    Raises:
        TimeoutError: it does not come in time.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.005)


@contextlib.contextmanager
def nobody_else(timeout_s: float = 300.0) -> Iterator[None]:
    """No testbed runs meanwhile; waits for the end of one that does."""
    STATE_DIRECTORY.mkdir(exist_ok=True)
    with (STATE_DIRECTORY / "lock").open("a") as file:

        def free() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        wait_until(free, "the end of the running testbed", timeout_s)
        yield


def settings() -> dict[str, str]:
    """All network sysctls of the machine that keep their values by themselves."""
    found = {}
    for folder, _, names in os.walk(SETTINGS):
        for name in names:
            path = Path(folder, name)
            if not _CHANGING.search(str(path)):
                with contextlib.suppress(OSError, UnicodeDecodeError):
                    found[str(path.relative_to(SETTINGS)).replace("/", ".")] = path.read_text().strip()
    return found


@dataclass(frozen=True)
class Machine:
    """What of the machine a testbed could have changed for good."""

    links: frozenset[str]
    qdiscs: frozenset[str]
    named_namespaces: frozenset[str]
    mounts: frozenset[str]
    settings: Mapping[str, str]
    temporary_files: frozenset[str]

    @classmethod
    def now(cls) -> Machine:
        """The machine as it is."""
        links = json.loads(subprocess.check_output(["ip", "-j", "link"]))
        qdiscs = json.loads(subprocess.check_output(["tc", "-j", "qdisc", "show"]) or "[]")
        namespaces = subprocess.check_output(["ip", "netns", "list"], text=True).splitlines()
        return cls(
            frozenset(f"{link['ifindex']} {link['ifname']}" for link in links),
            frozenset(f"{qdisc['dev']} {qdisc['kind']} {qdisc['handle']}" for qdisc in qdiscs),
            frozenset(line.split()[0] for line in namespaces),
            frozenset(Path("/proc/self/mounts").read_text().splitlines()),
            settings(),
            frozenset(path.name for path in Path("/tmp").iterdir() if _SUSPECT.match(path.name)),
        )

    def differences(self, before: Machine) -> list[str]:
        """What is other than it was, one line each."""
        lines = []
        for name in ("links", "qdiscs", "named_namespaces", "mounts", "temporary_files"):
            was, is_now = getattr(before, name), getattr(self, name)
            lines += [f"{name}: {item} came" for item in sorted(is_now - was)]
            lines += [f"{name}: {item} went" for item in sorted(was - is_now)]
        lines += [
            f"settings: {name} is {self.settings.get(name)!r} instead of {value!r}"
            for name, value in before.settings.items()
            if self.settings.get(name) != value
        ]
        return lines


@dataclass
class Testbed:
    """A started testbed; `stages` are the lines that its program printed."""

    __test__ = False

    process: subprocess.Popen[str]
    token: str
    errors: Path
    directories: set[Path] = field(default_factory=set)
    port: int | None = None
    stages: list[str] = field(default_factory=list)

    def read(self, until: str | None = None) -> None:
        """Read what the program printed: up to a stage, or up to its end."""
        for line in self.process.stdout:
            if line.startswith("{"):
                self.port = json.loads(line)["port"]
            self.stages.append("started" if line.startswith("{") else line.strip())
            if self.stages[-1] == until:
                return
        if until:
            raise RuntimeError(f"the testbed ended before {until!r}: {self.errors.read_text()[-2000:]}")

    def kill(self, number: int) -> int:
        """Send a signal, wait for the end and return the exit code."""
        if _holds_lock(self.process.pid):
            self.directories |= {path for path in STATE_DIRECTORY.iterdir() if path.is_dir()}
        self.process.send_signal(number)
        code = self.process.wait(timeout=20)
        self.read()
        self.process.stdout.close()
        return code

    def remains(self) -> list[str]:
        """Processes of the testbed and sockets of its own on the machine that are still there."""
        mark = f"{_TOKEN}={self.token}".encode()
        lines = [
            f"process {pid}: {_content(pid, 'cmdline')!r}" for pid in _processes() if mark in _content(pid, "environ")
        ]
        if self.port is not None:
            tables = Path("/proc/net/tcp").read_text().splitlines()[1:]
            ends = [line.split()[1:4] for line in tables]
            lines += [
                f"socket: {own} listens"
                for own, _, state in ends
                if own.endswith(f":{self.port:04X}") and state == "0A"
            ]
        return lines

    def files(self) -> list[str]:
        """Its directories that are still there."""
        return [f"file {path}" for path in self.directories if path.exists()]


@contextlib.contextmanager
def started(folder: Path) -> Iterator[Testbed]:
    """A testbed whose program is `running_network`, from when it holds the lock; killed at the end if it still runs.

    Args:
        folder: for what it prints on its standard error, and its temporary files.
    """
    temporary = folder / "temporary"
    temporary.mkdir()
    testbed = _start(folder / "errors.txt", temporary)
    try:
        yield testbed
    finally:
        if testbed.process.poll() is None:
            testbed.kill(signal.SIGKILL)
    left = [path.name for path in temporary.iterdir()]
    if left:
        raise AssertionError(f"temporary files were left: {left}")


def _start(errors: Path, temporary: Path) -> Testbed:
    """Start until nobody else was faster."""
    while True:
        token = secrets.token_hex(8)
        with nobody_else(), errors.open("w") as output:
            process = subprocess.Popen(
                [*ISOLATED, sys.executable, "-m", "tests.lifecycle.running_network"],
                stdout=subprocess.PIPE,
                stderr=output,
                text=True,
                env={**os.environ, "TMPDIR": str(temporary), _TOKEN: token},
            )
        try:
            wait_until(lambda: process.poll() is not None or _holds_lock(process.pid), "the lock")  # noqa: B023
        except TimeoutError:
            process.kill()
            raise
        if process.returncode is None:
            return Testbed(process, token, errors)
        process.stdout.close()
        if "already running" not in errors.read_text():
            raise RuntimeError(f"the testbed did not start: {errors.read_text()[-2000:]}")


def _holds_lock(pid: int) -> bool:
    return (isolation.holder(STATE_DIRECTORY) or "").startswith(f"process {pid} ")


def next_start() -> None:
    """Start a testbed that does nothing; waits while somebody else's runs."""
    while True:
        with nobody_else():
            pass
        done = subprocess.run([*ISOLATED, "true"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if "already running" not in done.stderr:
            raise RuntimeError(f"the next start failed: {done.stderr}")


def clean_up(testbed: Testbed, timeout_s: float = 300.0) -> None:
    """What `run_testbed.py clean` does; waits while somebody else's testbed runs.

    Raises:
        BusyError: the given testbed, which was killed, still runs.
    """

    def cleaned() -> bool:
        try:
            isolation.clean_up()
        except isolation.BusyError as error:
            if f"process {testbed.process.pid} " in str(error):
                raise
            return False
        return True

    wait_until(cleaned, "the end of somebody else's testbed", timeout_s)


def leftovers(testbed: Testbed, before: Machine, timeout_s: float = 10.0) -> list[str]:
    """What is left of a testbed that has been killed and cleaned up after; the kernel is given a moment."""
    deadline = time.monotonic() + timeout_s
    while True:
        lines = [*testbed.remains(), *testbed.files(), *Machine.now().differences(before)]
        if not lines or time.monotonic() > deadline:
            return lines
        time.sleep(0.05)


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _content(pid: int, name: str) -> bytes:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes()
    except OSError:
        return b""
