"""How clients and jobs get at files where nothing has to be proven."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Any

from experiments.records.retention import Retained
from experiments.runs.name_node import NameNode
from placement import BlockId
from workloads.coordination.events import Sink
from workloads.coordination.files import Files

Replicas = Mapping[BlockId, Sequence[str]]


class FileAccess:
    """The files of one run.

    Args:
        names: the name node.
        files: the agents' blocks.
        clock: wall seconds since the run's start.
        sink: takes events.
    """

    def __init__(self, names: NameNode, files: Files, clock: Callable[[], float], sink: Sink) -> None:
        self.names = names
        self.files = files
        self.clock = clock
        self.sink = sink

    async def read(self, reader: str, name: str) -> None:
        """Have a client on a host read a file.

        Raises:
            AgentError: a host is dead, or dies; or a block has no live replica.
        """
        await self.files.read(reader, self.names.blocks(name), self.sink)

    async def delete(self, name: str, user: str) -> None:
        """Delete a file, and have the agents drop its blocks.

        Raises:
            PlacementError: there is no such file.
            AgentError: a host dies meanwhile.
        """
        await self.files.drop(self.names.delete(name, user, self.clock()))

    async def proven(self, names: Collection[str], readers: Sequence[str]) -> Replicas:
        """Replicas of files and folders that a job with containers on some hosts is about to read.

        Raises:
            PlacementError: nothing of a name is stored.
        """
        return self.names.view.blocks_of(names)

    async def settled(self, names: Iterable[str]) -> None:
        """Wait for what follows from what was done to files."""

    async def loaded(self) -> None:
        """The input files are there; the clock has not started."""

    def background(self) -> list[Coroutine[Any, Any, None]]:
        """What goes on as long as the run does."""
        return []

    async def finish(self, origin_s: float) -> Retained | None:
        """All work is done: say what retaining files came to; None where none are.

        Args:
            origin_s: where the schedule started, wall seconds since the run's start.
        """
        return None
