"""What was done to the files of the block store during a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.specification.files import Operation
from workloads.scale import Scale


@dataclass(frozen=True, slots=True)
class FileOperation:
    """One operation on one file; times in wall seconds since the run's start.

    Attributes:
        time_s: when it was complete.
        start_s: when it began.
        operation: what was done.
        file: name of the file, of one that was renamed the new one.
        was: the name before.
        user: on whose behalf: a job, or a client's user.
        host: where who wrote or read it was; None of what the name node does by itself.
        bytes: modelled size of the file.
        checksum: of its content; None where no bytes are.
        blocks: hosts of each block's replicas.
    """

    time_s: float
    start_s: float
    operation: Operation
    file: str
    was: str | None
    user: str
    host: str | None
    bytes: int
    checksum: str | None
    blocks: tuple[tuple[str, ...], ...]


def rows(operations: Iterable[FileOperation], scale: Scale, origin_wall_s: float) -> Iterator[Mapping[str, Any]]:
    """Rows of files.parquet in the order of their times.

    Args:
        operations: what was done.
        scale: the divisors.
        origin_wall_s: when the first job was submitted, on the clock of the operations.
    """
    for one in sorted(operations, key=lambda one: one.time_s):
        yield {
            "time_s": scale.modelled_s(one.time_s - origin_wall_s),
            "start_s": scale.modelled_s(one.start_s - origin_wall_s),
            "operation": one.operation,
            "file": one.file,
            "was": one.was,
            "user": one.user,
            "host": one.host,
            "bytes": one.bytes,
            "checksum": one.checksum,
            "blocks": ", ".join(" ".join(replicas) for replicas in one.blocks),
        }
