"""A results folder on disk: the specification, one folder a run, and what is derived from them.

results/<time>-<name>/
    specification.yaml
    runs/<run id>/record.json, events.parquet, links.parquet, fidelity.parquet, delays.parquet, files.parquet,
        transactions.parquet, retention/
    summary.json, datapackage.json, report.html, figures/
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.documents import nofollow
from experiments.documents.atomic import write_text
from experiments.documents.nofollow import FileError
from experiments.records import ownership, series
from experiments.records.reasons import reason
from experiments.records.record import RecordError, RunRecord
from experiments.specification import specification_file
from experiments.specification.model import Specification
from experiments.specification.plan import Run, runs_of
from experiments.specification.workload import self_contained

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class RunFolder:
    """One run on disk."""

    path: Path

    @property
    def run_id(self) -> str:
        """The run's id, which is the folder's name."""
        return self.path.name

    def record(self) -> RunRecord:
        """The run's record; one left "running" by a process that is gone is given as "interrupted".

        Raises:
            RecordError: there is none, it is damaged, or of another version.
        """
        record = self._read()
        if record.status == "running" and not self._is_locked():
            record = self._read()  # it may have finished between the two looks
            if record.status == "running":
                why = "the process that ran it was stopped before it could write the result"
                return record.updated(status="interrupted", reason=why)
        return record

    def _read(self) -> RunRecord:
        file = self.path / "record.json"
        try:
            return RunRecord.from_json(nofollow.read_text(file), source=str(file))
        except FileError as error:
            raise RecordError(str(error)) from error
        except PermissionError as error:
            raise RecordError(f"{file}: {error.strerror}; take the right to read it, or leave it out") from error
        except OSError as error:
            raise RecordError(f"{file}: {error.strerror}; give the folder of a run") from error

    def events(self) -> pl.DataFrame:
        """Rows of events.parquet (`series.EVENTS`), none when there is no such file."""
        return series.read(self.path / "events.parquet", series.EVENTS)

    def links(self) -> pl.DataFrame:
        """Rows of links.parquet (`series.LINKS`), none when there is no such file."""
        return series.read(self.path / "links.parquet", series.LINKS)

    def fidelity(self) -> pl.DataFrame:
        """Rows of fidelity.parquet (`series.FIDELITY`), none when there is no such file."""
        return series.read(self.path / "fidelity.parquet", series.FIDELITY)

    def delays(self) -> pl.DataFrame:
        """Rows of delays.parquet (`series.DELAYS`), none when there is no such file."""
        return series.read(self.path / "delays.parquet", series.DELAYS)

    def files(self) -> pl.DataFrame:
        """Rows of files.parquet (`series.FILES`), none when there is no such file."""
        return series.read(self.path / "files.parquet", series.FILES)

    def transactions(self) -> pl.DataFrame:
        """Rows of transactions.parquet (`series.TRANSACTIONS`), none when there is no such file."""
        return series.read(self.path / "transactions.parquet", series.TRANSACTIONS)

    @property
    def retention(self) -> Path:
        """Folder of the ledger of a run that retains files."""
        return self.path / "retention"

    @contextlib.contextmanager
    def writing(self, now: Callable[[], datetime]) -> Iterator[RunWriter]:
        """The run's only writer; a run whose block raises is recorded as failed, with the exception as its reason.

        Raises:
            RecordError: another process is writing this run.
        """
        nofollow.make_folder(self.path)
        with nofollow.folder(self.path) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RecordError(f"{self.path}: another process is writing this run; wait for it") from error
            writer = RunWriter(self)
            try:
                yield writer
            except BaseException as error:
                if writer.record is not None and writer.record.status == "running":
                    writer.save(writer.record.failed(now(), reason(error)))
                raise

    def _is_locked(self) -> bool:
        """Whether a living process is writing this run; the kernel releases the lock of one that dies."""
        with nofollow.folder(self.path) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            return False


class RunWriter:
    """Writes the files of one run; save the series before the finished record."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.record: RunRecord | None = None

    def save(self, record: RunRecord) -> None:
        """Write record.json, atomically."""
        if record.run_id != self.folder.run_id:
            raise RecordError(f"run_id {record.run_id!r}: belongs into another folder than {self.folder.path}")
        write_text(self.folder.path / "record.json", record.to_json())
        self.record = record

    def save_events(self, rows: series.Rows) -> None:
        """Write events.parquet from rows with the columns of `series.EVENTS`."""
        series.write(self.folder.path / "events.parquet", rows, series.EVENTS)

    def save_links(self, rows: series.Rows) -> None:
        """Write links.parquet from rows with the columns of `series.LINKS`."""
        series.write(self.folder.path / "links.parquet", rows, series.LINKS)

    def save_fidelity(self, rows: series.Rows) -> None:
        """Write fidelity.parquet from rows with the columns of `series.FIDELITY` and further numbers."""
        series.write(self.folder.path / "fidelity.parquet", rows, series.FIDELITY)

    def save_delays(self, rows: series.Rows) -> None:
        """Write delays.parquet from rows with the columns of `series.DELAYS`."""
        series.write(self.folder.path / "delays.parquet", rows, series.DELAYS)

    def save_files(self, rows: series.Rows) -> None:
        """Write files.parquet from rows with the columns of `series.FILES`."""
        series.write(self.folder.path / "files.parquet", rows, series.FILES)

    def save_transactions(self, rows: series.Rows) -> None:
        """Write transactions.parquet from rows with the columns of `series.TRANSACTIONS`."""
        series.write(self.folder.path / "transactions.parquet", rows, series.TRANSACTIONS)

    def save_stored(self, document: str) -> None:
        """Write retention/files.json: the files that there were at the end."""
        nofollow.make_folder(self.folder.retention)
        write_text(self.folder.retention / "files.json", document)


@dataclass(frozen=True)
class ResultsFolder:
    """All runs of one experiment on disk."""

    path: Path

    @classmethod
    def create(cls, parent: Path, specification: Specification, now: datetime) -> ResultsFolder:
        """A new folder below `parent`, named by time and experiment, that holds the specification.

        Profiles and schedules that lie in files become part of it: a folder depends on nothing outside.
        """
        whole = self_contained(specification)
        path = new_folder(parent, specification.name, now)
        write_text(path / "specification.yaml", specification_file.dump(whole))
        nofollow.make_folder(path / "runs")
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> ResultsFolder:
        """An existing folder.

        Raises:
            RecordError: it does not hold the results of an experiment.
            FileError: it is reached through a link.
        """
        if not (path / "runs").is_dir():
            raise RecordError(f"{path}: no folder of results, it has no runs/; give one that a run has made")
        with nofollow.folder(path / "runs"):
            return cls(path)

    def specification(self) -> Specification:
        """The specification that the runs follow."""
        return specification_file.loads(self.specification_text(), "specification.yaml")

    def specification_text(self) -> str:
        """The same as it is on disk."""
        return nofollow.read_text(self.path / "specification.yaml")

    def extended(self, repeats: object) -> Specification:
        """The specification with more repeats, a number as YAML has it; None leaves them as they are.

        Raises:
            SpecificationError: no number of repeats.
            RecordError: fewer than are planned.
        """
        kept = self.specification()
        wanted = kept if repeats is None else specification_file.replace(kept, [("repeats", repeats)])
        if wanted.repeats < kept.repeats:
            hint = f"{self.path} has {kept.repeats} planned; give more, or run fewer into a folder of their own"
            raise RecordError(f"repeats: {repeats}: {hint}")
        return wanted

    def extend(self, repeats: object) -> ResultsFolder:
        """Plan more repeats: the specification is written anew, whole; what has been run stays as it is.

        Raises:
            SpecificationError, RecordError: see `extended`.
        """
        wanted = self.extended(repeats)
        if wanted != self.specification():
            write_text(self.path / "specification.yaml", specification_file.dump(wanted))
        return self

    def assignments(self) -> list[Assignment]:
        """All runs, in the order in which to do them."""
        return [Assignment(self, run) for run in runs_of(self.specification())]

    def run(self, run_id: str) -> RunFolder:
        """The folder of one run, whether it exists yet or not."""
        return RunFolder(self.path / "runs" / run_id)

    def runs(self) -> tuple[RunFolder, ...]:
        """Folders of all runs that were started, by run id; those that one may not enter are among them."""
        return tuple(RunFolder(path) for path in sorted((self.path / "runs").iterdir()) if _may_hold_record(path))

    def records(self) -> tuple[RunRecord, ...]:
        """Records of all runs that were started, in the order in which they were.

        One that cannot be read is given as "damaged", with the reason, so that the others are not lost with it.

        Raises:
            RecordError: one cannot be read, and the specification does not know its run.
        """
        return tuple(sorted((self._record(run) for run in self.runs()), key=lambda record: record.started_at))

    def _record(self, folder: RunFolder) -> RunRecord:
        try:
            return folder.record()
        except RecordError as error:
            planned = {run.id: run for run in runs_of(self.specification())}
            run = planned.get(folder.run_id.removesuffix("-again"))
            if run is None:
                raise
            when = datetime.fromtimestamp(folder.path.stat().st_mtime, timezone.utc)
            return RunRecord.open(run, when, run_id=folder.run_id, status="damaged", reason=str(error))


@dataclass(frozen=True)
class Assignment:
    """A run and the results folder that it goes into; `place` tells the folder from others and ends with a slash."""

    folder: ResultsFolder
    run: Run
    prefix: str = ""


def new_folder(parent: Path, name: str, now: datetime) -> Path:
    """Make an empty folder below `parent`, named by time and name, and by a number when there is one of that name."""
    parent = nofollow.followed(parent)
    ownership.make_folder(parent)
    stem = f"{now:%Y%m%dT%H%M%S}-{name}"
    path, copy = parent / stem, 1
    while True:
        try:
            nofollow.make_new_folder(path)
            return path
        except FileExistsError:
            copy += 1
            path = parent / f"{stem}-{copy}"


def _may_hold_record(path: Path) -> bool:
    try:
        (path / "record.json").lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except PermissionError:
        pass  # to be told when it is read
    return True
