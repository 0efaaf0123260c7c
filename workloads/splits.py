"""Input splits handed out at run time, local ones first, as Flink's locatable split assigner does it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

import numpy as np


class BlockKey(Protocol):
    """Names a block: the file and its number in it."""

    @property
    def file(self) -> str:
        """Name of the file."""

    @property
    def index(self) -> int:
        """Number of the block in the file."""


Key = TypeVar("Key", bound=BlockKey)


class Split(NamedTuple):
    """A block as a unit of work; `number` counts all splits of a stage from 0."""

    number: int
    file: str
    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody needs here
    bytes: int
    replicas: tuple[str, ...]


class SplitAssigner:
    """Splits of one stage that have not been handed out.

    Whoever asks gets a split with a replica on its own host, or any when there is none. Among these it gets one that is
    local to as few as possible of the hosts that take part, so that local work is left for the others; at random among
    equals.

    Args:
        splits: All splits.
        hosts: Hosts that run tasks of the stage.
        rng: Source of the choices among equals.
    """

    def __init__(self, splits: Sequence[Split], hosts: Sequence[str], rng: np.random.Generator) -> None:
        taking_part = set(hosts)
        order = [splits[i] for i in rng.permutation(len(splits))]
        order.sort(key=lambda split: len(taking_part.intersection(split.replicas)))
        self._any = deque(order)
        self._local: dict[str, deque[Split]] = {host: deque() for host in taking_part}
        for split in order:
            for host in taking_part.intersection(split.replicas):
                self._local[host].append(split)
        self._left = set(range(len(splits)))

    def __len__(self) -> int:
        return len(self._left)

    def next_for(self, host: str) -> Split | None:
        """Hands out a split to a task on a host; None when there are none left."""
        for queue in (self._local[host], self._any):
            while queue:
                split = queue.popleft()
                if split.number in self._left:
                    self._left.remove(split.number)
                    return split
        return None


def choose_replica(
    reader: str, replicas: Sequence[str], racks: Mapping[str, int], rng: np.random.Generator
) -> str | None:
    """The replica to read: the reader's own, else one of its rack, else any; at random among equals.

    Args:
        reader: Host of the task.
        replicas: Hosts that have the block and live.
        racks: Rack of each host; empty when unknown.

    Returns:
        A host, or None when there is no replica.
    """
    if not replicas:
        return None
    if reader in replicas:
        return reader
    rack = racks.get(reader)
    near = [host for host in replicas if rack is not None and racks.get(host) == rack]
    choice = near or list(replicas)
    return choice[int(rng.integers(len(choice)))]
