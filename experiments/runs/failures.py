"""Failures that a specification schedules: links that go down and come back, hosts that die."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from experiments.runs.progress import OnProgress
from experiments.specification.model import FailureSpec
from topologies.emulated.network import EmulatedNetwork
from workloads.coordination.events import EventKind


class RecordEvent(Protocol):
    """Takes an event of the kind that happens now."""

    def __call__(self, kind: EventKind, *, host: str | None = None, detail: str | None = None) -> None:
        """Keep it."""


async def cause(
    failure: FailureSpec,
    network: EmulatedNetwork,
    agents: Mapping[str, int],
    wait_until_s: Callable[[float], Awaitable[None]],
    record_event: RecordEvent,
    on_progress: OnProgress,
) -> None:
    """Let one failure happen when its time has come, and undo it when it is to be undone.

    Args:
        failure: what fails, in modelled seconds.
        network: where.
        agents: process of the agent of each host; a host dies with its agent.
        wait_until_s: waits until a modelled time.
        note: takes what happens, for the record.
        say: takes the news.
    """
    await wait_until_s(failure.at_s)
    if failure.host is not None:
        on_progress(f"host {failure.host} dies")
        os.kill(agents[failure.host], signal.SIGKILL)
        record_event("host_failed", host=failure.host)
    if failure.link is not None:
        on_progress(f"link {failure.link} fails")
        network.set_link(failure.link, up=False)
        record_event("link_failed", detail=failure.link)
        if failure.restore_after_s is not None:
            await wait_until_s(failure.at_s + failure.restore_after_s)
            on_progress(f"link {failure.link} is back")
            network.set_link(failure.link, up=True)
            record_event("link_restored", detail=failure.link)
