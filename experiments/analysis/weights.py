"""NeAwa's weights by measurement: a job alone under every share of closeness in the cost, and the fastest (6.4.2)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from experiments.analysis.estimates import Reduction, Spread
from experiments.analysis.likeness import differences, refuse
from experiments.analysis.pairing import against_fastest, cannot_be_told, select, summed_time_s
from experiments.documents.diagnostics import SpecificationError
from experiments.records.record import RecordError, RunRecord
from experiments.records.sweep_folder import SweepFolder
from experiments.specification import job_files
from experiments.specification.model import Specification
from experiments.specification.specification_file import replace
from experiments.specification.sweep import Sweep
from experiments.specification.workload import planned

PROFILE = "workload.jobs.0.profile"
"""What varies over the points of the sweep; the weights are its strategies."""


@dataclass(frozen=True)
class Arm:
    """One pair of weights; `behind` is against the best arm, over common repeats, None of the best itself.

    `tied` says that the arm is the best one or cannot be told from it: the 95 % interval of the difference includes 0,
    or there are not two pairs to make an interval of.
    """

    label: str
    time_s: Spread
    behind: Reduction | None
    tied: bool
    doubtful: bool
    simulated: bool


@dataclass(frozen=True)
class JobWeights:
    """The arms of one job that have finished runs, by weight, and the label of the fastest, None without arms."""

    profile: str
    arms: tuple[Arm, ...]
    best: str | None


def sweep_of(base: Specification, profiles: Sequence[str], steps: int = 11) -> Sweep:
    """The sweep that measures the weights of some jobs, each alone, at closeness 0 to 1 in equal steps.

    They read and hold what the jobs of the profile in `base` do, where it has any.

    Raises:
        SpecificationError: no profiles, fewer than two steps, more than one network, or jobs that differ.
    """
    if steps < 2 or steps > 101:
        raise SpecificationError([f"--steps {steps}: give 2 to 101; 11 are 0.0, 0.1, ... 1.0"])
    if len(base.topology.factors) > 1:
        raise SpecificationError(["topology.blocking_factor: several; weights are for one network, so give one"])
    if not profiles:
        raise SpecificationError(["--profile: none; name at least one job profile"])
    digits = next(digits for digits in (1, 2, 3) if digits == 3 or 10**digits % (steps - 1) == 0)
    closeness = [round(step / (steps - 1), digits) for step in range(steps)]
    arms = [
        {
            "name": "neawa",
            "label": f"{share:.{digits}f}",
            "weights": {"all": {"closeness": share, "locality": round(1 - share, digits)}},
        }
        for share in closeness
    ]
    values = {
        "name": "weights",
        "description": "NeAwa's weights by measurement: the share of closeness in the placement cost.",
        "strategies": arms,
        "workload": _workload(base, profiles),
    }
    return Sweep(
        name="weights",
        description=f"The fastest weights of NeAwa for {', '.join(profiles)}, each alone.",
        base=replace(base, values.items()),
        vary={PROFILE: tuple(dict.fromkeys(profiles))},
    )


def _workload(base: Specification, profiles: Sequence[str]) -> dict[str, Any]:
    """One job of the first profile, and what the specification says of all of them."""
    own = {name: item.document() for name, item in base.workload.profiles.items() if name in profiles}
    factors: dict[str, float] = {}
    asked: dict[str, str] = {}
    job: dict[str, Any] = {}
    for profile in profiles:
        name = profile_name(base, profile)
        if name in base.workload.shuffle_factors:
            factors[name] = base.workload.shuffle_factors[name]
        jobs = {one.job_id: one.overrides for one in planned(base) if one.profile == profile}
        for job_id, overrides in (jobs or {profile: {}}).items():
            job = dict(overrides)
            asked.setdefault(json.dumps(job, sort_keys=True), job_id)
    if len(asked) > 1:
        wanted = ", ".join(f"{job_id} {text}" for text, job_id in asked.items())
        hint = "weights are of one kind of job at a time; name those that are alike with --profile"
        raise SpecificationError([f"workload: jobs of other sizes ({wanted}); {hint}"])
    return {"jobs": [{**job, "profile": profiles[0]}], "shuffle_factors": factors, "profiles": own}


def profile_name(base: Specification, profile: str) -> str:
    """What a profile calls itself, which its name in a specification, or its path, need not be."""
    try:
        return (base.workload.profiles.get(profile) or job_files.profile(profile)).name
    except ValueError:  # the check of the sweep says what is wrong with it
        return profile


def evaluate(profile: str, records: Sequence[RunRecord], allow_mixed: bool = False) -> JobWeights:
    """Which weights were fastest in the runs of one job alone: the lowest median time over the repeats that all have.

    Raises:
        MixedRunsError: the runs cannot be compared, and `allow_mixed` is not set.
    """
    if not allow_mixed:
        refuse(differences(records))
    factor = next((record.blocking_factor for record in records), None)
    labels = dict.fromkeys(record.strategy for record in records)
    best, changes = against_fastest(records, sorted(labels, key=float), factor)
    arms = []
    for label in sorted(labels, key=float):
        runs = select(records, label, factor)
        if (time_s := runs.spread(summed_time_s)) is not None:
            tied = label == best or cannot_be_told(changes[label])
            arms.append(Arm(label, time_s, changes.get(label), tied, runs.doubtful, runs.simulated))
    return JobWeights(profile, tuple(arms), best)


def to_yaml(found: Iterable[JobWeights]) -> str:
    """The best weights of every job, as they stand under `strategies[].weights`."""
    weights = {}
    for job in found:
        if job.best is not None:
            closeness = float(job.best)
            weights[job.profile] = {"closeness": closeness, "locality": round(1 - closeness, 3)}
    return yaml.safe_dump({"weights": weights}, sort_keys=False)


def to_json(found: Iterable[JobWeights]) -> str:
    """All arms of every job as one JSON object; times in modelled seconds."""
    return json.dumps({"schema_version": 1, "jobs": [dataclasses.asdict(job) for job in found]}, indent=1)


def open_folder(path: Path) -> SweepFolder:
    """The folder of a sweep over weights.

    Raises:
        RecordError: it is none.
    """
    folder = SweepFolder.open(path)
    if PROFILE not in folder.sweep().vary:
        raise RecordError(f"{path}: no sweep over weights; give a folder that `calibrate-weights` has made")
    return folder


def read(folder: SweepFolder, allow_mixed: bool = False) -> list[JobWeights]:
    """What the runs of a sweep over weights say of every job: see `evaluate`."""
    found = []
    for point in folder.points():
        name = profile_name(point.specification, str(point.values[PROFILE]))
        found.append(evaluate(name, folder.point(point).records(), allow_mixed))
    return found
