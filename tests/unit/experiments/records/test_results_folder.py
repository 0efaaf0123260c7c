"""Run records on disk: complete or absent, and honest about how a run ended."""

import dataclasses
import errno
import json
import os
import re
import signal
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.documents.atomic import atomic_file, write_text
from experiments.documents.nofollow import FileError
from experiments.records.record import JobRecord, ReadBytes, RecordError, RunRecord
from experiments.records.results_folder import ResultsFolder, new_folder
from experiments.records.series import EVENTS, FIDELITY, SeriesError
from experiments.records.verdict import Sample
from experiments.specification.plan import runs_of
from tests.unit.experiments.synthetic import START, opened, results, specification

JOB = JobRecord(job_id="a", profile="kmeans", submitted_s=10, started_s=11, finished_s=40)


@pytest.fixture
def folder(tmp_path):
    return ResultsFolder.create(tmp_path, specification(), START)


@pytest.fixture
def run():
    return runs_of(specification())[0]


def later():
    return START + timedelta(minutes=5)


def test_a_record_survives_writing(tmp_path):
    for record in results(tmp_path).records():
        assert RunRecord.from_json(record.to_json()) == record


def test_the_completion_time_runs_from_the_submission():
    assert JOB.completion_time_s == 30


def test_the_makespan_runs_from_the_first_submission(run):
    other = JobRecord(job_id="b", profile="kmeans", submitted_s=20, started_s=21, finished_s=99)
    assert opened(run).finished(later(), [JOB, other]).makespan_s == 89


def test_a_finished_run_has_finished_jobs_only(run):
    lost = JobRecord(job_id="b", profile="kmeans", submitted_s=20, reason="its container died")
    with pytest.raises(RecordError, match="unfinished jobs b"):
        opened(run).finished(later(), [JOB, lost])
    with pytest.raises(RecordError, match="no jobs"):
        opened(run).finished(later(), [])
    assert opened(run).failed(later(), "b failed", jobs=(JOB, lost)).jobs[1].completion_time_s is None


def test_a_job_without_end_needs_a_reason():
    with pytest.raises(ValueError, match="finished_s is missing"):
        JobRecord(job_id="a", profile="kmeans", submitted_s=0)
    with pytest.raises(ValueError, match="before submitted_s"):
        JobRecord(job_id="a", profile="kmeans", submitted_s=5, finished_s=4)


def test_times_of_day_have_a_zone(run):
    with pytest.raises(RecordError, match="time zone"):
        opened(run, datetime(2026, 1, 1))


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**12))
def test_the_local_share_is_a_share(local, rack, remote):
    share = ReadBytes(local=local, rack=rack, remote=remote).local_share
    assert share is None if local + rack + remote == 0 else 0 <= share <= 1


def test_another_version_is_refused(run):
    text = json.dumps({**json.loads(opened(run).to_json()), "schema_version": 99})
    with pytest.raises(RecordError, match="schema_version 99: this version reads 1"):
        RunRecord.from_json(text)


def test_the_specification_is_kept(folder):
    assert folder.specification() == specification()
    assert ResultsFolder.open(folder.path) == folder


def test_two_experiments_in_one_second_get_two_folders(folder):
    other = ResultsFolder.create(folder.path.parent, specification(), START)
    assert other.path != folder.path


def test_what_is_no_results_folder_is_refused(tmp_path):
    with pytest.raises(RecordError, match="no folder of results"):
        ResultsFolder.open(tmp_path)


def test_a_run_is_running_while_it_is_written_and_finished_after(folder, run):
    with folder.run(run.id).writing(later) as writer:
        writer.save(opened(run))
        assert folder.run(run.id).record().status == "running"
        writer.save(opened(run).finished(later(), [JOB]))
    assert folder.run(run.id).record().status == "finished"


def test_an_exception_is_recorded_as_a_failure(folder, run):
    def run_it():
        with folder.run(run.id).writing(later) as writer:
            writer.save(opened(run))
            raise TimeoutError("no route\nto h3")

    with pytest.raises(TimeoutError):
        run_it()
    record = folder.run(run.id).record()
    assert (record.status, record.reason) == ("failed", "TimeoutError: no route to h3")
    assert record.finished_at == later()


def test_a_disk_that_has_no_room_for_the_failure_leaves_an_interrupted_run(folder, run, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    def run_it():
        with folder.run(run.id).writing(later) as writer:
            writer.save(opened(run))
            monkeypatch.setattr("experiments.records.results_folder.write_text", refuse)
            raise TimeoutError("no route")

    with pytest.raises(OSError, match="No space"):
        run_it()
    assert folder.run(run.id).record().status == "interrupted"


def test_a_reason_may_name_files_whose_names_are_no_text(folder, run):
    name = os.fsdecode(b"caf\xe9")

    def run_it():
        with folder.run(run.id).writing(later) as writer:
            writer.save(opened(run))
            raise FileError(f"{name}: a symbolic link")

    with pytest.raises(FileError, match="link"):
        run_it()
    assert folder.run(run.id).record().reason == r"FileError: caf\udce9: a symbolic link"
    write_text(folder.path / "failure.txt", name)
    assert (folder.path / "failure.txt").read_text() == r"caf\udce9"


def test_an_exception_after_the_end_leaves_the_result(folder, run):
    def run_it():
        with folder.run(run.id).writing(later) as writer:
            writer.save(opened(run).finished(later(), [JOB]))
            raise OSError("teardown")

    with pytest.raises(OSError, match="teardown"):
        run_it()
    assert folder.run(run.id).record().status == "finished"


def test_a_run_has_one_writer(folder, run):
    with folder.run(run.id).writing(later), pytest.raises(RecordError, match="another process"):
        folder.run(run.id).writing(later).__enter__()


def test_a_killed_process_leaves_an_interrupted_run(folder, run):
    script = (
        "import sys, pathlib\n"
        "from experiments.records.results_folder import RunFolder\n"
        "from tests.unit.experiments.synthetic import START, opened, specification\n"
        "from experiments.specification.plan import runs_of\n"
        "run = runs_of(specification())[0]\n"
        "with RunFolder(pathlib.Path(sys.argv[1])).writing(lambda: START) as writer:\n"
        "    writer.save(opened(run)); print('saved', flush=True); sys.stdin.read()\n"
    )
    command = [sys.executable, "-c", script, str(folder.run(run.id).path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "saved\n"
        assert folder.run(run.id).record().status == "running"
        os.kill(process.pid, signal.SIGKILL)
        process.wait(10)
    record = folder.run(run.id).record()
    assert record.status == "interrupted"
    assert "stopped" in record.reason


def test_a_folder_that_one_may_not_enter_is_named_with_the_reason(folder, run, monkeypatch):
    with folder.run(run.id).writing(later) as writer:
        writer.save(opened(run).finished(later(), [JOB]))
    (folder.path / "runs" / "notes.txt").touch()
    (folder.path / "runs" / "never-started").mkdir()
    assert [one.run_id for one in folder.runs()] == [run.id]

    def refuse(path, *_, **__):  # as the kernel does whoever is not root
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "lstat", refuse)
    monkeypatch.setattr("experiments.documents.nofollow.reading", refuse)
    closed = next(one for one in folder.runs() if one.run_id == run.id)
    with pytest.raises(RecordError, match=rf"runs/{run.id}/record.json: Permission denied; take the right to read it"):
        closed.record()


def test_a_folder_swapped_for_a_link_in_mid_run_is_refused_and_nothing_is_written_through_it(folder, run, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for path in (folder.run(run.id).path, folder.path / "runs", folder.path):
        with folder.run(run.id).writing(later) as writer:
            writer.save(opened(run))
            path.rename(tmp_path / "aside")
            path.symlink_to(elsewhere)
            for write in (
                lambda: writer.save(opened(run)),
                lambda: writer.save_events([]),
                lambda: writer.save_links([]),
            ):
                with pytest.raises(FileError, match=f"{path}: a symbolic link"):
                    write()
            path.unlink()
            (tmp_path / "aside").rename(path)
            writer.save(opened(run).finished(later(), [JOB]))
        assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("name", ["record.json", "events.parquet"])
def test_files_of_a_run_that_are_links_are_refused(name, folder, run, tmp_path):
    with folder.run(run.id).writing(later) as writer:
        writer.save(opened(run))
        writer.save_events([])
    file = folder.run(run.id).path / name
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    held = folder.run(run.id)
    read, error = (held.record, RecordError) if name == "record.json" else (held.events, SeriesError)
    with pytest.raises(error, match=f"{name}: a symbolic link"):
        read()


def replace_in(file, **fields):
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def become_a_pipe(file):
    file.unlink()
    os.mkfifo(file)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda file: file.write_bytes(b"\xff"), "not a text in UTF-8"),
        (lambda file: file.write_text(file.read_text()[:-9]), "Invalid JSON"),
        (become_a_pipe, "no regular file"),
        (lambda file: (file.unlink(), file.symlink_to("/dev/zero")), "a symbolic link"),
        (lambda file: file.write_text(re.sub(r'"repeat": *1', '"repeat":' + "9" * 30, file.read_text())), "repeat"),
        (lambda file: replace_in(file, specification={"strategies": ["default"]}), "specification.strategies.0"),
        (lambda file: replace_in(file, topology={"hosts": 3}), "topology: schema_version"),
        (lambda file: replace_in(file, strategy="\x1b[31m"), "strategy: String should match"),
        (lambda file: replace_in(file, makespan_s=float("nan")), "makespan_s"),
        (lambda file: replace_in(file, experiment="\ud800"), "Invalid JSON"),
    ],
)
def test_a_damaged_run_is_listed_with_its_reason_beside_the_others(damage, said, tmp_path):
    folder = results(tmp_path, "repeats=2", "strategies=[default]")
    first, second = folder.runs()
    damage(second.path / "record.json")
    by_id = {record.run_id: record for record in folder.records()}
    assert by_id[first.run_id].status == "finished"
    lost = by_id[second.run_id]
    assert (lost.status, lost.strategy, lost.repeat) == ("damaged", "default", 1)
    assert said in lost.reason
    assert str(second.path) in lost.reason


@pytest.mark.parametrize("content", [b"PAR1", b"", b"\x00" * 99])
def test_damaged_series_are_named(folder, run, content):
    with folder.run(run.id).writing(later) as writer:
        writer.save(opened(run))
    (folder.run(run.id).path / "events.parquet").write_bytes(content)
    with pytest.raises(SeriesError, match=r"events.parquet: damaged .*; do the run again"):
        folder.run(run.id).events()


def test_a_column_of_another_type_is_damage(folder, run):
    with folder.run(run.id).writing(later) as writer:
        writer.save(opened(run))
    pl.DataFrame({"time_s": ["soon"]}).write_parquet(folder.run(run.id).path / "events.parquet")
    with pytest.raises(SeriesError, match=r"events.parquet: damaged"):
        folder.run(run.id).events()


def test_series_come_back_and_absent_ones_are_empty(folder, run):
    assert folder.run(run.id).events().height == 0
    with folder.run(run.id).writing(later) as writer:
        writer.save_events(
            [{"time_s": 1, "kind": "read", "bytes": 5, "local": True}, {"time_s": 2.5, "kind": "compute"}]
        )
        writer.save_links([])
        writer.save_fidelity([{"time_wall_s": 1, "own_figure": 3}])
    assert folder.run(run.id).events()["time_s"].to_list() == [1.0, 2.5]
    assert folder.run(run.id).events()["bytes"].to_list() == [5, None]
    assert folder.run(run.id).fidelity()["own_figure"].to_list() == [3.0]


def test_columns_that_a_file_does_not_have_yet_are_null(folder, run):
    path = folder.run(run.id).path / "events.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame({"time_s": [1.0], "kind": ["sample"]}).write_parquet(path)
    events = folder.run(run.id).events()
    assert set(events.columns) == set(EVENTS)
    assert events["memory_bytes"].to_list() == [None]


def test_a_misspelt_column_is_refused(folder, run):
    with folder.run(run.id).writing(later) as writer:
        with pytest.raises(SeriesError, match="'byte'"):
            writer.save_events([{"time_s": 1.0, "kind": "read", "byte": 5}])
        with pytest.raises(SeriesError, match=r"events\.parquet"):
            writer.save_events([{"time_s": "soon", "kind": "read"}])
    assert not (folder.run(run.id).path / "events.parquet").exists()


def test_a_file_appears_complete_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def write_half():
        with atomic_file(path) as file:
            file.write(b"half of the n")
            raise OSError("disk")

    with pytest.raises(OSError, match="disk"):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_starting_the_program_does_not_load_figures_and_tables():
    script = (
        "import sys, experiments.specification.specification_file, experiments.records.results_folder\n"
        "import experiments.analysis.comparison, experiments.report.terminal.table\n"
        "print([name for name in ('matplotlib', 'polars', 'jinja2') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_sample_of_the_machine_has_its_column():
    assert {field.name for field in dataclasses.fields(Sample)} == set(FIDELITY)


def test_an_output_folder_that_leads_nowhere_is_refused_at_once(tmp_path):
    (tmp_path / "results").symlink_to(tmp_path / "not mounted")
    with pytest.raises(FileError, match="results: a symbolic link"):
        new_folder(tmp_path / "results", "thesis", datetime.now(timezone.utc))


def test_folders_of_one_moment_are_numbered(tmp_path):
    now = datetime(2026, 3, 2, tzinfo=timezone.utc)
    names = [new_folder(tmp_path / "a" / "b", "thesis", now).name for _ in range(3)]
    assert names == ["20260302T000000-thesis", "20260302T000000-thesis-2", "20260302T000000-thesis-3"]


@pytest.mark.parametrize("time_s", [None, float("nan"), float("inf")])
def test_rows_without_a_time_are_damage(folder, run, time_s):
    with folder.run(run.id).writing(later) as writer:
        writer.save(opened(run))
    frame = pl.DataFrame({"time_s": [1.0, time_s], "kind": ["sample"] * 2})
    frame.write_parquet(folder.run(run.id).path / "events.parquet")
    with pytest.raises(SeriesError, match=r"damaged \(time_s is missing in a row\)"):
        folder.run(run.id).events()
