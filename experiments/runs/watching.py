"""Everything that tells whether an emulation keeps up, gathered while something goes on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from experiments.records import delays
from experiments.records.delays import Delays, Step
from experiments.records.verdict import Watched
from experiments.runs.controller_process import Controller
from experiments.runs.delay_probe import DelayProbe, ProbedPath, ProbeError, covering_paths, probing
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


class Watch:
    """Samples of the machine and datagrams on their way, while something goes on; made by `ready_to_watch`."""

    def __init__(self, network: EmulatedNetwork, paths: Sequence[ProbedPath], probe: DelayProbe | None) -> None:
        self._network = network
        self._paths = paths
        self._probe = probe

    @contextlib.contextmanager
    def watching(self, found: Watched, agents: Sequence[int], started: float) -> Iterator[None]:
        """Watch meanwhile.

        Args:
            found: is filled in at the end, unless an error ends it.
            agents: processes that must not wait for a core.
            started: what the samples' times count from, on the monotonic clock.
        """
        hosts = tuple(self._network.host_pid(host.name) for host in self._network.topology.hosts)
        sampler = Sampler(Probes(self._network.switch.vswitchd_pid, tuple(agents), hosts), started)
        if self._probe is not None:
            self._probe.start()
        sampler.start()
        try:
            yield
        finally:
            sampler.stop()
        found.samples = sampler.samples()
        if self._probe is not None:
            try:
                found.delays = self._delays(self._probe)
            except ProbeError as error:
                found.unprobed = str(error)

    def _delays(self, probe: DelayProbe) -> Delays | None:
        datagrams = probe.finish()
        steps = [path.steps for path in self._paths]
        topology, constants = self._network.topology, self._network.constants
        allowed = [delays.allowed_s(topology, constants, path) for path in steps]
        queue_s = delays.longest_queue_s(topology, constants)
        return delays.assess(datagrams["flow"], datagrams["delay_s"], steps, allowed, queue_s)


@contextlib.contextmanager
def ready_to_watch(network: EmulatedNetwork, control: Controller, seed: int, log: Path) -> Iterator[Watch]:
    """Make ready to watch, which takes CPU that is not to be missing later; a single host has no datagrams to send.

    Args:
        network: where; all its routes are installed.
        control: tells the paths.
        seed: of the times at which datagrams are sent.
        log: takes what the datagrams' program has to say.

    Raises:
        ControllerError: the controller cannot tell.
    """
    paths = probed_paths(network.topology, control)
    with probing(network, paths, seed, log) if paths else contextlib.nullcontext() as probe:
        yield Watch(network, paths, probe)
