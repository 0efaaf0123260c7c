"""Failures that a specification schedules: links that go down and come back, hosts that die."""

from __future__ import annotations

import os
import signal
from collections.abc import Awaitable, Callable, Mapping

from experiments.progress import Say
from experiments.specification import FailureSpec
from topologies.emulation import EmulatedNetwork


async def cause(
    failure: FailureSpec,
    network: EmulatedNetwork,
    agents: Mapping[str, int],
    wait_until_s: Callable[[float], Awaitable[None]],
    say: Say,
) -> None:
    """Let one failure happen when its time has come, and undo it when it is to be undone.

    Args:
        failure: what fails, in modelled seconds.
        network: where.
        agents: process of the agent of each host; a host dies with its agent.
        wait_until_s: waits until a modelled time.
        say: takes the news.
    """
    await wait_until_s(failure.at_s)
    if failure.host is not None:
        say(f"host {failure.host} dies")
        os.kill(agents[failure.host], signal.SIGKILL)
    if failure.link is not None:
        say(f"link {failure.link} fails")
        network.set_link(failure.link, up=False)
        if failure.restore_after_s is not None:
            await wait_until_s(failure.at_s + failure.restore_after_s)
            say(f"link {failure.link} is back")
            network.set_link(failure.link, up=True)
