"""What happened: flat rows for analysis, and the sum of a job.

Times are wall seconds since the run's start, bytes are wire bytes (exact integers); `Scale` converts both to the
modelled cluster's.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from workloads.protocol import BlockWrite, ReadReport, WriteReport

EventKind = Literal[
    "job_submitted",
    "job_started",
    "stage_started",
    "task_started",
    "read",
    "read_failed",
    "compute",
    "transfer",
    "write",
    "hash",
    "validated",
    "deletion_refused",
    "task_finished",
    "stage_finished",
    "job_finished",
    "job_failed",
    "sample",
    "link_failed",
    "link_restored",
    "host_failed",
    "block_altered",
    "controller_restarted",
    "controller_ready",
    "ledger_restarted",
]


class Event(NamedTuple):
    """One row; fields that do not apply are None.

    Attributes:
        time_s: When it happened, or ended.
        kind: See `EventKind`.
        job, stage, task, container: What it belongs to, of a transfer the sending task; a sample without job is about
            the whole node.
        host: Where. Of a read: the reader. Of a transfer and of a write: the sender.
        peer: Of a read: the node that served it. Of a transfer: the receiver. Of a write: the node that stored it.
        bytes: Payload; of a hash what was read from the disk for it.
        start_s: When it began, of reads, computations, transfers, writes, hashes and validations.
        local: Whether it stayed on one node.
        ok: Whether the checksum was right; a wrong one fails the job or takes another replica. Of `validated`: whether
            the file is as the ledger has it.
        detail: File and index of a block, name of an exchange, id of a link, or a reason.
        peer_task: Receiving task of a transfer.
        source_port, destination_port: TCP ports of the flow, which tell its path under ECMP; None within a node, and of
            the further hops of a write pipeline.
        memory_bytes: Of samples: memory held by the model at that moment, in bytes of the modelled cluster.
        cpu_s: Of samples: CPU seconds of the model since the last sample, on the wall.
        disk_bytes, sent_bytes, received_bytes: Of samples: since the last sample.
        late_s: Of samples of nodes: worst lateness of the agent's timers since the last sample.
        agent_memory_bytes: Of samples of nodes: real memory of the agent's process, resident.
    """

    time_s: float
    kind: EventKind
    job: str | None = None
    stage: str | None = None
    task: int | None = None
    container: int | None = None
    host: str | None = None
    peer: str | None = None
    bytes: int | None = None
    start_s: float | None = None
    local: bool | None = None
    ok: bool | None = None
    detail: str | None = None
    peer_task: int | None = None
    source_port: int | None = None
    destination_port: int | None = None
    memory_bytes: int | None = None
    cpu_s: float | None = None
    disk_bytes: int | None = None
    sent_bytes: int | None = None
    received_bytes: int | None = None
    late_s: float | None = None
    agent_memory_bytes: int | None = None


class Transfers(NamedTuple):
    """Events of the kind `transfer`, one for each consuming task to which a producing task has sent, in columns.

    Attributes:
        job, stage, task, container, host: Those of the producing task.
        exchange: Its name.
        times_s, starts_s: When each ended and began.
        peer_tasks, peers: Each consuming task and its host.
        bytes: Payload of each.
        ports: TCP ports of each, source and destination; 0 within a node.
    """

    job: str
    stage: str
    task: int
    container: int
    host: str
    exchange: str
    times_s: Sequence[float]
    starts_s: Sequence[float]
    peer_tasks: Sequence[int]
    peers: Sequence[str]
    bytes: Sequence[int]
    ports: Sequence[tuple[int, int]]

    def columns(self) -> dict[str, Sequence[Any]]:
        """All columns of the events by their names."""
        rows = len(self.times_s)
        same = {"kind": "transfer", "job": self.job, "stage": self.stage, "task": self.task, "ok": True}
        same |= {"container": self.container, "host": self.host, "detail": self.exchange}
        columns: dict[str, Sequence[Any]] = {name: [same.get(name)] * rows for name in Event._fields}
        columns |= {"time_s": self.times_s, "start_s": self.starts_s, "bytes": self.bytes}
        columns |= {"peer": self.peers, "peer_task": self.peer_tasks}
        columns["local"] = [peer == self.host for peer in self.peers]
        columns["source_port"] = [own or None for own, _ in self.ports]
        columns["destination_port"] = [other or None for _, other in self.ports]
        return columns

    def events(self) -> Iterator[Event]:
        """Each of them."""
        return itertools.starmap(Event, zip(*self.columns().values(), strict=True))


Sink = Callable[[Event | Transfers], None]


def was_read(
    file: str,
    index: int,
    size: int,
    reader: str,
    report: ReadReport,
    since_s: float,
    **of: Any,
) -> Event:
    """A block has been read from where the report says.

    Args:
        file: What names it, with `index`.
        index: Its number in the file.
        size: Its bytes.
        reader: Host.
        report: Of the reader.
        since_s: The run's start, on the clock of the report.
        of: Fields that say on whose behalf.
    """
    here, there = report.ports or (None, None)
    return Event(
        report.read - since_s,
        "read",
        start_s=report.started - since_s,
        host=reader,
        peer=report.host,
        bytes=size,
        local=report.host == reader,
        ok=True,
        detail=f"{file} {index}",
        source_port=there,
        destination_port=here,
        **of,
    )


def written(write: BlockWrite, writer: str, report: WriteReport, since_s: float, **of: Any) -> Iterator[Event]:
    """An event for every replica of a block: the writer's own if it keeps one, and one for every hop of the pipeline.

    Args:
        write: What was ordered.
        writer: Host.
        report: Of the writer.
        since_s: The run's start, on the clock of the report.
        of: Fields that say on whose behalf.
    """
    own = [writer] * (1 + write.here)
    for hop, (sender, receiver) in enumerate(itertools.pairwise([*own, *write.targets])):
        first = hop == write.here  # over the network
        yield Event(
            report.finished - since_s,
            "write",
            start_s=report.started - since_s,
            host=sender,
            peer=receiver,
            bytes=write.bytes,
            local=sender == receiver,
            ok=True,
            detail=f"{write.file} {write.block}",
            source_port=(first and report.own_port) or None,
            destination_port=(first and report.other_port) or None,
            **of,
        )


def one_by_one(kept: Iterable[Event | Transfers]) -> Iterator[Event]:
    """All events of what a sink has taken."""
    for some in kept:
        if isinstance(some, Transfers):
            yield from some.events()
        else:
            yield some


@dataclass
class StageResult:
    """Conservation of one stage: what its inputs should have brought, what was sent and what arrived, in wire bytes."""

    name: str
    started_s: float | None = None
    finished_s: float | None = None
    planned_bytes: int = 0
    sent_bytes: int = 0
    received_bytes: int = 0


@dataclass
class JobResult:
    """What a job did. Times in wall seconds since the run's start, bytes on the wire.

    Attributes:
        placement: Host of each container.
        attempt: Counts the attempts of the job, from 1.
        read_bytes: Input read by (serving host, reading host), local reads included.
        transfers: What was shuffled and broadcast, also within a host.
        written_bytes: Replicas of results by (sending host, storing host); the writer's own replica comes from itself.
        failed: Why it failed; None when it finished.
        dead_hosts: Hosts whose agents were found dead when it failed.
    """

    job_id: str
    profile: str
    placement: tuple[str, ...]
    attempt: int
    submitted_s: float
    started_s: float
    finished_s: float | None = None
    stages: list[StageResult] = field(default_factory=list)
    read_bytes: dict[tuple[str, str], int] = field(default_factory=dict)
    transfers: list[Transfers] = field(default_factory=list)
    written_bytes: dict[tuple[str, str], int] = field(default_factory=dict)
    failed: str | None = None
    dead_hosts: tuple[str, ...] = ()

    @property
    def local_read_bytes(self) -> int:
        """Input that was read on the node of the task."""
        return sum(size for (source, reader), size in self.read_bytes.items() if source == reader)

    def moved(self) -> Iterator[tuple[str, str, int]]:
        """Sending host, receiving host and bytes of everything that moved, in parts; also of what stayed on a host."""
        for matrix in (self.read_bytes, self.written_bytes):
            for (sender, receiver), size in matrix.items():
                yield sender, receiver, size
        for row in self.transfers:
            for receiver, size in zip(row.peers, row.bytes, strict=True):
                yield row.host, receiver, size
