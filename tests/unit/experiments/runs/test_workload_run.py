"""What an emulated run does to its network and agents."""

import asyncio
import signal
import subprocess
from types import SimpleNamespace
from typing import Any

from experiments.runs.failures import cause
from experiments.runs.workload_run import _Emulated
from experiments.specification.model import FailureSpec, ReplicaSpec


def test_a_host_dies_with_its_agent_and_a_link_goes_down_and_up_in_the_network():
    done: list[Any] = []

    async def wait_until_s(time_s):
        done.append(time_s)

    def happen(**failure):
        network: Any = SimpleNamespace(set_link=lambda link, up: done.append((link, up)))
        pool: Any = SimpleNamespace(pids={"h1": agent.pid})
        take = _Emulated(network, pool), alter, wait_until_s, record_event, lambda _: None
        asyncio.run(cause(FailureSpec(**failure), *take))

    async def alter(replica):
        done.append(replica)

    def record_event(kind, host=None, detail=None):
        done.append((kind, host or detail))

    with subprocess.Popen(["sleep", "60"]) as agent:
        happen(at_s=3, host="h1")
        assert agent.wait() == -signal.SIGKILL
    happen(at_s=5, link="a", restore_after_s=4)
    link = [5, ("a", False), ("link_failed", "a"), 9, ("a", True), ("link_restored", "a")]
    happen(at_s=7, corrupt={"file": "/a", "block": 2})
    assert done == [3, ("host_failed", "h1"), *link, 7, ReplicaSpec(file="/a", block=2)]
