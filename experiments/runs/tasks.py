"""Coroutines that run at the same time, and end together."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def running(coroutines: Iterable[Coroutine[Any, Any, None]]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """A task for each, until the context is left: those that are not done then are cancelled."""
    tasks = [asyncio.create_task(coroutine) for coroutine in coroutines]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def first_failure_or_all(
    watched: Sequence[asyncio.Task[None]], wanted: Sequence[asyncio.Task[None]], at_most_s: float | None = None
) -> bool:
    """Wait until all `wanted` tasks are done, or for so many seconds; returns whether they are.

    The first exception of a `watched` one is raised at once.
    """
    clock = asyncio.get_running_loop().time
    end = math.inf if at_most_s is None else clock() + at_most_s
    pending = set(watched)
    while any(task in pending for task in wanted) and (left := end - clock()) > 0:
        timeout = None if math.isinf(left) else left
        done, pending = await asyncio.wait(pending, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    return not any(task in pending for task in wanted)
