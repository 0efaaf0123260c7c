"""Jobs of maps and reducers, of whichever trace: their three stages, and what is said about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from workloads.importers.trace import block_bytes
from workloads.job import Exchange, Input, Read, Stage


@dataclass(frozen=True)
class Phase:
    """What all tasks of a kind do together.

    Attributes:
        hosts: Where each task ran.
        cpu_s: CPU seconds of each task.
        received: Bytes that each task got of the shuffle, which maps do not.
        read_bytes: out of files; `readers` is how many tasks do so.
        written_bytes: into files.
    """

    hosts: Sequence[str]
    cpu_s: Sequence[float]
    received: Sequence[int] = ()
    read_bytes: int = 0
    readers: int = 0
    written_bytes: int = 0

    def read(self, file: str) -> tuple[Read, ...]:
        """Its file, with a block for each task that reads of it; none where it reads nothing."""
        blocks = block_bytes(self.read_bytes, self.readers)
        return (Read(file, self.read_bytes, block_bytes=blocks),) if self.read_bytes else ()


def stages(
    job_id: str, maps: Phase, reducers: Phase, containers: int, slots: int, overlapped: bool
) -> tuple[Stage, ...]:
    """The stages of a job: `map`, and where there are reducers `shuffle` and `reduce`, which waits for all of it.

    Args:
        job_id: Names the job's files.
        maps: They read something.
        reducers: Without any there is but one stage.
        containers: Those for tasks, to which the reducers are dealt out in turn.
        slots: Of each container.
        overlapped: Whether the shuffle begins before the last map has ended.
    """
    (scan,) = maps.read(f"{job_id}/input")
    mapping = _stage("map", (replace(scan, cpu_s=sum(maps.cpu_s)),), maps.written_bytes)
    if not reducers.cpu_s:
        return (mapping,)
    shares, work = (_dealt(amounts, containers, slots) for amounts in (reducers.received, reducers.cpu_s))
    reducing: tuple[Input, ...] = (
        Exchange("shuffle", 0, sum(reducers.cpu_s), "forward", pipelined=False, shares=work),
        *reducers.read(f"{job_id}/reduce-input"),
    )
    return (
        mapping,
        Stage("shuffle", (Exchange("map", sum(reducers.received), pipelined=overlapped, shares=shares),)),
        _stage("reduce", reducing, reducers.written_bytes),
    )


def recorded(whole_s: float, mapped_s: float, shuffled_s: float | None, longest_s: float | None) -> str:
    """What the stages of the job can be compared with, and the whole: spans of the maps and of the shuffle, and the
    longest reducer after its shuffle.
    """
    shuffled = "" if shuffled_s is None else f", transfers {shuffled_s:.1f} s"
    longest = "" if longest_s is None else f", longest reducer after its shuffle {longest_s:.1f} s"
    return f"Recorded: {whole_s:.1f} s from submission to end; maps {mapped_s:.1f} s{shuffled}{longest}."


def places(maps: Phase, reducers: Phase) -> str:
    """A line of a profile's provenance: how many tasks each host had."""
    had = f"maps {_by_host(maps)}; reducers {_by_host(reducers)}"
    return f"Tasks by host in the trace, which placement does not heed: {had}.\n"


def _by_host(phase: Phase) -> str:
    return ", ".join(f"{host} {count}" for host, count in sorted(Counter(phase.hosts).items())) or "none"


def _stage(name: str, inputs: tuple[Input, ...], written_bytes: int) -> Stage:
    return Stage(name, inputs, written_bytes, 3 if written_bytes else 1)


def _dealt(amounts: Sequence[float], containers: int, slots: int) -> tuple[float, ...]:
    """What each task slot gets when the reducers are dealt out to the containers in turn."""
    shares = [0.0] * containers * slots
    for i, amount in enumerate(amounts):
        shares[i % containers * slots + i // containers % slots] += amount
    while shares and not shares[-1]:
        shares.pop()
    return tuple(shares)
