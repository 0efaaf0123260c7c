"""The command `sweep`: what it is asked for, and how it answers."""

import contextlib
import json
from datetime import timedelta

import pytest

from experiments.analysis.weights import sweep_of
from experiments.commands.main import main
from experiments.records.sweep_folder import SweepFolder
from experiments.runs import dask_cluster
from experiments.specification.sweep_file import loads
from tests.unit.experiments.synthetic import START, specification, swept, write_run

SWEEP = "name: small\nbase: thesis\nset: {repeats: 1, strategies: [default, neawa]}\nvary: {data.replication: [1, 3]}\n"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SWEEP)
    return str(path)


def listed(capsys, *words):
    assert main(["sweep", "--list", "--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_list_has_every_point_and_its_runs(capsys, file):
    document = listed(capsys, file, "--repeats", "4")
    assert (document["name"], document["runs"]) == ("small", 16)
    assert [point["values"] for point in document["points"]] == [{"data.replication": 1}, {"data.replication": 3}]
    assert main(["sweep", "--list", file]) == 0
    assert "small: 2 points, 4 runs" in capsys.readouterr().out


def test_a_sweep_needs_no_file(capsys):
    words = ("--vary", "workload.preset=q3-mid,kmeans-mid", "topology.blocking_factor=[1, 5],2", "--repeats", "1")
    document = listed(capsys, *words)
    assert [point["values"] for point in document["points"]] == [
        {"workload.preset": workload, "topology.blocking_factor": factors}
        for workload in ("q3-mid", "kmeans-mid")
        for factors in ([1, 5], 2)
    ]
    assert [point["runs"] for point in document["points"]] == [6, 3, 6, 3]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "say which, by its name or file, or by --spec FILE --vary KEY=V1,V2"),
        (("thesis",), "thesis: this is one experiment, not a sweep; run it with `run --spec thesis`"),
        (("--spec", "thesis"), "sweep --spec thesis --vary KEY=V1,V2"),
        (("--vary", "data.replicatoin=1"), "data.replicatoin: unknown key; did you mean 'replication'?"),
        (("table-6.2", "--vary", "seed=1,2"), "not both"),
        (("table-6.2", "--set", "workload.preset=q3-mid"), "set.workload.preset: is varied as well"),
        (("--resume", "no/such"), "no/such: no folder of a sweep"),
        (("tabel-6.2",), "did you mean 'table-6.2'?"),
        (("table-6.2", "--resume", "no/such"), "--resume no/such: the folder says what to run; leave out SWEEP"),
        (("--resume", "no/such", "--repeats", "5"), "no/such: no folder of a sweep"),
        (("--vary", "seed=1", "seed=2"), "--vary seed: is there twice; write seed=V1,V2"),
        (("--vary", "1=2"), "1: unknown key"),
        (("table-6.2", "--seed", "soon"), "seed: 'soon'"),
        (("--vary", "data.replication=1,3"), "needs root"),
    ],
)
def test_a_wrong_request_is_answered_with_a_remedy(refused, words, said):
    (line,) = refused("sweep", *words)
    assert said in line


def test_run_and_sweep_send_to_each_other(refused, tmp_path):
    (line,) = refused("run", "--spec", "table-6.2")
    assert "this is a sweep, not one experiment; give it to the command `sweep`" in line
    folder = SweepFolder.create(tmp_path, loads(SWEEP), START)
    (line,) = refused("run", "--resume", str(folder.path))
    assert f"finish it with `sweep --resume {folder.path}`" in line


@pytest.mark.parametrize(
    ("repeats", "said"), [("1", "has 2 planned; give more"), ("soon", "repeats: 'soon'"), ("3", "needs root")]
)
def test_repeats_beside_resume_are_more_or_refused(refused, tmp_path, repeats, said):
    folder = SweepFolder.create(tmp_path, loads(SWEEP.replace("repeats: 1", "repeats: 2")), START)
    before = {path: path.read_bytes() for path in folder.path.rglob("*.yaml")}
    (line,) = refused("sweep", "--resume", str(folder.path), "--repeats", repeats)
    assert said in line
    assert {path: path.read_bytes() for path in folder.path.rglob("*.yaml")} == before


def test_a_scheduler_that_does_not_answer_leaves_no_folder(refused, file, tmp_path, monkeypatch):
    monkeypatch.setattr(dask_cluster, "CONNECT_TIMEOUT_S", 0.2)
    output = tmp_path / "results"
    (line,) = refused("sweep", file, "--scheduler", "tcp://127.0.0.1:9", "--output", str(output))
    assert line.startswith("--scheduler tcp://127.0.0.1:9: no scheduler answers")
    assert not output.exists()


@pytest.mark.parametrize("command", ["sweep", "calibrate-weights"])
def test_runs_of_several_machines_of_a_cluster_are_compared_when_told(command, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(dask_cluster, "connect", contextlib.nullcontext)
    monkeypatch.setattr(dask_cluster, "run_all", lambda *_: [])
    folder = swept(tmp_path, sweep_of(specification(), ["kmeans"], 3))
    run, *_ = folder.point(folder.points()[0]).runs()
    record = run.record()
    elsewhere = record.provenance.model_copy(update={"machine": "other"})
    (run.path / "record.json").write_text(record.updated(provenance=elsewhere).to_json())
    words = [command, "--resume", str(folder.path), "--scheduler", "tcp://127.0.0.1:9"]
    words += ["--draws", "0"] if command == "sweep" else []
    main(words)
    assert "or allow mixed runs" in " ".join("".join(capsys.readouterr()).split())
    assert main([*words, "--allow-mixed"]) == 0
    assert "or allow mixed runs" not in " ".join("".join(capsys.readouterr()).split())


def test_results_are_shown_again(capsys, tmp_path):
    folder = SweepFolder.create(tmp_path, loads(SWEEP), START)
    for number, one in enumerate(folder.assignments()):
        write_run(one.folder, one.run, START + timedelta(minutes=number))
    assert main(["show", str(folder.path)]) == 0
    assert "neawa" in capsys.readouterr().out
    assert main(["show", "--json", str(folder.path)]) == 0
    assert [point["runs"] for point in json.loads(capsys.readouterr().out)["points"]] == [2, 2]
    assert main(["show", "--json", str(folder.path / "points" / "p01-replication1")]) == 0
    assert json.loads(capsys.readouterr().out)["networks"]
