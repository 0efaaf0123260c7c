"""Everything that tells whether an emulation keeps up, gathered while something goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments.records import delays
from experiments.records.delays import Step
from experiments.records.verdict import Watched
from experiments.runs.controller_process import Controller
from experiments.runs.delay_probe import ProbedPath, ProbeError, covering_paths, probing
from experiments.runs.machine_sampler import Probes, Sampler
from topologies.emulated.delay_probe import PORT
from topologies.emulated.network import EmulatedNetwork
from topologies.topology import Topology


def probed_paths(topology: Topology, controller: Controller) -> list[ProbedPath]:
    """Paths that cross every link, as the switches choose them now.

    Raises:
        ControllerError: the controller cannot tell.
    """

    def path_of(source: str, destination: str, source_port: int) -> list[Step]:
        return controller.path(topology, source, destination, source_port, PORT, "udp")

    return covering_paths(topology, path_of)


@contextlib.contextmanager
def watched(
    found: Watched,
    network: EmulatedNetwork,
    paths: Sequence[ProbedPath],
    agents: Sequence[int],
    seed: int,
    started: float,
    log: Path,
) -> Iterator[None]:
    """Sample the machine and send datagrams on these paths meanwhile; a single host has none.

    Args:
        found: is filled in at the end, unless an error ends it.
        network: where.
        paths: of the datagrams.
        agents: processes that must not wait for a core.
        seed: of the times at which datagrams are sent.
        started: what the samples' times count from, on the monotonic clock.
        log: takes what the datagrams' program has to say.
    """
    hosts = tuple(network.host_pid(host.name) for host in network.topology.hosts)
    sampler = Sampler(Probes(network.switch.vswitchd_pid, tuple(agents), hosts), started)
    with probing(network, paths, seed, log) if paths else contextlib.nullcontext() as probe:
        sampler.start()
        try:
            yield
        finally:
            sampler.stop()
        found.samples = sampler.samples()
        if probe is None:
            return
        try:
            datagrams = probe.finish()
        except ProbeError as error:
            found.unprobed = str(error)
            return
    steps = [path.steps for path in paths]
    allowed = [delays.allowed_s(network.topology, network.constants, path) for path in steps]
    found.delays = delays.assess(datagrams["flow"], datagrams["delay_s"], steps, allowed)
