"""Who sends to whom: the twenty traffic patterns of Hedera's evaluation, on any network.

Al-Fares, Radhakrishnan, Raghavan, Huang, Vahdat: Hedera, NSDI 2010, section 6 and Figure 9; reproduced on Mininet-HiFi
by Handigol, Heller, Jeyakumar, Lantz and McKeown, CoNEXT 2012, Figure 8. Random patterns are drawn here; the ones that
they drew are not printed.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable

from topologies.topology import Topology

Pairs = list[tuple[str, str]]
"""Sending and receiving host of every connection."""

_HOT_HOSTS, _SENDERS_TO_EACH = 2, 3


def hedera(topology: Topology, seed: int = 1) -> dict[str, Pairs]:
    """The twenty patterns by the names that the papers give them; without those that the network is too small for.

    `stag0` to `stag2` (edge, pod): a host sends within its rack with the first probability, within its pod with the
    second, else anywhere beyond. `stride` i: to the i-th host after itself. `rand`: to any other; `randbij`: to one
    that nobody else sends to; `randx` n: to n others. `hotspot`: two hosts are sent to by three, others by one.

    Args:
        topology: its hosts in their order, its racks and, as the hosts at the next distance, its pods.
        seed: of the draws; each pattern has its own.
    """
    drawn: dict[str, Callable[[Topology, random.Random], Pairs]] = {}
    for edge in (0.2, 0.5):
        drawn |= {f"stag{n}({edge},0.3)": functools.partial(staggered, edge=edge, pod=0.3) for n in range(3)}
    drawn |= {f"stride{step}": functools.partial(stride, step=step) for step in (1, 2, 4, 8)}
    drawn |= {f"rand{n}": functools.partial(to_others, count=1) for n in range(3)}
    drawn |= {f"randbij{n}": bijection for n in range(3)}
    drawn |= {f"randx{count}": functools.partial(to_others, count=count) for count in (2, 3, 4)}
    drawn["hotspot"] = hotspot
    return {name: draw(topology, random.Random(f"{seed} {name}")) for name, draw in drawn.items()}


def stride(topology: Topology, _rng: random.Random, step: int) -> Pairs:
    """Every host to the one so many places after it, around the end; none where that is itself."""
    names = [host.name for host in topology.hosts]
    return [(name, names[(place + step) % len(names)]) for place, name in enumerate(names) if step % len(names)]


def staggered(topology: Topology, rng: random.Random, edge: float, pod: float) -> Pairs:
    """Every host to one in its rack, its pod or beyond, by these probabilities; to a nearer one where there is none, or
    else to one farther away.

    Args:
        topology: the network.
        rng: draws.
        edge: probability of the rack.
        pod: probability of the pod.
    """
    pairs = []
    for host in topology.hosts:
        rings = _rings(topology, host.name)
        ring = rng.choices(range(3), (edge, pod, 1 - edge - pod))[0]
        there = [rings[near] for near in (*range(ring, -1, -1), *range(ring + 1, 3)) if rings[near]]
        if there:
            pairs.append((host.name, rng.choice(there[0])))
    return pairs


def to_others(topology: Topology, rng: random.Random, count: int) -> Pairs:
    """Every host to so many different others, or to all that there are."""
    names = [host.name for host in topology.hosts]
    return [
        (name, other)
        for name in names
        for other in rng.sample([one for one in names if one != name], min(count, len(names) - 1))
    ]


def bijection(topology: Topology, rng: random.Random) -> Pairs:
    """Every host to another one, and from another one."""
    names = [host.name for host in topology.hosts]
    return list(zip(names, _deranged(names, names, rng), strict=True)) if len(names) > 1 else []


def hotspot(topology: Topology, rng: random.Random) -> Pairs:
    """Two hosts are each sent to by three others, the rest by one or none; every host sends to one."""
    names = [host.name for host in topology.hosts]
    if len(names) < _HOT_HOSTS * _SENDERS_TO_EACH + _HOT_HOSTS:
        return []
    receivers = rng.sample(names, len(names) - _HOT_HOSTS * (_SENDERS_TO_EACH - 1))
    receivers += receivers[:_HOT_HOSTS] * (_SENDERS_TO_EACH - 1)
    return list(zip(names, _deranged(names, receivers, rng), strict=True))


def _deranged(names: list[str], others: list[str], rng: random.Random) -> list[str]:
    """A random order of `others` in which no host is at its own place."""
    while True:
        order = rng.sample(others, len(others))
        if all(name != other for name, other in zip(names, order, strict=True)):
            return order


def _rings(topology: Topology, host: str) -> list[list[str]]:
    """The hosts of its rack, those at the next distance, and those farther away."""
    by_hops: dict[int, list[str]] = {}
    for other in topology.hosts:
        if other.name != host:
            by_hops.setdefault(topology.hops(host, other.name), []).append(other.name)
    near = by_hops.pop(1, [])
    pod = by_hops.pop(min(by_hops), []) if by_hops else []
    return [near, pod, [name for ring in by_hops.values() for name in ring]]
