"""From the stages of a profile to those of a job of one size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from workloads.job import Exchange, JobError, Read, Result, Stage
from workloads.profiles.parts import FileInput, ProfileStage, Repeat, StageInput

_GB = 1e9


class ProfileError(JobError):
    """A profile that does not describe a job; the message names the field, the value and the remedy."""


class Unroller:
    """Turns the stages of a profile into those of a job of one size.

    Args:
        job_id: Names the job.
        file_bytes: Of which all files have their shares.
        tasks: Of each stage.
        shuffle_factor: On what is repartitioned or broadcast.
        results: Of other jobs, which stand for files, by the names of these.
        shares: Of all files, by name.
    """

    def __init__(
        self,
        job_id: str,
        file_bytes: int,
        tasks: int,
        shuffle_factor: float,
        results: Mapping[str, Result],
        shares: Mapping[str, float],
    ) -> None:
        self._job_id = job_id
        self._file_bytes = file_bytes
        self._results = results
        instead = round(file_bytes * sum(shares[name] for name in results))
        self._input_bytes = file_bytes - instead + sum(result.bytes for result in results.values())
        self._tasks = tasks
        self._shuffle_factor = shuffle_factor
        self._stages: dict[str, Stage] = {}
        self._latest: dict[str, str] = {}  # name in the profile -> name of its latest repetition
        self._shares_before = 0.0

    def stages(self, items: Sequence[Repeat | ProfileStage]) -> tuple[Stage, ...]:
        """Those of the job, in order.

        Raises:
            JobError: the numbers do not make stages.
        """
        for item in items:
            if isinstance(item, ProfileStage):
                self._add(item, item.name, 1.0)
                continue
            for i, factor in enumerate(item.factors or [1.0] * item.repeat):
                for stage in item.stages:
                    self._add(stage, f"{stage.name}-{i + 1}", factor)
        return tuple(self._stages.values())

    def _add(self, item: ProfileStage, name: str, factor: float) -> None:
        if name in self._stages:
            raise ProfileError(f"stage name {name!r}: used twice; give each its own")
        inputs = tuple(
            self._file(entry, factor) if isinstance(entry, FileInput) else self._exchange(item.name, entry, factor)
            for entry in item.inputs
        )
        size = item.write_bytes + item.write_bytes_per_input_byte * self._input_bytes
        written = _whole(f"stage {name}: written bytes", size * factor)
        self._stages[name] = Stage(name, inputs, written, item.write_replication)
        self._latest[item.name] = name

    def _file(self, entry: FileInput, factor: float) -> Read:
        # Cumulative rounding: the files add up to exactly the input.
        before = round(self._shares_before * self._file_bytes)
        self._shares_before += entry.share
        size = round(self._shares_before * self._file_bytes) - before
        cpu_s = entry.cpu_s_per_gb * self._input_bytes / _GB * factor
        if (result := self._results.get(entry.read)) is not None:
            return Read(result.folder, result.bytes, cpu_s, result_of=result.job_id)
        return Read(f"{self._job_id}/{entry.read}", size, cpu_s, entry.block_bytes)

    def _exchange(self, stage: str, entry: StageInput, factor: float) -> Exchange:
        source = self._latest.get(entry.source) or self._latest.get(entry.initially)
        if source is None:
            raise ProfileError(f"stage {stage}: source {entry.source!r} does not stand before it; add `initially`")
        size = factor * (
            entry.bytes + entry.bytes_per_input_byte * self._input_bytes + entry.bytes_per_task * self._tasks
        )
        moved = size * self._tasks if entry.kind == "broadcast" else size
        cpu_s = entry.cpu_s_per_gb * self._input_bytes / _GB * factor + entry.cpu_s_per_moved_gb * moved / _GB
        passed_on = size if entry.kind == "forward" else size * self._shuffle_factor
        return Exchange(
            source,
            _whole(f"stage {stage}: bytes from {source}", passed_on),
            cpu_s,
            entry.kind,
            entry.pipelined,
            entry.skew,
            tuple(entry.shares),
        )


def _whole(field: str, size: float) -> int:
    if not math.isfinite(size):
        raise ProfileError(f"{field} {size}; give smaller factors")
    return round(size)
