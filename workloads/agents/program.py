"""The process on an emulated host: `python -m workloads.agents.program --host h1 --ip 10.0.0.1 --control-fd 7`.

It becomes unprivileged before it opens a socket, and ends with the process that started it.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import itertools
import os
import resource
import signal
import socket
import sys

_NOBODY = 65534
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38  # prctl(2)


def become_unprivileged() -> None:
    """Takes all descriptors that are allowed, gives up root and every way back, and asks to be killed with the parent.

    The last has to come last: setuid clears it.

    Raises:
        OSError: the kernel does not let it.
    """
    parent = os.getppid()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection for each pair of tasks
    os.umask(0o077)
    if os.geteuid() == 0:
        _empty_bounding_set()
        os.setgroups([])
        os.setgid(_NOBODY)
        os.setuid(_NOBODY)
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the parent process is gone")


def _empty_bounding_set() -> None:
    """Takes all capabilities from whatever this process may start; see capabilities(7)."""
    for capability in itertools.count():
        try:
            _prctl(_PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno != errno.EINVAL or capability == 0:
                raise
            return  # the one before was the kernel's last


def _prctl(option: int, argument: int) -> None:
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = [ctypes.c_int, *[ctypes.c_ulong] * 4]
    if prctl(option, argument, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl {option}: {os.strerror(error)}")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description="agent on an emulated host; started by the testbed")
    parser.add_argument("--host", required=True)
    parser.add_argument("--ip", required=True)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-fd", type=int, required=True)
    arguments = parser.parse_args()
    sys.modules["ssl"] = None  # type: ignore[assignment]  # asyncio does without it, which saves 4 MB a host
    # Imported while the files can be read: they may lie where only root may look.
    import asyncio

    from workloads.agents.node import serve

    become_unprivileged()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of the terminal; the pool ends its agents itself
    control = socket.socket(fileno=arguments.control_fd)
    asyncio.run(serve(arguments.host, arguments.ip, arguments.port, control))


if __name__ == "__main__":
    main()
