"""Sweeps on a Dask cluster of worker processes: nothing lost with a worker or the caller, one run at a time."""

import functools
import io
import itertools
import json
import signal
import subprocess
import sys
import tarfile
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import distributed
import pytest
from rich.console import Console

from experiments.commands.main import main
from experiments.records.results_folder import ResultsFolder
from experiments.records.sweep_folder import SweepFolder
from experiments.runs import campaign, dask_cluster
from experiments.runs.dask_cluster import ClusterError
from experiments.runs.dask_worker import PROBLEMS
from experiments.runs.progress import Reporter
from experiments.specification.sweep_file import loads
from tests.emulation.small_run import specification as small
from tests.unit.experiments.synthetic import START, write_run

SWEEP = """
name: small
base: thesis
set: {repeats: 1, strategies: [default, neawa]}
vary: {data.replication: [1, 3]}
"""
EMULATED = dask_cluster.Wanted("emulated", force=False)
QUIET = Reporter(Console(quiet=True), quiet=True)
DRY = (sys.executable, "-m", "tests.unit.experiments.dry_runs")


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The address of a cluster of two worker processes on this machine, and the folder of their diary."""
    path = tmp_path_factory.mktemp("cluster")
    (path / "diary").mkdir()
    workers = {"n_workers": 2, "threads_per_worker": 2, "resources": {"emulation": 1}}
    quiet = {"dashboard_address": None, "silence_logs": "CRITICAL"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DRY_DIARY", str(path / "diary"))  # the workers inherit it
        with patch.context() as elsewhere:
            elsewhere.chdir(path)  # and this: whatever they start is found from anywhere
            started = distributed.LocalCluster(**workers, **quiet, local_directory=str(path / "scratch"))
        with started:
            yield started.scheduler_address, path / "diary"


@pytest.fixture
def address(local):
    return local[0]


@pytest.fixture
def diary(local):
    for page in local[1].iterdir():
        page.unlink()
    return local[1]


@pytest.fixture
def folder(tmp_path):
    return SweepFolder.create(tmp_path / "results", loads(SWEEP), START)


def go(address, folder, program=DRY):
    with dask_cluster.connect(address) as client:
        return dask_cluster.run_all(client, folder.assignments(), EMULATED, QUIET, pytest.fail, program)


def pages(diary):
    read = [json.loads(path.read_text()) for path in diary.glob("*.json")]
    return sorted(read, key=lambda page: page["begin"])


def names(folder):
    return sorted(f"{one.prefix}{one.run.id}" for one in folder.assignments())


def test_all_runs_come_back_and_never_two_at_a_time_on_one_machine(address, diary, folder):
    assert go(address, folder) == []
    assert campaign.unfinished(folder.assignments()) == []
    diary_pages = pages(diary)
    assert sorted(page["name"] for page in diary_pages) == names(folder)
    assert all(one["end"] <= other["begin"] for one, other in itertools.pairwise(diary_pages))
    point = folder.points()[0]
    assert folder.point(point).run("r00-bf5-neawa").events().height > 0


def test_a_killed_worker_loses_its_task_to_another(address, diary, folder):
    (diary / "kill").touch()
    assert go(address, folder) == []
    assert not (diary / "kill").exists()
    assert campaign.unfinished(folder.assignments()) == []
    assert sorted(page["name"] for page in pages(diary)) == names(folder)


CALLER = """
import sys
from pathlib import Path
from experiments.records.sweep_folder import SweepFolder
from tests.unit.experiments.runs.test_dask_cluster import go
go(sys.argv[1], SweepFolder.open(Path(sys.argv[2])))
"""


def test_a_killed_caller_loses_only_what_had_not_come_back(address, diary, tmp_path):
    folder = SweepFolder.create(tmp_path, loads(SWEEP.replace("[1, 3]", "[1, 2, 3]")), START)
    (diary / "slow").touch()
    everything = set(names(folder))
    caller = subprocess.Popen([sys.executable, "-c", CALLER, address, str(folder.path)])
    while len(left := campaign.unfinished(folder.assignments())) > len(everything) - 2:
        assert caller.poll() is None
        time.sleep(0.05)
    caller.kill()
    caller.wait()
    (diary / "slow").unlink()
    came_back = everything - {f"{one.prefix}{one.run.id}" for one in left}
    assert came_back < everything
    assert go(address, folder) == []
    assert campaign.unfinished(folder.assignments()) == []
    done = pages(diary)
    times = Counter(page["name"] for page in done)
    assert set(times) == everything
    assert {times[name] for name in came_back} == {1}
    assert all(one["end"] <= other["begin"] for one, other in itertools.pairwise(done))


def test_what_has_finished_is_not_run_again(address, diary, folder):
    first, *rest = folder.assignments()
    write_run(first.folder, first.run, START)
    assert go(address, folder) == []
    assert sorted(page["name"] for page in pages(diary)) == sorted(f"{one.prefix}{one.run.id}" for one in rest)
    assert go(address, folder) == []
    assert len(pages(diary)) == len(rest)


def test_failures_come_back_with_their_names_and_reasons(address, diary, folder):
    (diary / "fail").touch()
    problems = go(address, folder)
    wrong = sorted(name for name in names(folder) if "neawa" in name)
    assert sorted(problems) == [f"{name}: no route to h3" for name in wrong]
    assert len(pages(diary)) == 2


def test_a_failure_is_told_of_the_run_that_failed(address, diary, folder):
    (diary / "fail").touch()
    told = io.StringIO()
    with dask_cluster.connect(address) as client:
        reporter = Reporter(Console(file=told, width=200))
        dask_cluster.run_all(client, folder.assignments(), EMULATED, reporter, pytest.fail, DRY)
    lines = told.getvalue().splitlines()
    news = {line.split()[2].rstrip(":"): line.partition(": ")[2] for line in lines}
    assert set(news) == set(names(folder))
    for name, said in news.items():
        assert said == (f"{name}: no route to h3" if "neawa" in name else "finished")
    assert max(float(line.split()[0]) for line in lines) > 0  # of what its task took every run has a share


def test_the_command_brings_a_sweep_back_from_a_cluster(address, diary, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(dask_cluster, "run_all", functools.partial(dask_cluster.run_all, program=DRY))
    wanted = tmp_path / "small.yaml"
    wanted.write_text(SWEEP)
    asked = ["--scheduler", address, "--draws", "0"]  # the runs have other jobs than the twin would simulate
    assert main(["sweep", str(wanted), *asked, "--output", str(tmp_path / "results"), "--json"]) == 0
    assert [point["runs"] for point in json.loads(capsys.readouterr().out)["points"]] == [2, 2]
    (folder,) = (tmp_path / "results").iterdir()
    assert (folder / "report.html").is_file()
    assert len(pages(diary)) == 4
    assert main(["sweep", "--resume", str(folder), *asked, "--quiet"]) == 0
    assert len(pages(diary)) == 4


def test_a_program_that_ends_says_its_last_words(address, folder):
    problems = go(address, folder, (sys.executable, "-c", "raise SystemExit('error: no root')"))
    assert len(problems) == 2
    assert all("exit code 1" in line and line.endswith("error: no root") for line in problems)


def test_a_program_that_is_stuck_is_ended(address, tmp_path, monkeypatch):
    monkeypatch.setattr(dask_cluster, "_RUN_DEADLINE_S", 0)
    folder = SweepFolder.create(tmp_path, loads(SWEEP.replace("set: {", "set: {job_deadline_wall_s: 0.25, ")), START)
    problems = go(address, folder, ("sh", "-c", "echo waits; exec cat"))
    assert len(problems) == 2
    assert all("had not ended after 1 s and were stopped" in line and line.endswith(": waits") for line in problems)


def test_a_program_that_does_not_end_when_it_should_is_killed(monkeypatch):
    monkeypatch.setattr(dask_cluster, "_ENDING_S", 0.1)
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], stdin=subprocess.PIPE)
    assert dask_cluster._ended(process, 0.1) == "had not ended after 0 s and were stopped"
    assert process.returncode == -signal.SIGKILL


def test_the_runs_are_done_in_the_checkout_wherever_the_worker_was_started(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(distributed, "get_worker", lambda: SimpleNamespace(local_directory=str(tmp_path)))
    monkeypatch.chdir(tmp_path)
    task, _ = next(iter(dask_cluster._tasks(folder.assignments(), EMULATED)))
    with pytest.raises(ClusterError, match=f": {Path(__file__).parents[4]}$"):
        dask_cluster.perform(task, (sys.executable, "-c", "import os; raise SystemExit(os.getcwd())"))


def test_a_task_has_all_strategies_of_a_point_and_repeat(tmp_path):
    folder = SweepFolder.create(tmp_path, loads(SWEEP.replace("repeats: 1", "repeats: 2")), START)
    tasks = [task for task, _ in dask_cluster._tasks(folder.assignments(), EMULATED)]
    assert [(task.prefix, task.run_ids) for task in tasks] == [
        ("p01-replication1/", ("r00-bf5-default", "r00-bf5-neawa")),
        ("p02-replication3/", ("r00-bf5-default", "r00-bf5-neawa")),
        ("p02-replication3/", ("r01-bf5-neawa", "r01-bf5-default")),
        ("p01-replication1/", ("r01-bf5-neawa", "r01-bf5-default")),
    ]


def test_a_task_has_the_records_of_its_points_runs_that_are_done(folder):
    """Which say with what rate divisor."""
    first, *left = folder.assignments()
    write_run(first.folder, first.run, START)
    tasks = {task.prefix: set(task.records) for task, _ in dask_cluster._tasks(left, EMULATED)}
    assert tasks == {"p01-replication1/": {first.run.id}, "p02-replication3/": set()}


@pytest.mark.parametrize(
    "name", ["runs/../../escaped", "runs/r00-bf5-neawa/record.json", "/etc/x", "specification.yaml"]
)
def test_only_what_was_asked_for_is_written(folder, name):
    first = folder.assignments()[0]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for path, content in ((PROBLEMS, b"[]"), (name, b"x")):
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    with pytest.raises(ClusterError, match="a worker sent what was not asked for"):
        dask_cluster.store(first.folder, [first], buffer.getvalue())
    assert list((first.folder.path / "runs").iterdir()) == []


def test_a_scheduler_that_is_not_there(folder, monkeypatch):
    monkeypatch.setattr(dask_cluster, "CONNECT_TIMEOUT_S", 0.2)
    with pytest.raises(ClusterError, match=r"tcp://127.0.0.1:9: no scheduler answers .*docs/sweeps.md"):
        go("tcp://127.0.0.1:9", folder)


def test_a_missing_library_names_the_command_that_installs_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ClusterError, match=r"`distributed` is not installed; install it with `.*pip install"):
        go("tcp://127.0.0.1:9", folder)


@pytest.mark.parametrize("wanted", [EMULATED, dask_cluster.Wanted("simulated", force=False)])
def test_nothing_waits_for_a_worker_when_nothing_is_left(address, wanted, monkeypatch):
    with dask_cluster.connect(address) as client:
        monkeypatch.setattr(client, "scheduler_info", lambda **_: {"workers": {}})
        assert dask_cluster.run_all(client, [], wanted, QUIET, pytest.fail) == []


def test_simulations_need_no_resource_and_come_back_as_such(address, tmp_path):
    profile = tmp_path / "profile"
    profile.mkdir()
    folder = ResultsFolder.create(tmp_path, small(profile, strategies=["default", "neawa"], repeats=2), START)
    wanted = dask_cluster.Wanted("simulated", force=False)
    with dask_cluster.connect(address) as client:
        assert dask_cluster.run_all(client, folder.assignments(), wanted, QUIET, pytest.fail) == []
    assert [record.state for record in folder.records()] == ["simulated"] * 4
