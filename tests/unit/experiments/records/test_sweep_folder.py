"""Sweeps on disk: in which order their runs are done, and that a kill costs nothing but the run at hand."""

import collections
import os
import signal
import subprocess
import sys
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from experiments.documents import atomic
from experiments.errors import ExperimentError
from experiments.records.record import JobRecord, RecordError
from experiments.records.sweep_folder import SweepFolder
from experiments.runs import campaign
from experiments.runs.progress import Reporter
from experiments.specification.sweep_file import loads
from tests.unit.experiments.synthetic import START, opened

SWEEP = """
name: small
base: thesis
set: {repeats: 3, strategies: [default, neawa]}
vary: {data.replication: [1, 2, 3]}
"""
JOB = JobRecord(job_id="a", profile="kmeans", submitted_s=10, started_s=11, finished_s=40)
QUIET = Reporter(Console(quiet=True), quiet=True)


@pytest.fixture
def folder(tmp_path):
    return SweepFolder.create(tmp_path, loads(SWEEP), START)


class Killed(BaseException):
    """The process is gone: nothing is written from here on."""


class Dry:
    """Writes records instead of emulating; dies at the given number of atomic writes, counted from its start."""

    def __init__(self, dies_after=None, doubtful=()):
        self.finished: collections.Counter[str] = collections.Counter()
        self._writes, self._dies_after, self._doubtful = 0, dies_after, doubtful
        self._write = atomic.atomic_file

    def atomic_file(self, path):
        self._writes += 1
        if self._dies_after is not None and self._writes > self._dies_after:
            raise Killed
        return self._write(path)

    def execute(self, assignment, run, _say):
        name = f"{assignment.prefix}{run.id}"
        verdict = "doubtful" if name.removesuffix("-again") in self._doubtful else "trusted"
        started = START + timedelta(minutes=self._writes)
        with assignment.folder.run(run.id).writing(lambda: started) as writer:
            writer.save(opened(run, started))
            writer.save(opened(run, started).finished(started, [JOB], fidelity={"verdict": verdict}))
        self.finished[name] += 1

    def go(self, folder):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(atomic, "atomic_file", self.atomic_file)
            return campaign.do(folder.assignments(), self.execute, QUIET)


def names(folder):
    return [f"{one.prefix}{one.run.id}" for one in folder.assignments()]


def test_a_folder_holds_the_sweep_and_a_results_folder_for_each_point(folder):
    again = SweepFolder.open(folder.path)
    assert again.sweep() == loads(SWEEP)
    for point in again.points():
        assert again.point(point).specification() == point.specification


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(RecordError, match=r"no sweep\.yaml; give one that `sweep` has made"):
        SweepFolder.open(tmp_path)


def test_every_run_is_there_once(folder):
    assert len(names(folder)) == len(set(names(folder))) == 3 * 3 * 2


def test_repeats_are_outermost_and_points_rotate(folder):
    assignments = folder.assignments()
    assert [one.run.repeat for one in assignments] == [0] * 6 + [1] * 6 + [2] * 6
    firsts = [assignments[6 * repeat].folder.path.name for repeat in range(3)]
    assert len(set(firsts)) == 3
    for start in range(0, 18, 2):
        assert len({one.folder.path for one in assignments[start : start + 2]}) == 1


def test_a_repeat_has_one_seed_at_all_points(folder):
    seeds = {(one.run.repeat, one.run.seed) for one in folder.assignments()}
    assert seeds == {(0, 1), (1, 2), (2, 3)}


def test_points_with_different_repeats_and_seeds(tmp_path):
    folder = SweepFolder.create(
        tmp_path, loads("name: a\nbase: thesis\nvary: {repeats: [1, 3], seed: [1, 9]}\n"), START
    )
    assignments = folder.assignments()
    assert len({(one.prefix, one.run.id) for one in assignments}) == len(assignments) == 2 * 3 * (1 + 3)
    assert {one.run.seed for one in assignments} == {1, 2, 3, 9, 10, 11}


def test_more_repeats_add_runs_at_all_points_and_keep_those_that_are_done(folder):
    dry = Dry()
    assert dry.go(folder) == []
    before = {path: path.read_bytes() for path in folder.path.glob("points/*/runs/*/record.json")}
    assert folder.extend(5) == folder
    again = Dry()
    assert again.go(SweepFolder.open(folder.path)) == []
    assert len(again.finished) == 3 * 2 * 2
    assert dry.finished.keys().isdisjoint(again.finished)
    assert all(path.read_bytes() == content for path, content in before.items())
    assert {point.specification.repeats for point in folder.points()} == {5}
    assert [point.specification for point in folder.points()] == folder.extended(None)


def test_more_repeats_after_a_kill_amid_the_extension(folder, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(atomic, "atomic_file", Dry(dies_after=2).atomic_file)
        with pytest.raises(Killed):
            folder.extend(5)
    assert [one.repeats for one in folder.extended(None)] == [5, 5, 3]
    folder.extend(5)
    assert [one.repeats for one in folder.extended(None)] == [5, 5, 5]


@pytest.mark.parametrize(("repeats", "said"), [(2, "has 3 planned; give more"), ("soon", "'soon'"), (10**6, "10000")])
def test_what_are_no_more_repeats_is_refused_and_nothing_is_written(folder, repeats, said):
    before = {path: path.read_bytes() for path in folder.path.rglob("*.yaml")}
    with pytest.raises(ExperimentError, match=said):
        folder.extend(repeats)
    assert {path: path.read_bytes() for path in folder.path.rglob("*.yaml")} == before


def test_repeats_that_vary_cannot_be_more(tmp_path):
    folder = SweepFolder.create(tmp_path, loads("name: a\nbase: thesis\nvary: {repeats: [1, 3]}\n"), START)
    with pytest.raises(RecordError, match="varies them; leave them out"):
        folder.extend(5)


@settings(max_examples=15, deadline=None)
@given(
    kills=st.lists(st.integers(0, 25), max_size=6),
    doubtful=st.sets(st.integers(0, 11), max_size=3),
)
def test_whenever_it_is_killed_nothing_is_run_twice_and_nothing_is_lost(kills, doubtful):
    text = SWEEP.replace("[1, 2, 3]", "[1, 2]")
    with tempfile.TemporaryDirectory() as parent:
        folder = SweepFolder.create(Path(parent), loads(text), START)
        poor = {names(folder)[number] for number in doubtful}
        finished: collections.Counter[str] = collections.Counter()
        for dies_after in [*kills, None]:
            dry = Dry(dies_after, poor)
            try:
                assert dry.go(SweepFolder.open(folder.path)) == []
            except Killed:
                assert dies_after is not None
            finished += dry.finished
        assert dry.go(folder) == []
        assert finished == collections.Counter([*names(folder), *(f"{name}-again" for name in poor)])
        records = [record for point in folder.points() for record in folder.point(point).records()]
        assert {record.status for record in records} == {"finished"}


@pytest.mark.parametrize("dies_after", range(4))
def test_killed_while_it_is_made_it_has_run_nothing(tmp_path, dies_after, monkeypatch):
    dry = Dry(dies_after)
    monkeypatch.setattr(atomic, "atomic_file", dry.atomic_file)
    with pytest.raises(Killed):
        SweepFolder.create(tmp_path, loads(SWEEP), START)
    (path,) = tmp_path.iterdir()
    assert not SweepFolder.is_at(path)
    assert not list(path.rglob("record.json"))


def test_a_real_kill_leaves_a_folder_to_resume(folder):
    script = (
        "import sys, pathlib, os, signal\n"
        "from experiments.runs import campaign\n"
        "from experiments.records.sweep_folder import SweepFolder\n"
        "from tests.unit.experiments.records.test_sweep_folder import QUIET, Dry\n"
        "dry = Dry()\n"
        "def execute(assignment, run, say):\n"
        "    if sum(dry.finished.values()) == 3:\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    dry.execute(assignment, run, say)\n"
        "campaign.do(SweepFolder.open(pathlib.Path(sys.argv[1])).assignments(), execute, QUIET)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(folder.path)], env=os.environ, check=False)
    assert done.returncode == -signal.SIGKILL
    dry = Dry()
    assert dry.go(folder) == []
    assert sorted(dry.finished) == sorted(names(folder)[3:])


def test_a_failed_run_is_named_with_its_point_and_the_others_go_on(folder):
    dry = Dry()
    broken = names(folder)[4]

    def execute(assignment, run, on_progress):
        if f"{assignment.prefix}{run.id}" == broken:
            raise TimeoutError("no route")
        dry.execute(assignment, run, on_progress)

    assert campaign.do(folder.assignments(), execute, QUIET) == [f"{broken}: no route"]
    assert len(dry.finished) == 17
    assert [f"{one.prefix}{one.run.id}" for one in campaign.unfinished(folder.assignments())] == [broken]
