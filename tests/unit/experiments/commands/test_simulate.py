"""The commands `simulate` and `sweep --simulate`: results without root, and nothing of two kinds in one folder."""

import json

import pytest

from experiments.analysis import weights
from experiments.commands.main import main
from experiments.records.results_folder import ResultsFolder
from experiments.records.sweep_folder import SweepFolder
from experiments.specification import specification_file
from experiments.specification.sweep_file import loads
from tests.emulation.small_run import specification
from tests.unit.experiments.synthetic import START, results, swept
from tests.unit.experiments.synthetic import specification as wanted

SWEEP = "name: small\nbase: thesis\nset: {repeats: 1, strategies: [default, neawa]}\nvary: {data.replication: [1, 3]}\n"


@pytest.fixture
def file(tmp_path):
    """A small experiment."""
    path = tmp_path / "small.yaml"
    path.write_text(specification_file.dump(specification(tmp_path)))
    return str(path)


def test_an_experiment_is_simulated_into_a_folder_with_a_report(tmp_path, capsys, file):
    output = tmp_path / "results"
    words = ("--spec", file, "--repeats", "2", "--processes", "1", "--output", str(output))
    assert main(["simulate", *words, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    (network,) = summary["networks"]
    assert [strategy["runs"] for strategy in network["strategies"]] == [2, 2, 2]
    (path,) = output.iterdir()
    assert (path / "report.html").is_file()
    assert {record.state for record in ResultsFolder.open(path).records()} == {"simulated"}
    assert main(["simulate", "--resume", str(path), "--repeats", "3", "--processes", "1", "--quiet"]) == 0
    assert len(ResultsFolder.open(path).records()) == 9


def test_a_sweep_is_simulated(tmp_path, capsys, file):
    output = tmp_path / "results"
    words = ("--spec", file, "--vary", "data.replication=1,2", "--set", "strategies=[default]", "--output", str(output))
    assert main(["sweep", "--simulate", *words, "--processes", "1"]) == 0
    (path,) = output.iterdir()
    folder = SweepFolder.open(path)
    states = [record.state for point in folder.points() for record in folder.point(point).records()]
    assert states == ["simulated"] * 2
    assert (path / "report.html").is_file()


def test_what_was_emulated_is_not_finished_by_simulation(refused, tmp_path):
    emulated = results(tmp_path)
    (line,) = refused("simulate", "--resume", str(emulated.path))
    assert line.endswith(f"holds emulated runs; finish it with `run --resume {emulated.path}`")
    sweep = swept(tmp_path, loads(SWEEP))
    (line,) = refused("sweep", "--simulate", "--resume", str(sweep.path))
    assert line.endswith("holds emulated runs; leave out --simulate")


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_what_was_simulated_is_not_finished_by_emulation(refused, tmp_path, capsys, file, command):
    output = tmp_path / "results"
    words = ["--spec", file, "--set", "strategies=[default]", "--processes", "1", "--output", str(output)]
    if command == "run":
        assert main(["simulate", *words]) == 0
    else:
        assert main(["sweep", "--simulate", "--vary", "data.replication=1,2", *words]) == 0
    capsys.readouterr()
    (path,) = output.iterdir()
    (line,) = refused(command, "--resume", str(path))
    remedy = f"finish it with `simulate --resume {path}`" if command == "run" else "add --simulate"
    assert line.endswith(f"holds simulated runs; {remedy}")


def test_weights_are_not_calibrated_by_emulation_where_simulation_began(refused, tmp_path):
    sweep = swept(tmp_path, weights.sweep_of(wanted(), ["kmeans"], 2), kind="simulated")
    (line,) = refused("calibrate-weights", "--resume", str(sweep.path))
    assert line.endswith(f"holds simulated runs; finish it with `sweep --simulate --resume {sweep.path}`")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("simulate", "--processes", "0"), "--processes 0: give a number from 1 to 1024"),
        (("sweep", "table-6.2", "--processes", "2"), "--processes 2: one emulation at a time runs on a machine"),
        (
            ("sweep", "table-6.2", "--simulate", "--draws", "9"),
            "--draws 9: these runs are simulated already; give --rep",
        ),
        (("sweep", "table-6.2", "--draws", "1"), "--draws 1: give a number from 2 to 10000, or 0 for no prediction"),
        (("run", "--draws", "-3"), "--draws -3: give a number from 2 to 10000, or 0 for no prediction"),
        (("sweep", "table-6.2", "--simulate", "--force"), "--force: a simulated network is not calibrated; leave it"),
        (("simulate", "--strategy", "nawa"), "strategies.0.name: 'nawa': unknown strategy; did you mean 'neawa'?"),
    ],
)
def test_wrong_requests_are_refused(refused, words, said):
    (line,) = refused(*words)
    assert line.startswith(said)


def test_a_sweep_is_not_resumed_as_an_experiment(refused, tmp_path):
    sweep = SweepFolder.create(tmp_path, loads(SWEEP), START)
    (line,) = refused("simulate", "--resume", str(sweep.path))
    assert line.endswith(f"finish it with `sweep --simulate --resume {sweep.path}`")
