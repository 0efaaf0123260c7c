"""What a user tells CoLoc in advance, and what follows from it: descriptions, reservations and past runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from placement.errors import PlacementError


@dataclass(frozen=True, slots=True)
class Colocation:
    """A colocation description: the files of a recurring job that belong on the same few nodes (thesis, 5.3.1).

    Attributes:
        signature: the job's signature.
        files: names of its input files, or
        folder: the path under which they will be, when they are not known in advance.
        size: number of nodes, 0 to take it from past runs.
        nodes: the favoured nodes, empty until the first file comes.
        expiry_s: how long the nodes stay reserved once all files are stored, in seconds.
        container_nodes: number of nodes that host the job's containers, 0 for all favoured ones; above the number of
            those, nodes without its data join them.

    Raises:
        PlacementError: not exactly one of files and folder, or an amount out of range.
    """

    signature: str
    files: tuple[str, ...] = ()
    folder: str | None = None
    size: int = 0
    nodes: tuple[str, ...] = ()
    expiry_s: float = 3600.0
    container_nodes: int = 0

    def __post_init__(self) -> None:
        if bool(self.files) == bool(self.folder):
            raise PlacementError(f"colocation {self.signature}: give either files or a folder")
        if self.size < 0:
            raise PlacementError(f"colocation {self.signature}: size {self.size}; give 0 (from history) or more")
        if self.container_nodes < 0:
            raise PlacementError(
                f"colocation {self.signature}: container_nodes {self.container_nodes}; give 0 (all) or more"
            )
        if not self.expiry_s > 0:
            raise PlacementError(f"colocation {self.signature}: expiry_s {self.expiry_s}; give a positive time")

    @property
    def key(self) -> str:
        """What identifies it: the signature and the files, whatever its nodes are at the moment."""
        return f"{self.signature}:{self.folder.rstrip('/') + '/' if self.folder else ','.join(self.files)}"

    def covers(self, file: str) -> bool:
        """Whether the file is one of its files, or is its folder or lies under it."""
        return f"{file}/".startswith(self.folder.rstrip("/") + "/") if self.folder else file in self.files


@dataclass(frozen=True, slots=True)
class Reservation:
    """Nodes on which one description's job goes before others; a priority, not an exclusion.

    Attributes:
        key: the description's key.
        nodes: the reserved nodes.
        until_s: time at which it lapses.
    """

    key: str
    nodes: tuple[str, ...]
    until_s: float


@dataclass(frozen=True, slots=True)
class PastRun:
    """A finished job, as far as Algorithm 1 wants to know.

    Attributes:
        signature: the job's signature.
        input_bytes: sizes of its input files.
        containers: containers without the application master.
    """

    signature: str
    input_bytes: tuple[int, ...]
    containers: int


@dataclass(frozen=True, slots=True)
class Describe:
    """Decision: set or replace a description."""

    colocation: Colocation


@dataclass(frozen=True, slots=True)
class Reserve:
    """Decision: reserve a description's nodes from now on, for its expiry time."""

    key: str


@dataclass(frozen=True, slots=True)
class Release:
    """Decision: end a description's reservation."""

    key: str


Decision: TypeAlias = Describe | Reserve | Release
