"""What the coordinator and the agents on the hosts tell each other, as values.

A job is named by its attempt's key, `job_id#attempt`; bytes are on the wire, seconds on the wall, and times of the
machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Configure:
    """The first message to an agent: the emulated node, and deadlines.

    Attributes:
        cores: of the emulated node.
        disk_bytes_per_s: of the emulated node.
        deadline_s: of waits for sockets.
        sample_s: between reports of usage.
    """

    seed: int
    cores: int
    disk_bytes_per_s: float
    deadline_s: float
    sample_s: float


@dataclass(frozen=True, slots=True)
class Peers:
    """Address and port of every agent, by host."""

    peers: dict[str, tuple[str, int]]


@dataclass(frozen=True, slots=True)
class BlockWrite:
    """A block to write: onto the host's own disk, and through a pipeline onto those of `targets`."""

    file: str
    index: int
    bytes: int
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Store:
    """Blocks of which the host has a replica from now on; they are put there without being written."""

    number: int
    blocks: tuple[BlockWrite, ...]


@dataclass(frozen=True, slots=True)
class Load:
    """Blocks to write through their pipelines, which start at the host."""

    number: int
    blocks: tuple[BlockWrite, ...]


@dataclass(frozen=True, slots=True)
class Begin:
    """A job begins: its containers on the host hold their memory until it ends."""

    job: str
    containers: tuple[int, ...]
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class OfTask:
    """Every message about one task of a stage of a job."""

    job: str
    stage: str
    task: int


@dataclass(frozen=True, slots=True)
class TaskInput:
    """What a task takes from an exchange: from how many sources, how much, with how much to compute."""

    exchange: str
    sources: int
    bytes: int
    cpu_s: float


@dataclass(frozen=True, slots=True)
class LaneOrder:
    """The way to one consuming task."""

    consumer: int
    host: str
    bytes: int


@dataclass(frozen=True, slots=True)
class TaskOutput:
    """What a task gives to an exchange: `bytes` in all, to each lane by its weight (repartition) or all (broadcast)."""

    exchange: str
    kind: str
    bytes: int
    weights: tuple[int, ...]
    lanes: tuple[LaneOrder, ...]


@dataclass(frozen=True, slots=True)
class StartTask(OfTask):
    """A task of a stage; `reads` says that it asks for splits, `writes` are the blocks of its result."""

    container: int
    reads: bool
    inputs: tuple[TaskInput, ...]
    outputs: tuple[TaskOutput, ...]
    writes: tuple[BlockWrite, ...]


@dataclass(frozen=True, slots=True)
class SplitOrder:
    """A block to read from a host, what to compute for it, and what that yields for each pipelined output."""

    file: str
    index: int
    bytes: int
    host: str
    cpu_s: float
    emit: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class GiveSplit(OfTask):
    """The answer to `NextSplit`; None when there is none left."""

    split: SplitOrder | None


@dataclass(frozen=True, slots=True)
class Transfer(OfTask):
    """Send all that a task has produced for a barrier exchange."""

    container: int
    output: TaskOutput


@dataclass(frozen=True, slots=True)
class End:
    """A job has ended, well or not."""

    job: str


ToAgent = Configure | Peers | Store | Load | Begin | StartTask | GiveSplit | Transfer | End


@dataclass(frozen=True, slots=True)
class Ready:
    """The agent serves on a port."""

    port: int


@dataclass(frozen=True, slots=True)
class Stored:
    """A `Store` or `Load` is done, or why it failed."""

    number: int
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class UsageRow:
    """What a container, or the node (both names None), has used so far, and the memory it holds."""

    job: str | None
    container: int | None
    memory_bytes: int
    cpu_s: float
    disk_bytes: float
    sent_bytes: int
    received_bytes: int


@dataclass(frozen=True, slots=True)
class UsageSample:
    """Usage of the node and its containers at a time.

    Attributes:
        late_s: by how much the emulated CPU or disk served later than it should have, at most, since the last sample.
        agent_memory_bytes: memory of the agent's own process.
    """

    time: float
    rows: tuple[UsageRow, ...]
    late_s: float
    agent_memory_bytes: int


@dataclass(frozen=True, slots=True)
class ReadReport:
    """How a split went: when its reading began and ended, and when its computing did; `failed` says why it did not.

    `ports` are own and other port of the flow, for a remote read.
    """

    host: str
    started: float
    read: float
    computed: float | None = None
    ports: tuple[int, int] | None = None
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class NextSplit(OfTask):
    """A task wants another split; `finished` is about the last one."""

    finished: ReadReport | None


@dataclass(frozen=True, slots=True)
class LaneReport:
    """What went from one task to another, when, and over which ports; 0 where both are on one host."""

    source: int
    destination: int
    bytes: int
    started: float
    finished: float
    own_port: int
    other_port: int


@dataclass(frozen=True, slots=True)
class Sent(OfTask):
    """A `Transfer` is done."""

    exchange: str
    lanes: tuple[LaneReport, ...]


@dataclass(frozen=True, slots=True)
class WriteReport:
    """When the writing of a block began and ended, and over which ports its first hop went, 0 without one."""

    started: float
    finished: float
    own_port: int
    other_port: int


@dataclass(frozen=True, slots=True)
class Done(OfTask):
    """A task has ended: its lanes and the bytes received by exchange, and a report for each block of its result."""

    sent: dict[str, tuple[LaneReport, ...]]
    received: dict[str, int]
    written: tuple[WriteReport, ...]


@dataclass(frozen=True, slots=True)
class Failed(OfTask):
    """A task has failed."""

    reason: str


OfJob = NextSplit | Sent | Done | Failed
FromAgent = Ready | Stored | UsageSample | OfJob
Message = ToAgent | FromAgent
