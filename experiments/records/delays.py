"""How long datagrams were on their way beyond what the modelled network accounts for, link by link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from topologies.constants import Constants
from topologies.topology import Direction, Topology

Step = tuple[str, Direction]
"""Link and direction."""

LEAST_DATAGRAMS = 100
"""So many have to arrive for a 99th percentile."""


@dataclass(frozen=True, slots=True)
class LinkDelays:
    """Of the datagrams that crossed one direction of a link.

    `excess_s` is the time for which one was on its way beyond what may have been ahead of it in the queues: wall
    seconds, of those that arrived.
    """

    link: str
    direction: Direction
    datagrams: int
    lost: int
    excess_s_mean: float
    excess_s_p99: float
    excess_s_max: float


@dataclass(frozen=True, slots=True)
class Delays:
    """Of a whole run.

    Attributes:
        links: every direction of a link that datagrams crossed.
        excess_s_p99: 99th percentile of all datagrams.
        queue_s: how long the network's slowest switch port takes to send a full queue, which is what TCP's packets have
            to wait anyway, and so what a delay is to be held against.
    """

    links: tuple[LinkDelays, ...]
    excess_s_p99: float
    queue_s: float

    @property
    def slowest(self) -> str:
        """The link and direction that explains most of the excess, if it is all one link's: by least squares, the one
        with the greatest number of datagrams times their squared mean.
        """
        slowest = max(self.links, key=lambda one: (one.datagrams - one.lost) * one.excess_s_mean**2)
        return f"{slowest.link} {slowest.direction}"


def allowed_s(topology: Topology, constants: Constants, steps: Sequence[Step]) -> float:
    """For how long the queues of a path may hold a datagram up; that of the sending host it does not pass."""
    return sum(constants.longest_wait_s(topology.link_by_id[link].capacity_mbps) for link, _ in steps[1:])


def longest_queue_s(topology: Topology, constants: Constants) -> float:
    """How long the slowest switch port takes to send a full queue."""
    return max(constants.full_queue_s(link.capacity_mbps) for link in topology.links)


def assess(
    flows: npt.NDArray[np.int32],
    delays_s: npt.NDArray[np.float64],
    paths: Sequence[Sequence[Step]],
    allowed: Sequence[float],
    queue_s: float,
) -> Delays | None:
    """What a run's datagrams felt; None when too few arrived to tell.

    Args:
        flows: index of each datagram's path, shape (datagrams,).
        delays_s: for how long each was on its way, NaN if it never arrived, shape (datagrams,).
        paths: directed links, by flow.
        allowed: seconds, by flow.
        queue_s: see `Delays`.
    """
    excess_s = np.maximum(0.0, delays_s - np.asarray(allowed)[flows])
    arrived = ~np.isnan(excess_s)
    if arrived.sum() < LEAST_DATAGRAMS:
        return None
    links = []
    for step in dict.fromkeys(step for path in paths for step in path):
        crossed = np.isin(flows, [flow for flow, path in enumerate(paths) if step in path])
        mine = excess_s[crossed & arrived]
        if mine.size:
            figures = float(mine.mean()), float(np.percentile(mine, 99)), float(mine.max())
            links.append(LinkDelays(*step, int(crossed.sum()), int(crossed.sum()) - mine.size, *figures))
    return Delays(tuple(links), float(np.percentile(excess_s[arrived], 99)), queue_s)
