"""Run the testbed in namespaces of its own, so that the kernel itself takes everything down with it.

`run(main)` calls `main` in a fresh network, process and mount namespace. Switches, links, Open vSwitch and all
processes live in there and cannot outlive it: when the testbed ends, for whatever reason (SIGKILL included), the kernel
kills the processes of the namespace and removes its interfaces. What remains on the machine is a directory under
/run and perhaps a raised sysctl; both are removed by whoever takes the lock next (`clean_up`).

    run ──fork──> init (process 1 of the namespace: passes signals on, reaps) ──fork──> main
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import secrets
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import NoReturn

import psutil

from topologies.emulated import host_settings, programs
from topologies.errors import NetworkError

STATE_DIRECTORY = Path("/run/placement-testbed")

_CLONE_NEWNS = 0x00020000
_CLONE_NEWPID = 0x20000000
_CLONE_NEWNET = 0x40000000
_MS_BIND = 0x1000
_MS_REC_PRIVATE = 0x4000 | 0x40000  # MS_REC | MS_PRIVATE
_PR_SET_PDEATHSIG = 1
_ENVIRONMENT = "PLACEMENT_TESTBED_ISOLATION"
_NAME_SERVERS = Path("/etc/resolv.conf")
_SHOWN = 200  # characters of a command line
_FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_libc = ctypes.CDLL(None, use_errno=True)


class IsolationError(NetworkError):
    """The namespaces cannot be had; the message says why and what to do."""


class BusyError(IsolationError):
    """Another testbed holds this machine's lock."""


@dataclass(frozen=True)
class Isolation:
    """Where this process runs: its run id, its directory under /run, and the machine's own network namespace."""

    run_id: str
    directory: Path
    host_network_fd: int

    @contextlib.contextmanager
    def host_network(self) -> Iterator[None]:
        """The calling thread acts in the machine's own network namespace, e.g. to open a listening socket there."""
        with _network_namespace(self.host_network_fd):
            yield


def current() -> Isolation:
    """The isolation that this process runs in.

    Raises:
        IsolationError: it runs in none.
    """
    document = os.environ.get(_ENVIRONMENT)
    if document is None:
        raise IsolationError(
            "an emulated network is built in namespaces of its own: "
            "start the program with `python -m topologies.emulated.isolation -- PROGRAM ...`"
        )
    run_id, directory, fd = json.loads(document)
    return Isolation(run_id, Path(directory), fd)


@contextlib.contextmanager
def process_network(pid: int) -> Iterator[None]:
    """The calling thread, and what it starts, acts in the network namespace of process `pid`."""
    fd = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        with _network_namespace(fd):
            yield
    finally:
        os.close(fd)


def run(main: Callable[[], int]) -> int:
    """Call `main` in fresh namespaces and return its exit code; 128 + N when signal N ended it.

    SIGINT, SIGTERM and SIGHUP are passed on to `main`, where SIGTERM and SIGHUP raise SystemExit; a second SIGINT
    kills it. Call it before any thread is started.

    Raises:
        BusyError: a testbed is running on this machine.
        IsolationError: not root, or a kernel without these namespaces.
    """
    if os.geteuid() != 0:
        raise IsolationError("an emulated network needs root: start again with sudo")
    STATE_DIRECTORY.mkdir(mode=0o755, parents=True, exist_ok=True)
    with _lock():
        remove_leftovers()
        run_id = secrets.token_hex(4)
        directory = STATE_DIRECTORY / run_id
        directory.mkdir(mode=0o755)
        try:
            host_network_fd = os.open("/proc/self/ns/net", os.O_RDONLY)
            os.set_inheritable(host_network_fd, True)
            return _run_as_init(Isolation(run_id, directory, host_network_fd), main)
        finally:
            remove_leftovers()


def remove_leftovers() -> list[str]:
    """Put back settings and remove directories of runs that ended; returns their run ids. The lock must be held."""
    ended = [path for path in STATE_DIRECTORY.iterdir() if path.is_dir()]
    for directory in ended:
        host_settings.restore(directory)
        shutil.rmtree(directory)
    return [directory.name for directory in ended]


def clean_up() -> list[str]:
    """What a killed testbed left on the machine is removed, and nothing else; returns the run ids.

    Raises:
        BusyError: a testbed is running.
    """
    if not STATE_DIRECTORY.exists():
        return []
    with _lock():
        return remove_leftovers()


@contextlib.contextmanager
def _lock() -> Iterator[None]:
    """One testbed at a time: the kernel holds the lock as long as any process of the run lives, and no longer.

    A testbed that has been killed is waited for: its last processes are about to vanish.
    """
    descriptor = os.open(STATE_DIRECTORY / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, mode=0o600)
    try:
        os.fchmod(descriptor, 0o600)  # who may open it may hold it, and one from before may be open to all
        deadline = time.monotonic() + 2.0
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                living = holder(STATE_DIRECTORY)
                if living or time.monotonic() > deadline:
                    raise BusyError(
                        f"a testbed is already running on this machine ({living or 'its first process has ended'}); "
                        "wait for it or stop it"
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(descriptor)


def holder(state: Path) -> str | None:
    """The living process that took the lock in a state directory, by what the kernel says (proc(5), locks)."""
    try:
        found = (state / "lock").stat()
        locks = Path("/proc/locks").read_text().splitlines()
    except OSError:
        return None
    device = found.st_dev
    file = f"{os.major(device):02x}:{os.minor(device):02x}:{found.st_ino}"
    for fields in map(str.split, locks):
        if fields[1] == "FLOCK" and fields[5] == file and (pid := int(fields[4])) > 0:
            with contextlib.suppress(psutil.Error):
                process = psutil.Process(pid)
                since = time.strftime("%H:%M:%S", time.localtime(process.create_time()))
                command = "".join(letter if letter.isprintable() else "?" for letter in " ".join(process.cmdline()))
                return f"process {pid} since {since}: {command[:_SHOWN]}"
    return None


def _run_as_init(isolation: Isolation, main: Callable[[], int]) -> int:
    own_processes = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
    _call("unshare", _CLONE_NEWPID)
    sys.stdout.flush()
    sys.stderr.flush()
    alive = os.pipe()  # readable for the child as soon as this process is gone
    received: list[int] = []

    def forward(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(init, signal.SIGKILL if received.count(signal.SIGINT) > 1 else number)

    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    init = os.fork()
    if init == 0:
        _exit_with(lambda: _be_init(isolation, main, alive))
    handlers = {number: signal.signal(number, forward) for number in _FORWARDED}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    os.close(alive[0])
    try:
        _call("setns", own_processes, _CLONE_NEWPID)
        os.close(own_processes)
        return _exit_code(os.waitpid(init, 0)[1])
    finally:
        os.close(alive[1])
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _be_init(isolation: Isolation, main: Callable[[], int], alive: tuple[int, int]) -> int:
    """Process 1 of the namespace; when it ends, the kernel kills all others in it."""
    _call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL)
    os.close(alive[1])
    if select.select([alive[0]], [], [], 0)[0]:
        return 1  # the parent died before the line above
    os.setsid()  # the terminal signals `run` only, which passes the signal on once
    _call("unshare", _CLONE_NEWNET | _CLONE_NEWNS)
    _call("mount", b"none", b"/", None, _MS_REC_PRIVATE, None)
    _call("mount", b"proc", b"/proc", b"proc", 0, None)
    _hide_name_servers()
    programs.run(["ip", "link", "set", "lo", "up"])
    document = [isolation.run_id, str(isolation.directory), isolation.host_network_fd]
    os.environ[_ENVIRONMENT] = json.dumps(document)
    child = os.fork()
    if child == 0:
        _exit_with(lambda: _be_main(main))
    for number in _FORWARDED:
        signal.signal(number, lambda number, _frame: os.kill(child, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    while True:
        pid, status = os.wait()
        if pid == child:
            return _exit_code(status)


def _hide_name_servers() -> None:
    """There is none that could answer, but one with an address like a host's would be asked, for many seconds."""
    if _NAME_SERVERS.exists():
        _call("mount", b"/dev/null", os.fsencode(_NAME_SERVERS), None, _MS_BIND, None)


def _be_main(main: Callable[[], int]) -> int:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _raise_exit)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    return main()


def _raise_exit(number: int, _frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)  # once is enough: let the clean-up run undisturbed
    raise SystemExit(128 + number)


def _exit_with(function: Callable[[], int]) -> NoReturn:
    """End a forked process with the function's result, without running the parent's exit handlers."""
    code = 1
    try:
        code = function()
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else 1
        if isinstance(exit_.code, str):
            print(exit_.code, file=sys.stderr)
    except KeyboardInterrupt:
        code = 128 + signal.SIGINT
    except IsolationError as error:
        code = 2
        print(f"error: {error}", file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):  # nobody reads it any more
                stream.flush()
        os._exit(code)


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


@contextlib.contextmanager
def _network_namespace(fd: int) -> Iterator[None]:
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        _call("setns", fd, _CLONE_NEWNET)
        try:
            yield
        finally:
            _call("setns", before, _CLONE_NEWNET)
    finally:
        os.close(before)


def _call(function: str, *arguments: object) -> None:
    if getattr(_libc, function)(*arguments) != 0:
        error = ctypes.get_errno()
        raise IsolationError(
            f"{function}: {os.strerror(error)}; the testbed needs root and a kernel with network, process and mount "
            "namespaces (in a container: a privileged one)"
        )


def _main() -> int:
    command = sys.argv[1:]
    if command[:1] == ["--"]:
        command = command[1:]
    if not command:
        print("usage: python -m topologies.emulated.isolation -- PROGRAM [ARGUMENT ...]", file=sys.stderr)
        return 2

    def become() -> int:
        try:
            os.execvp(command[0], command)
        except OSError as error:
            raise IsolationError(f"{command[0]}: {error.strerror}") from error

    try:
        return run(become)
    except IsolationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(_main())
