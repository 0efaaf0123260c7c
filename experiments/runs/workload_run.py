"""One workload on one running network: load the data, submit the jobs when their time comes, gather what happens."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.documents.nofollow import appending
from experiments.records.outcome import Outcome
from experiments.runs import ledgers
from experiments.runs.controller_process import Controller, ControllerError
from experiments.runs.failures import RecordEvent
from experiments.runs.progress import OnProgress
from experiments.runs.tasks import first_failure_or_all, running
from experiments.runs.watching import ready_to_watch
from experiments.runs.workload import Workload
from experiments.specification.resolved_run import ResolvedRun
from topologies.emulated.network import EmulatedNetwork
from topologies.emulated.openvswitch import OpenVSwitch
from workloads.coordination.pool import AgentPool
from workloads.scale import Scale

AGENTS_PORT = 7300
"""The same in every run, as switches choose paths by ports."""
COUNTING_DEADLINE_S = 10.0
"""How long, at most, a run waits for its last bytes to be counted."""


async def run_workload(
    run: ResolvedRun,
    network: EmulatedNetwork,
    controller: Controller,
    scale: Scale,
    log: Path,
    on_progress: OnProgress = lambda _: None,
    ledger: Path | None = None,
    at_most_s: float | None = None,
) -> Outcome:
    """Run all jobs of a run to their end, or for so many wall seconds at most.

    `log` gets what agents have to say, such as with whom a transfer broke off, and `ledger` is the folder for that of
    files that are retained; without it there is only a model of one.

    Raises:
        JobFailedError: a job failed for good.
        PlacementError: data or containers do not fit.
        ControllerError: the controller ended or was stopped.
        OpenVSwitchError: the switches ended or were stopped.
        LedgerError: the ledger ended for good.
    """
    specification = run.specification
    outcome = Outcome(time.time())
    started = time.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        in_turn = stack.enter_context(ThreadPoolExecutor(1))
        chain = stack.enter_context(ledgers.opened(specification, ledger, int(outcome.started_epoch_s)))
        call_chain = functools.partial(asyncio.get_running_loop().run_in_executor, in_turn)
        watch = stack.enter_context(ready_to_watch(network, controller, run.seed, log))
        pool = await stack.enter_async_context(_agents(run, network, scale, started, outcome, log))
        this = Workload(run, pool, scale, outcome, on_progress, chain=chain, call_chain=call_chain)
        on_progress("loading data")
        await this.load(over_network=specification.data.load == "network")
        this.manager.warm_up(run.jobs[0].request)
        outcome.link_readings.append(await asyncio.to_thread(controller.get, "/v1/links"))
        reconnect = functools.partial(network.connect_controller, require_alive=controller.require_alive)
        interval_s = specification.controller.poll_interval_s
        watching = _watch_links(controller, reconnect, interval_s, outcome.link_readings, this.record_event)
        beside = watching, _watch_programs(network.switch, controller), *this.background(_Emulated(network, pool))
        with watch.watching(outcome.watched, tuple(pool.pids.values()), started):
            this.origin_s = pool.clock()
            async with running(beside) as background, running(this.work()) as work:
                done = await first_failure_or_all([*work, *background], work, at_most_s)
                if done:
                    await _until_all_is_counted(interval_s, outcome.link_readings)
        if done:
            await this.finish()
    return outcome


@dataclass(frozen=True)
class _Emulated:
    """Where the failures of an emulated run happen."""

    network: EmulatedNetwork
    pool: AgentPool

    def set_link(self, link_id: str, up: bool) -> None:
        self.network.set_link(link_id, up)

    def kill(self, host: str) -> None:
        os.kill(self.pool.pids[host], signal.SIGKILL)


def _agents(
    run: ResolvedRun, network: EmulatedNetwork, scale: Scale, started: float, outcome: Outcome, log: Path
) -> AgentPool:
    hosts = network.topology.hosts

    def spawn(host: str, argv: Sequence[str], descriptors: Sequence[int]) -> subprocess.Popen[bytes]:
        with appending(log) as log_file:
            return network.popen(host, argv, pass_fds=tuple(descriptors), stdout=log_file, stderr=log_file)

    return AgentPool(
        {host.name: host.ip for host in hosts},
        spawn,
        run.node_models,
        scale,
        run.seed,
        racks={host.name: host.rack for host in hosts},
        started_at=started,
        port=AGENTS_PORT,
        shared=run.specification.network.connections == "engine",
        sink=outcome.kept.append,
    )


async def _watch_links(
    controller: Controller,
    reconnect: Callable[[], None],
    interval_s: float,
    readings: list[Mapping[str, Any]],
    record_event: RecordEvent,
) -> None:
    """Read the links at every interval; a controller that was killed is started again, and some readings are missing.

    Args:
        reconnect: connects the switches to a controller that has been started again.

    Raises:
        ControllerError: it has ended by itself, or does not answer.
        EmulationError: started again, it does not listen in time.
    """
    restarted = False
    while True:
        await asyncio.sleep(interval_s)
        try:
            if restarted:
                await asyncio.to_thread(reconnect)
                await asyncio.to_thread(controller.wait_until_routed)
                record_event("controller_ready")
                restarted = False
            readings.append(await asyncio.to_thread(controller.get, "/v1/links"))
        except ControllerError:
            killed_by = await asyncio.to_thread(controller.restart_if_killed)
            if killed_by is None:
                raise
            record_event("controller_restarted", detail=killed_by.name)
            restarted = True


async def _watch_programs(switch: OpenVSwitch, controller: Controller) -> None:
    """Look every second whether the switches are alive, and the controller has not been stopped.

    A controller that ends is noticed by who asks it next, see `_watch_links`; agents are watched by their pool.

    Raises:
        OpenVSwitchError: they are not.
        ControllerError: it has been.
    """
    while True:
        switch.require_alive()
        controller.require_not_stopped()
        await asyncio.sleep(1.0)


async def _until_all_is_counted(interval_s: float, readings: Sequence[Mapping[str, Any]]) -> None:
    """Wait until the counters of all links have been asked for after now, and the answers are among the readings.

    A controller that does not answer is not waited for longer than `COUNTING_DEADLINE_S`.
    """
    asked_s = time.time() + interval_s  # an answer that comes later is to a question that was put later than now
    deadline = time.monotonic() + COUNTING_DEADLINE_S
    while min((link["time_s"] for link in readings[-1]["links"]), default=0.0) <= asked_s:
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(interval_s / 4)
