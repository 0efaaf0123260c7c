"""Agents on loopback addresses, which need neither root nor an emulated network."""

import contextlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from workloads.coordination.pool import AgentPool
from workloads.job import Exchange, Job, Read, Stage
from workloads.node_model import NodeModel
from workloads.scale import Scale

FAST = NodeModel(cores=8, disk_mb_per_s=100_000)


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
    async with AgentPool(hosts(count), spawn, node, scale, 7, racks=racks(count), sink=sink, **options) as running:
        yield running


def blocks_of(file, sizes, replicas):
    """Blocks of one file with the given sizes; `replicas[i % len]` are the hosts of block i."""
    block_map = {Block(file, i): tuple(replicas[i % len(replicas)]) for i in range(len(sizes))}
    return block_map, {block: sizes[block.index] for block in block_map}


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
