"""What was done to the files of the block store during a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from workloads.scale import Scale

Operation = Literal["create", "delete"]


@dataclass(frozen=True, slots=True)
class FileOperation:
    """One operation on one file.

    Attributes:
        time_s: when it was complete, wall seconds since the run's start.
        operation: what was done.
        file: name of the file.
        job: on whose behalf.
        host: who did it: the writer; None of what the name node does by itself.
        bytes: modelled size of the file.
        checksum: of its content; None where no bytes are.
        blocks: hosts of each block's replicas.
    """

    time_s: float
    operation: Operation
    file: str
    job: str
    host: str | None
    bytes: int
    checksum: str | None
    blocks: tuple[tuple[str, ...], ...]


def rows(operations: Iterable[FileOperation], scale: Scale, origin_wall_s: float) -> Iterator[Mapping[str, Any]]:
    """Rows of files.parquet.

    Args:
        operations: in the order of their times.
        scale: the divisors.
        origin_wall_s: when the first job was submitted, on the clock of the operations.
    """
    for one in operations:
        yield {
            "time_s": scale.modelled_s(one.time_s - origin_wall_s),
            "operation": one.operation,
            "file": one.file,
            "job": one.job,
            "host": one.host,
            "bytes": one.bytes,
            "checksum": one.checksum,
            "blocks": ", ".join(" ".join(replicas) for replicas in one.blocks),
        }
