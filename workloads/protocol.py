"""What the coordinator and the agents on the hosts tell each other, as values.

A job is named by its attempt's key, `job_id#attempt`; bytes are on the wire, seconds on the wall, and times of the
machine's monotonic clock, which all processes share.
"""

from __future__ import annotations

from typing import NamedTuple


class Configure(NamedTuple):
    """The first message to an agent: the emulated node, and deadlines.

    Attributes:
        cores: of the emulated node.
        disk_bytes_per_s: of the emulated node.
        deadline_s: of waits for sockets.
        sample_s: between reports of usage.
        shared: whether all lanes between two containers use one connection, as in engines, or each its own.
        window_bytes: how far a producer may be ahead of a lane, and what arrives ahead of the task that takes it.
    """

    seed: int
    cores: int
    disk_bytes_per_s: float
    deadline_s: float
    sample_s: float
    shared: bool
    window_bytes: int


class Peers(NamedTuple):
    """Address and port of every agent, by host."""

    peers: dict[str, tuple[str, int]]


class BlockWrite(NamedTuple):
    """A block to write: onto the host's own disk unless it is not `here`, and through a pipeline onto those of
    `targets`.
    """

    file: str
    block: int
    bytes: int
    targets: tuple[str, ...] = ()
    here: bool = True


class Store(NamedTuple):
    """Blocks of which the host has a replica from now on; they are put there without being written."""

    number: int
    blocks: tuple[BlockWrite, ...]


class Load(NamedTuple):
    """Blocks to write through their pipelines, which start at the host."""

    number: int
    blocks: tuple[BlockWrite, ...]


class BlockRead(NamedTuple):
    """A block to read from a host."""

    file: str
    block: int
    bytes: int
    host: str


class Fetch(NamedTuple):
    """Blocks to read, one after the other, for nobody's job."""

    number: int
    blocks: tuple[BlockRead, ...]


class Drop(NamedTuple):
    """Blocks, by file and number, of which the host has a replica no longer."""

    number: int
    blocks: tuple[tuple[str, int], ...]


class Alter(NamedTuple):
    """Replicas, by file and number, that become others, and with them the checksums that they are kept with."""

    number: int
    blocks: tuple[tuple[str, int], ...]


class BlockHash(NamedTuple):
    """A replica of so many bytes to hash, by its checksums, which take so many bytes of the disk."""

    file: str
    block: int
    bytes: int
    disk_bytes: int


class Hash(NamedTuple):
    """Replicas of the host to hash, one after the other."""

    number: int
    blocks: tuple[BlockHash, ...]


class Begin(NamedTuple):
    """A job begins: its containers on the host hold their memory until it ends.

    All containers but the first, which is the master's, have so many `slots` for tasks, in the order of both.
    """

    job: str
    containers: tuple[int, ...]
    slots: int
    memory_bytes: int


class TaskInput(NamedTuple):
    """What a task takes from an exchange: from how many sources, how much, with how much to compute."""

    exchange: str
    sources: int
    bytes: int
    cpu_s: float


class Lanes(NamedTuple):
    """The ways to the consuming tasks of an exchange, in columns; all producing tasks have the same, if not forward.

    Attributes:
        consumers: their tasks.
        hosts: where they are.
        bytes: what each is expected to bring from one producing task.
        weights: share of each in what a task produces.
    """

    consumers: tuple[int, ...]
    hosts: tuple[str, ...]
    bytes: tuple[int, ...]
    weights: tuple[int, ...]


class TaskOutput(NamedTuple):
    """What a task gives to an exchange: `bytes` in all, to each lane by its weight (repartition) or all (broadcast)."""

    exchange: str
    kind: str
    bytes: int
    lanes: Lanes


class StartTask(NamedTuple):
    """A task of a stage; `reads` says that it asks for splits, `writes` are the blocks of its result."""

    job: str
    stage: str
    task: int
    container: int
    reads: bool
    inputs: tuple[TaskInput, ...]
    outputs: tuple[TaskOutput, ...]
    writes: tuple[BlockWrite, ...]


class SplitOrder(NamedTuple):
    """A block to read from a host, what to compute for it, and what that yields for each pipelined output."""

    file: str
    block: int
    bytes: int
    host: str
    cpu_s: float
    emit: tuple[int, ...]


class GiveSplit(NamedTuple):
    """The answer to `NextSplit`; None when there is none left."""

    job: str
    stage: str
    task: int
    split: SplitOrder | None


class Transfer(NamedTuple):
    """Send all that a task has produced for a barrier exchange."""

    job: str
    stage: str
    task: int
    container: int
    output: TaskOutput


class End(NamedTuple):
    """A job has ended, well or not."""

    job: str


OfBlocks = Store | Load | Fetch | Drop | Alter | Hash
ToAgent = Configure | Peers | OfBlocks | Begin | StartTask | GiveSplit | Transfer | End


class Ready(NamedTuple):
    """The agent serves on a port."""

    port: int


class UsageRow(NamedTuple):
    """What a container, or the node (both names None), has used so far, and the memory it holds."""

    job: str | None
    container: int | None
    memory_bytes: int
    cpu_s: float
    disk_bytes: float
    sent_bytes: int
    received_bytes: int


class UsageSample(NamedTuple):
    """Usage of the node and its containers at a time.

    Attributes:
        late_s: by how much the emulated CPU or disk served later than it should have, at most, since the last sample.
        agent_memory_bytes: memory of the agent's own process.
    """

    time: float
    rows: tuple[UsageRow, ...]
    late_s: float
    agent_memory_bytes: int


class ReadReport(NamedTuple):
    """How a split went: when its reading began and ended, and when its computing did; `failed` says why it did not.

    `ports` are own and other port of the flow, for a remote read; `digest` is the checksum of a block that is read, or
    hashed, for nobody's job.
    """

    host: str
    started: float
    read: float
    computed: float | None = None
    ports: tuple[int, int] | None = None
    failed: str | None = None
    digest: int | None = None

    @property
    def checksum(self) -> int:
        """That of a block that was read for nobody's job, or hashed."""
        assert self.digest is not None
        return self.digest


class NextSplit(NamedTuple):
    """A task wants another split; `finished` is about the last one."""

    job: str
    stage: str
    task: int
    finished: ReadReport | None


class LaneReports(NamedTuple):
    """What went from a task to others, in columns: how much, when, and over which ports, own and other; 0 where both
    tasks are on one host.
    """

    destinations: tuple[int, ...]
    bytes: tuple[int, ...]
    started: tuple[float, ...]
    finished: tuple[float, ...]
    ports: tuple[tuple[int, int], ...]


class Sent(NamedTuple):
    """A `Transfer` is done."""

    job: str
    stage: str
    task: int
    exchange: str
    lanes: LaneReports


class WriteReport(NamedTuple):
    """When the writing of a block began and ended, over which ports its first hop went, 0 without one, and the checksum
    of what was written; None where no bytes are.
    """

    started: float
    finished: float
    own_port: int
    other_port: int
    digest: int | None


class Stored(NamedTuple):
    """What is `OfBlocks` is done, or why it failed; a report for each block written, read or hashed."""

    number: int
    failed: str | None = None
    written: tuple[WriteReport, ...] = ()
    read: tuple[ReadReport, ...] = ()


class Done(NamedTuple):
    """A task has ended: its lanes and the bytes received by exchange, and a report for each block of its result."""

    job: str
    stage: str
    task: int
    sent: dict[str, LaneReports]
    received: dict[str, int]
    written: tuple[WriteReport, ...]


class Failed(NamedTuple):
    """A task has failed."""

    job: str
    stage: str
    task: int
    reason: str


OfJob = NextSplit | Sent | Done | Failed
FromAgent = Ready | Stored | UsageSample | OfJob
Message = ToAgent | FromAgent
