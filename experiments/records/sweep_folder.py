"""The folder of a sweep: the sweep, and an ordinary results folder for each of its points.

results/<time>-<name>/
    sweep.yaml
    points/<point id>/specification.yaml, runs/...
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from experiments.documents import nofollow
from experiments.documents.atomic import write_text
from experiments.records.record import RecordError
from experiments.records.results_folder import Assignment, ResultsFolder, new_folder
from experiments.specification import plan, specification_file, sweep_file
from experiments.specification.model import Specification
from experiments.specification.sweep import Point, Sweep, points
from experiments.specification.workload import self_contained


@dataclass(frozen=True)
class SweepFolder:
    """All runs of a sweep on disk."""

    path: Path

    @classmethod
    def create(cls, parent: Path, sweep: Sweep, now: datetime) -> SweepFolder:
        """A new folder below `parent`, named by time and sweep, that depends on nothing outside."""
        path = new_folder(parent, sweep.name, now)
        for point in points(sweep):
            whole = self_contained(point.specification)
            nofollow.make_folder(path / "points" / point.id / "runs")
            write_text(path / "points" / point.id / "specification.yaml", specification_file.dump(whole))
        write_text(path / "sweep.yaml", sweep_file.dump(sweep))  # last: a folder that has it is complete
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> SweepFolder:
        """An existing folder.

        Raises:
            RecordError: it does not hold the results of a sweep.
        """
        if not cls.is_at(path):
            raise RecordError(f"{path}: no folder of a sweep, it has no sweep.yaml; give one that `sweep` has made")
        return cls(path)

    @staticmethod
    def is_at(path: Path) -> bool:
        """Whether the results of a sweep are there, not those of an experiment or a run."""
        return (path / "sweep.yaml").is_file()

    def sweep(self) -> Sweep:
        """The sweep that the runs follow."""
        return sweep_file.loads(nofollow.read_text(self.path / "sweep.yaml"), "sweep.yaml", self.path)

    def points(self) -> tuple[Point, ...]:
        """The points of the sweep."""
        return points(self.sweep())

    def point(self, point: Point) -> ResultsFolder:
        """The results folder of a point."""
        return ResultsFolder.open(self.path / "points" / point.id)

    def extended(self, repeats: object) -> list[Specification]:
        """The specifications of the points with more repeats, a number as YAML has it; None leaves them as they are.

        Raises:
            SpecificationError: no number of repeats.
            RecordError: fewer than are planned, or the sweep varies them.
        """
        if repeats is not None and "repeats" in self.sweep().vary:
            raise RecordError(f"repeats: {repeats}: {self.path} varies them; leave them out")
        return [self.point(point).extended(repeats) for point in self.points()]

    def extend(self, repeats: object) -> SweepFolder:
        """Plan more repeats at all points: their specifications and the sweep are written anew, each whole.

        Raises:
            SpecificationError, RecordError: see `extended`; nothing is written then.
        """
        self.extended(repeats)
        if repeats is not None:
            for point in self.points():
                self.point(point).extend(repeats)
            sweep = self.sweep()
            wanted = sweep.model_copy(update={"set": {**sweep.set, "repeats": repeats}})
            write_text(self.path / "sweep.yaml", sweep_file.dump(wanted))
        return self

    def assignments(self) -> list[Assignment]:
        """All runs, in the order in which to do them: see `in_order`."""
        return in_order([self.point(point) for point in self.points()])


def in_order(folders: Sequence[ResultsFolder]) -> list[Assignment]:
    """The runs of several results folders, in the order in which to do them.

    Repeats are the outermost loop and the folders rotate by one with every repeat, so that slow changes of the machine
    hit all of them alike; within a folder the order is that of `plan.runs_of`.
    """
    runs = [(folder, plan.runs_of(folder.specification())) for folder in folders]
    repeats = max((run.repeat + 1 for _, resolved in runs for run in resolved), default=0)
    return [
        Assignment(folder, run, f"{folder.path.name}/")
        for repeat in range(repeats)
        for folder, resolved in runs[repeat % len(runs) :] + runs[: repeat % len(runs)]
        for run in resolved
        if run.repeat == repeat
    ]
