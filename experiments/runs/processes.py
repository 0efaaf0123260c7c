"""Work on several cores: a function of many things, each in a process, which ends with this one however that ends."""

from __future__ import annotations

import concurrent.futures
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

from experiments.errors import ExperimentError

T = TypeVar("T")
R = TypeVar("R")


class ProcessesError(ExperimentError):
    """Processes cannot work together here; the message says why and what to do."""


def cores() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def side_by_side(function: Callable[[T], R], things: Sequence[T], processes: int) -> Iterator[tuple[T, Future[R]]]:
    """Each thing as it is done, with what came of it; a process that is killed breaks what has not been done.

    One process is this one.

    Raises:
        ProcessesError: this machine lets processes share nothing.
    """
    if processes == 1:
        yield from ((thing, _done(function, thing)) for thing in things)
        return
    try:
        pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), initializer=_end_with_parent)
    except OSError as error:
        raise ProcessesError(f"no semaphores here (/dev/shm: {error}); mount it, or do with --processes 1") from error
    try:
        futures = {pool.submit(function, thing): thing for thing in things}
        for future in concurrent.futures.as_completed(futures):
            yield futures[future], future
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _done(function: Callable[[T], R], thing: T) -> Future[R]:
    future: Future[R] = Future()
    try:
        future.set_result(function(thing))
    except Exception as error:
        future.set_exception(error)
    return future


def _end_with_parent() -> None:
    """Not by Ctrl-C, which the parent gets as well, but when the parent has ended, however it did."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
