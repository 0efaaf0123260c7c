"""One-way delays during a run: which datagrams cross every link, and the program that sends them."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from experiments.documents.nofollow import appending
from experiments.errors import ExperimentError
from experiments.records.delays import Step
from topologies.emulated.delay_probe import DATAGRAM_BYTES, Flow, Plan, Port
from topologies.emulated.network import EmulatedNetwork
from topologies.emulated.shaping import interface
from topologies.topology import Host, Topology

_ROOT = Path(__file__).resolve().parents[2]
_FIRST_PORT = 20_000
_TRIES = 4  # for each direction of a link: hashing does not lead over all of them at once
_MOST_PER_S = 256.0  # datagrams, which take one to two per cent of a core
_PER_FLOW_S = 32.0
_SHARE = 0.0025  # of a link's capacity
_ENDED_WITHIN_S = 10.0

PathOf = Callable[[str, str, int], Sequence[Step]]
"""Directed links that datagrams cross, by source host, destination host and source port."""


class ProbeError(ExperimentError):
    """The program that measures delays failed."""


@dataclass(frozen=True)
class ProbedPath:
    """Datagrams from one host to another, and the directed links that they cross."""

    source: Host
    destination: Host
    source_port: int
    steps: tuple[Step, ...]


def covering_paths(topology: Topology, path_of: PathOf) -> list[ProbedPath]:
    """Paths that cross both directions of every link and tell them apart, as far as the switches' hashes do.

    Every source port is another path, of which those are taken that cross a link that none has crossed, or one but not
    the other of two that the same paths have crossed.
    """
    missing = set(topology.directed_mbps)
    alike = [set(missing)]
    taken = []
    for source_port, (source, destination) in enumerate(
        itertools.islice(_pairs(topology), _TRIES * len(missing)), _FIRST_PORT
    ):
        if not missing and all(len(links) == 1 for links in alike):
            break
        steps = tuple(path_of(source.name, destination.name, source_port))
        told_apart = [part for links in alike for part in (links.intersection(steps), links.difference(steps)) if part]
        if missing.intersection(steps) or len(told_apart) > len(alike):
            missing.difference_update(steps)
            alike = told_apart
            taken.append(ProbedPath(source, destination, source_port, steps))
    return taken


def _pairs(topology: Topology) -> Iterator[tuple[Host, Host]]:
    """Hosts of different racks, each in turn as source, with one partner after the other; on one rack, any two."""
    hosts = topology.hosts
    apart = len(topology.racks) > 1
    for shift in itertools.cycle(range(1, len(hosts))):
        for place, source in enumerate(hosts):
            destination = hosts[(place + shift) % len(hosts)]
            if not apart or source.rack != destination.rack:
                yield source, destination


def datagrams_per_s(topology: Topology, paths: Sequence[ProbedPath]) -> float:
    """How many datagrams to send in a second: few enough for the CPU, and for each of the links."""
    crossings = Counter(step for path in paths for step in path.steps)
    of_links = (
        _SHARE * topology.link_by_id[link].capacity_mbps * 1e6 / (DATAGRAM_BYTES * 8) * len(paths) / count
        for (link, _), count in crossings.items()
    )
    return min(_MOST_PER_S, _PER_FLOW_S * len(paths), *of_links)


class DelayProbe:
    """The program, running; made by `probing`."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Of its process."""
        return self._process.pid

    def start(self) -> None:
        """Let it send."""
        self._say(b"\n")

    def _say(self, line: bytes) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # that it has ended is told when it is to end
            self._process.stdin.write(line)
            self._process.stdin.flush()

    def finish(self) -> npt.NDArray[Any]:
        """End it; every datagram's `flow` and `delay_s` (`topologies.emulated.delay_probe.ROW`).

        Raises:
            ProbeError: it had ended before, or does not end.
        """
        try:
            output, _ = self._process.communicate(timeout=_ENDED_WITHIN_S)
        except subprocess.TimeoutExpired:
            raise ProbeError(f"delay probe: it does not end within {_ENDED_WITHIN_S:g} s") from None
        if self._process.returncode != 0:
            raise ProbeError(f"delay probe: ended with exit code {self._process.returncode}; see {self._log.name}")
        return np.frombuffer(output, dtype=[("flow", "i4"), ("delay_s", "f8")])


@contextlib.contextmanager
def probing(network: EmulatedNetwork, paths: Sequence[ProbedPath], seed: int, log: Path) -> Iterator[DelayProbe]:
    """Make ready to send datagrams on these paths; the program takes half a second of CPU to start.

    Args:
        network: where.
        paths: at least one.
        seed: of the times at which they are sent.
        log: takes what the program has to say.
    """

    def port(host: Host) -> Port:
        access = network.topology.host_link[host.name].a
        return Port(network.host_pid(host.name), interface(access), host.ip, host.mac)

    flows = tuple(Flow(port(path.source), port(path.destination), path.source_port) for path in paths)
    plan = Plan(flows, datagrams_per_s(network.topology, paths), seed)
    argv = [sys.executable, "-m", "topologies.emulated.delay_probe"]
    with appending(log) as output:
        process = subprocess.Popen(argv, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output)
    try:
        probe = DelayProbe(process, log)
        probe._say(plan.to_json().encode() + b"\n")
        yield probe
    finally:
        process.kill()
        process.communicate()
