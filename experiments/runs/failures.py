"""Failures that a specification schedules: links that go down and come back, hosts that die."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from experiments.runs.progress import OnProgress
from experiments.specification.model import FailureSpec, ReplicaSpec
from workloads.coordination.events import EventKind


class RecordEvent(Protocol):
    """Takes an event of the kind that happens now."""

    def __call__(self, kind: EventKind, *, host: str | None = None, detail: str | None = None) -> None:
        """Keep it."""


class Breakable(Protocol):
    """Where things fail."""

    def set_link(self, link_id: str, up: bool) -> None:
        """Take a link down, or bring it back."""

    def kill(self, host: str) -> None:
        """Let a host die, which it does with its agent."""


async def cause(
    failure: FailureSpec,
    breakable: Breakable,
    alter: Callable[[ReplicaSpec], Awaitable[None]],
    wait_until_s: Callable[[float], Awaitable[None]],
    record_event: RecordEvent,
    on_progress: OnProgress,
) -> None:
    """Let one failure happen when its time has come, and undo it when it is to be undone.

    Args:
        failure: what fails, in modelled seconds.
        breakable: where.
        alter: makes a replica another one.
        wait_until_s: waits until a modelled time.
        record_event: takes what happens, for the record.
        on_progress: takes the news.
    """
    await wait_until_s(failure.at_s)
    if failure.host is not None:
        on_progress(f"host {failure.host} dies")
        breakable.kill(failure.host)
        record_event("host_failed", host=failure.host)
    if failure.corrupt is not None:
        on_progress(f"a replica of {failure.corrupt.file} is altered")
        await alter(failure.corrupt)
    if failure.link is not None:
        on_progress(f"link {failure.link} fails")
        breakable.set_link(failure.link, up=False)
        record_event("link_failed", detail=failure.link)
        if failure.restore_after_s is not None:
            await wait_until_s(failure.at_s + failure.restore_after_s)
            on_progress(f"link {failure.link} is back")
            breakable.set_link(failure.link, up=True)
            record_event("link_restored", detail=failure.link)
