"""Job profiles: YAML descriptions of kinds of jobs whose volumes scale with the input."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from workloads.job import Exchange, Input, Job, JobError, Read, Stage

_FOLDER = Path(__file__).parent
_GB = 1e9

_PROFILE_KEYS = {
    "name": str,
    "description": str,
    "provenance": str,
    "weights": dict,
    "input_bytes": int,
    "containers": int,
    "slots_per_container": int,
    "memory_mb": int,
    "vcores": int,
    "stages": list,
}
_NUMBER = (int, float)
_STAGE_KEYS = {
    "name": str,
    "inputs": list,
    "write_bytes_per_input_byte": _NUMBER,
    "write_bytes": _NUMBER,
    "write_replication": int,
}
_REPEAT_KEYS = {"repeat": int, "factors": list, "stages": list}
_ROUNDING = 1e-3
_LARGEST = 1.7e308  # integers of YAML have no bound, floating-point numbers do
_MOST_STAGES = 10_000
_READ_KEYS = {"read": str, "share": _NUMBER, "cpu_s_per_gb": _NUMBER, "block_bytes": int}
_EXCHANGE_KEYS = {
    "from": str,
    "initially": str,
    "kind": str,
    "pipelined": bool,
    "skew": _NUMBER,
    "shares": list,
    "bytes": _NUMBER,
    "bytes_per_input_byte": _NUMBER,
    "bytes_per_task": _NUMBER,
    "cpu_s_per_gb": _NUMBER,
    "cpu_s_per_moved_gb": _NUMBER,
}


class ProfileError(JobError):
    """A profile that does not describe a job; the message names the file, the field, the value and the remedy."""


@dataclass(frozen=True)
class Profile:
    """A kind of job.

    Attributes:
        name: Name.
        description: One sentence.
        provenance: Where the volumes come from and how far to trust them.
        weights: `closeness` and `locality` of the placement cost (thesis, Table 6.1), for `placement.Weights` to judge.
        input_bytes: Default size of the input.
        containers: Default number, with the application master.
        stages: The stages as the YAML file has them, checked.
    """

    name: str
    description: str
    provenance: str
    weights: Mapping[str, float]
    input_bytes: int
    containers: int
    slots_per_container: int
    memory_mb: int
    vcores: int
    stages: tuple[Mapping[str, Any], ...]

    def document(self) -> dict[str, Any]:
        """What `parse_profile` reads back to an equal profile."""
        return {**dataclasses.asdict(self), "stages": [dict(stage) for stage in self.stages]}

    def job(
        self,
        job_id: str,
        input_bytes: int | None = None,
        containers: int | None = None,
        shuffle_factor: float = 1.0,
    ) -> Job:
        """A job of this kind.

        Args:
            job_id: Names the job and, as `job_id/file`, its input files: every job has its own data.
            input_bytes: Modelled size of all input files; the profile's default when None.
            containers: With the application master; the profile's default when None.
            shuffle_factor: Multiplies the bytes of all repartitions and broadcasts, not their CPU work: for a platform
                that serialises or compresses otherwise than the one that the profile was recorded on.

        Raises:
            JobError: the numbers do not make a job.
        """
        if not (math.isfinite(shuffle_factor) and shuffle_factor >= 0):
            raise ProfileError(f"job {job_id}: shuffle_factor {shuffle_factor}; give a number of at least 0")
        size = self.input_bytes if input_bytes is None else input_bytes
        count = self.containers if containers is None else containers
        tasks = (count - 1) * self.slots_per_container
        return Job(
            job_id=job_id,
            profile=self.name,
            stages=_Unroller(job_id, size, tasks, shuffle_factor).stages(self.stages),
            containers=count,
            slots_per_container=self.slots_per_container,
            memory_mb=self.memory_mb,
            vcores=self.vcores,
        )


def profile_names() -> tuple[str, ...]:
    """Names of the profiles that come with the testbed."""
    return tuple(sorted(path.stem for path in _FOLDER.glob("*.yaml")))


def load_profile(name: str | Profile) -> Profile:
    """A profile that comes with the testbed by its name; what is a profile already is given back.

    Raises:
        ProfileError: no such profile.
    """
    if isinstance(name, Profile):
        return name
    if name not in profile_names():
        near = difflib.get_close_matches(name, profile_names(), 1)
        hint = f"do you mean {near[0]}?" if near else f"known: {', '.join(profile_names())}"
        raise ProfileError(f"profile {name!r}: not found; {hint}")
    return _of_the_testbed(name)


@functools.cache
def _of_the_testbed(name: str) -> Profile:
    path = _FOLDER / f"{name}.yaml"
    return parse_profile(yaml.safe_load(path.read_text(encoding="utf-8")), path.name)


def parse_profile(document: object, source: str) -> Profile:
    """The profile in a document that has been read already; `source` names it in errors.

    Raises:
        ProfileError: an unknown or missing key, or a value of the wrong type.
    """
    fields = _checked(source, document, _PROFILE_KEYS, frozenset(_PROFILE_KEYS))
    weights = _checked(f"{source}: weights", fields.pop("weights"), {"closeness": _NUMBER, "locality": _NUMBER})
    for stage in fields["stages"]:
        _check_stage(source, stage)
    _check_shares(source, fields["stages"])
    profile = Profile(**{**fields, "weights": weights, "stages": tuple(fields["stages"])})
    profile.job("check")
    return profile


class _Unroller:
    """Turns the stages of a profile into those of a job of one size."""

    def __init__(self, job_id: str, input_bytes: int, tasks: int, shuffle_factor: float) -> None:
        self._job_id = job_id
        self._input_bytes = input_bytes
        self._tasks = tasks
        self._shuffle_factor = shuffle_factor
        self._stages: dict[str, Stage] = {}
        self._latest: dict[str, str] = {}  # name in the profile -> name of its latest repetition
        self._shares_before = 0.0

    def stages(self, items: Sequence[Mapping[str, Any]]) -> tuple[Stage, ...]:
        for item in items:
            if "repeat" not in item:
                self._add(item, item["name"], 1.0)
                continue
            for i in range(item["repeat"]):
                factor = item["factors"][i] if "factors" in item else 1.0
                for stage in item["stages"]:
                    self._add(stage, f"{stage['name']}-{i + 1}", factor)
        return tuple(self._stages.values())

    def _add(self, item: Mapping[str, Any], name: str, factor: float) -> None:
        inputs = tuple(self._input(item["name"], entry, factor) for entry in item["inputs"])
        size = item.get("write_bytes", 0) + item.get("write_bytes_per_input_byte", 0.0) * self._input_bytes
        if name in self._stages:
            raise ProfileError(f"stage name {name!r}: used twice; give each its own")
        written = _whole(f"stage {name}: written bytes", size * factor)
        self._stages[name] = Stage(name, inputs, written, item.get("write_replication", 1))
        self._latest[item["name"]] = name

    def _input(self, stage: str, entry: Mapping[str, Any], factor: float) -> Input:
        cpu_s = entry.get("cpu_s_per_gb", 0.0) * self._input_bytes / _GB
        if "read" in entry:
            # Cumulative rounding: the files add up to exactly the input.
            before = round(self._shares_before * self._input_bytes)
            self._shares_before += entry["share"]
            size = round(self._shares_before * self._input_bytes) - before
            return Read(f"{self._job_id}/{entry['read']}", size, cpu_s * factor, entry.get("block_bytes"))
        source = self._latest.get(entry["from"]) or self._latest.get(entry.get("initially", ""))
        if source is None:
            raise ProfileError(f"stage {stage}: source {entry['from']!r} does not stand before it; add `initially`")
        size = factor * (
            entry.get("bytes", 0)
            + entry.get("bytes_per_input_byte", 0.0) * self._input_bytes
            + entry.get("bytes_per_task", 0) * self._tasks
        )
        kind = entry.get("kind", "repartition")
        moved = size * self._tasks if kind == "broadcast" else size
        cpu_s = cpu_s * factor + entry.get("cpu_s_per_moved_gb", 0.0) * moved / _GB
        return Exchange(
            source,
            _whole(f"stage {stage}: bytes from {source}", size if kind == "forward" else size * self._shuffle_factor),
            cpu_s,
            kind,
            entry.get("pipelined", True),
            entry.get("skew", 0.0),
            tuple(entry.get("shares", ())),
        )


def _whole(field: str, size: float) -> int:
    if not math.isfinite(size):
        raise ProfileError(f"{field} {size}; give smaller factors")
    return round(size)


def _check_stage(place: str, item: object) -> None:
    if isinstance(item, dict) and "repeat" in item:
        fields = _checked(f"{place}: repeat", item, _REPEAT_KEYS, frozenset({"repeat", "stages"}))
        if "factors" in fields and len(fields["factors"]) != fields["repeat"]:
            raise ProfileError(f"{place}: factors {fields['factors']}; give one for each of {fields['repeat']} repeats")
        for factor in fields.get("factors", ()):
            _check_number(f"{place}: factors", factor)
        if not 1 <= fields["repeat"] * max(1, len(fields["stages"])) <= _MOST_STAGES:
            raise ProfileError(
                f"{place}: repeat {fields['repeat']} of {len(fields['stages'])} stages; give at least 1 and at most "
                f"{_MOST_STAGES:,} stages in all"
            )
        for stage in fields["stages"]:
            if isinstance(stage, dict) and "repeat" in stage:
                raise ProfileError(f"{place}: repeat {stage['repeat']}: is within another; write its stages out")
            _check_stage(place, stage)
        return
    fields = _checked(f"{place}: stage", item, _STAGE_KEYS, frozenset({"name", "inputs"}))
    for entry in fields["inputs"]:
        where = f"{place}: input of stage {fields['name']}"
        if isinstance(entry, dict) and "read" in entry:
            _checked(where, entry, _READ_KEYS, frozenset({"read", "share"}))
        else:
            for share in _checked(where, entry, _EXCHANGE_KEYS, frozenset({"from"})).get("shares", ()):
                _check_number(f"{where}: shares", share)


def _check_number(place: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, _NUMBER) or not abs(value) <= _LARGEST:
        raise ProfileError(f"{place} hold {reprlib.repr(value)}; give a number for each")


def _check_shares(source: str, stages: Sequence[Mapping[str, Any]]) -> None:
    """What is read adds up to all of the input."""
    shares = [
        entry["share"] * item.get("repeat", 1)
        for item in stages
        for stage in item.get("stages", [item])
        for entry in stage["inputs"]
        if "read" in entry
    ]
    if shares and abs(sum(shares) - 1) > _ROUNDING:
        raise ProfileError(f"{source}: the shares that are read add up to {sum(shares):g}; make it 1")


def _checked(
    place: str, value: object, keys: Mapping[str, Any], required: frozenset[str] | None = None
) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ProfileError(f"{place}: {value!r} is not a mapping; see docs/workloads.md")
    for key, item in value.items():
        if key not in keys:
            near = difflib.get_close_matches(str(key), keys, 1)
            hint = f"; do you mean {near[0]}?" if near else f"; known: {', '.join(keys)}"
            raise ProfileError(f"{place}: unknown key {key!r}{hint}")
        if not isinstance(item, keys[key]):
            raise ProfileError(f"{place}: {key} {item!r} has the wrong type; see docs/workloads.md")
        if isinstance(item, _NUMBER) and not abs(item) <= _LARGEST:
            raise ProfileError(f"{place}: {key} {reprlib.repr(item)}; give a finite number")
    for key in sorted(keys if required is None else required):
        if key not in value:
            raise ProfileError(f"{place}: {key} is missing; add it")
    return dict(value)
