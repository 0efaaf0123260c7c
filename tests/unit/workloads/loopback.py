"""Agents on loopback addresses, which need neither root nor an emulated network."""

import asyncio
import contextlib
import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from workloads.coordination.events import one_by_one
from workloads.coordination.pool import AgentPool
from workloads.coordination.results import ResultBlock, ResultFile
from workloads.job import Exchange, Job, Read, Stage
from workloads.node_model import NodeModel
from workloads.scale import Scale

FAST = NodeModel(cores=8, disk_mb_per_s=100_000)
THREE = ("h1", "h2", "h3")
PLACEMENT = ("h1", "h1", "h2", "h3")


@dataclass(frozen=True, order=True)
class Block:
    file: str
    index: int


def spawn(_host, argv, fds):
    return subprocess.Popen(argv, pass_fds=fds, stderr=subprocess.DEVNULL)


def hosts(count):
    return {f"h{i + 1}": f"127.0.0.{i + 2}" for i in range(count)}


def racks(count):
    return {f"h{i + 1}": i // 2 for i in range(count)}


@contextlib.asynccontextmanager
async def pool(count=3, node=FAST, scale=None, events=None, **options):
    sink = None if events is None else events.append
    scale = scale or Scale()
    nodes = node if isinstance(node, dict) else dict.fromkeys(hosts(count), node)
    async with AgentPool(hosts(count), spawn, nodes, scale, 7, racks=racks(count), sink=sink, **options) as running:
        yield running


def blocks_of(file, sizes, replicas):
    """Blocks of one file with the given sizes; `replicas[i % len]` are the hosts of block i."""
    block_map = {Block(file, i): tuple(replicas[i % len(replicas)]) for i in range(len(sizes))}
    return block_map, {block: sizes[block.index] for block in block_map}


class NameNode:
    """Puts every block of a result on the writer, or not, and on the hosts after it."""

    def __init__(self, count, block_bytes=128 * 2**20, on_writer=True):
        self.files: dict[str, ResultFile] = {}
        self.digests: dict[str, tuple[int | None, ...]] = {}
        self.blocks: dict[Block, tuple[str, ...]] = {}
        self.sizes: dict[Block, int] = {}
        self._hosts = [f"h{i + 1}" for i in range(count)]
        self._block_bytes = block_bytes
        self._first = 0 if on_writer else 1

    def create(self, file, dead):
        self.files[file.name] = file
        own = self._hosts.index(file.writer) + self._first
        live = [host for host in self._hosts[own:] + self._hosts[:own] if host not in dead]
        made: list[ResultBlock] = []
        for index, start in enumerate(range(0, file.bytes, self._block_bytes)):
            block, replicas = Block(file.name, index), tuple(live[: file.replication])
            self.sizes[block] = min(self._block_bytes, file.bytes - start)
            self.blocks[block] = replicas
            made.append(ResultBlock(block, self.sizes[block], replicas))
        return made

    def complete(self, file, start_s, time_s, digests):
        assert 0 < start_s <= time_s
        self.digests[file] = tuple(digests)

    async def settled(self, job):
        """Nothing follows from results."""


def shuffle_job(input_bytes, shuffled, job_id="j", containers=4, cpu_s=0.0, **exchange):
    """Reads one file and shuffles something."""
    stages = (
        Stage("scan", (Read(f"{job_id}/in", input_bytes, cpu_s),)),
        Stage("sink", (Exchange("scan", shuffled, **exchange),)),
    )
    return Job(job_id, "test", stages, containers=containers)


def descriptors(pid):
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def memory_mb(pid, field="VmHWM"):
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.split(f"{field}:")[1].split()[0]) / 1024


async def run(agents, job, block_map, events=None, placement=PLACEMENT, **options):
    def sink(some):
        if events is not None:
            events.extend(one_by_one([some]))

    return await agents.run_job(job, placement, block_map, sink, **{"deadline_s": 20.0, **options})


def assert_conserved(result):
    assert result.failed is None
    for stage in result.stages:
        assert stage.planned_bytes == stage.sent_bytes == stage.received_bytes, stage
        assert stage.finished_s >= stage.started_s


def moved(events):
    """Bytes by (sending host, receiving host) that some events tell of, disks of the same host included."""
    pairs: Counter[tuple[str, str]] = Counter()
    for event in events:
        if event.kind in ("read", "transfer", "write"):
            assert event.local == (event.host == event.peer)
            pairs[(event.peer, event.host) if event.kind == "read" else (event.host, event.peer)] += event.bytes
    return +pairs


def moved_by(*results):
    pairs: Counter[tuple[str, str]] = Counter()
    for result in results:
        for sender, receiver, size in result.moved():
            pairs[sender, receiver] += size
    return +pairs


def network_bytes(result):
    return sum(size for sender, receiver, size in result.moved() if sender != receiver)


def exchanged(result):
    """Bytes shuffled and broadcast by (sending host, receiving host), those within a host included."""
    pairs: Counter[tuple[str, str]] = Counter()
    for row in result.transfers:
        for peer, size in zip(row.peers, row.bytes, strict=True):
            pairs[row.host, peer] += size
    return pairs


async def until(condition, within_s=10.0):
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "condition not met in time"
        await asyncio.sleep(0.01)
