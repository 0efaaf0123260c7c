"""One run by the twin: nothing is emulated, and it takes no root."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np

from experiments.records.link_reading import LinkReading
from experiments.records.outcome import Outcome
from experiments.runs import ledgers
from experiments.runs.progress import OnProgress
from experiments.runs.tasks import first_failure_or_all, running
from experiments.runs.workload import Workload
from experiments.specification.resolved_run import ResolvedRun
from retention.timeline import Chain
from topologies.topology import Topology
from twin import event_loop
from twin.clock import Clock
from twin.pool import SimulatedPool, Tcp
from workloads.scale import Scale

T = TypeVar("T")


def simulate(
    run: ResolvedRun,
    scale: Scale,
    on_progress: OnProgress = lambda _: None,
    tcp: Tcp | None = None,
    draw: int = 0,
    ledger: Path | None = None,
) -> Outcome:
    """Run all jobs of a run to their end, in virtual time.

    Args:
        run: the run.
        scale: the divisors.
        on_progress: takes news.
        tcp: what it does at full links; as in the modelled cluster where nothing is said.
        draw: of the ways that connections take, all else being the same.
        ledger: folder for that of files that are retained; without it there is only a model of one.

    Raises:
        JobFailedError: a job failed for good.
        PlacementError: data or containers do not fit.
    """
    clock = Clock()
    with without_garbage_collection():
        tcp = tcp or Tcp.of_cluster(run.specification.network.constants(Scale()), scale)
        outcome = Outcome(time.time())
        shared = run.specification.network.connections == "engine"
        pool = SimulatedPool(clock, run.topology, run.node_models, scale, run.seed, tcp, draw, shared)
        with ledgers.opened(run.specification, ledger, int(outcome.started_epoch_s)) as chain:
            event_loop.run(clock, _simulate(run, scale, pool, outcome, on_progress, chain))
    return outcome


async def _simulate(
    run: ResolvedRun,
    scale: Scale,
    pool: SimulatedPool,
    outcome: Outcome,
    on_progress: OnProgress,
    chain: Chain | None,
) -> None:
    this = Workload(run, pool, scale, outcome, on_progress, _at_once, chain, _at_once)
    await this.load(over_network=run.specification.data.load == "network")
    links = _Links(pool, run.topology, scale, outcome)
    links.read()
    this.origin_s = pool.clock()
    background = [links.watch(run.specification.controller.poll_interval_s), *this.background(pool)]
    async with running(background) as others, running(this.work()) as work:
        await first_failure_or_all([*work, *others], work)
    links.read()
    await this.finish()


class _Links:
    """Reads what links carry, as the emulation's controller does."""

    def __init__(self, pool: SimulatedPool, topology: Topology, scale: Scale, outcome: Outcome) -> None:
        self._pool = pool
        self._outcome = outcome
        capacities = [topology.link_by_id[link].capacity_mbps for link, _ in pool.routes.directed]
        self._capacity_mbps = np.array(capacities) / scale.rate_divisor
        self._carried = pool.carried()
        self._read_at_s = pool.clock()

    async def watch(self, interval_s: float) -> None:
        """Read at every interval."""
        while True:
            await asyncio.sleep(interval_s)
            self.read()

    def read(self) -> None:
        """Keep a document like the controller's `/v1/links`."""
        now_s, carried = self._pool.clock(), self._pool.carried()
        elapsed_s = now_s - self._read_at_s
        mbps = (carried - self._carried) * 8e-6 / elapsed_s if elapsed_s else np.zeros(len(carried))
        self._carried, self._read_at_s = carried, now_s
        reading = LinkReading(
            links=self._pool.routes.directed,
            capacity_mbps=self._capacity_mbps,
            time_s=self._outcome.started_epoch_s + now_s,
            age_s=now_s,
            tx_bytes=np.rint(carried).astype(np.int64),
            utilisation=mbps / self._capacity_mbps,
        )
        self._outcome.link_readings.append(reading)


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """It takes a tenth of the time, and finds next to nothing: what a run makes it keeps until its end."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


async def _at_once(function: Callable[[], T], /) -> T:
    return function()
