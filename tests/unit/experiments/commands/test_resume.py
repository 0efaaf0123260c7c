"""What is asked for beside `--resume`."""

import pytest

from experiments.analysis import weights
from experiments.commands import campaigns
from experiments.commands.main import main
from experiments.records.sweep_folder import SweepFolder
from tests.unit.experiments.synthetic import START, results, specification


@pytest.mark.parametrize(
    ("command", "words"),
    [
        *(
            (command, words)
            for command in ("run", "calibrate-weights")
            for words in (
                ("--spec", "thesis"),
                ("--workload", "mixed-mid"),
                ("--blocking-factor", "5"),
                ("--seed", "2"),
                ("--set", "seed=2"),
                ("--output", "elsewhere"),
            )
        ),
        ("run", ("--strategy", "neawa")),
        ("calibrate-weights", ("--profile", "kmeans")),
        ("calibrate-weights", ("--steps", "3")),
        ("sweep", ("--spec", "thesis")),
        ("sweep", ("--vary", "seed=1,2")),
        ("sweep", ("--seed", "2")),
        ("sweep", ("--set", "seed=2")),
        ("sweep", ("--list",)),
    ],
)
def test_what_would_be_ignored_beside_resume_is_refused(refused, tmp_path, command, words):
    (line,) = refused(command, "--resume", str(tmp_path), *words)
    said = f"--resume {tmp_path}: the folder says what to run; leave out {words[0]}, or --resume to run it into"
    assert line.startswith(said)


@pytest.mark.parametrize(
    ("repeats", "said"),
    [
        ("2", "repeats: 2: {} has 3 planned; give more, or run fewer into a folder of their own"),
        ("soon", "repeats: 'soon': must be a valid integer"),
        ("1e9", "repeats: 1000000000.0: must be less than or equal to 10000"),
        ("5", "an emulated network needs root"),
    ],
)
def test_repeats_beside_resume_are_more_or_refused(refused, tmp_path, repeats, said):
    folder = results(tmp_path, "repeats=3")
    (line,) = refused("run", "--resume", str(folder.path), "--repeats", repeats)
    assert line.startswith(said.format(folder.path))
    assert folder.specification().repeats == 3


@pytest.mark.parametrize("command", ["run", "sweep", "calibrate-weights"])
def test_more_repeats_are_planned_when_the_runs_begin(command, tmp_path, monkeypatch):
    if command == "run":
        path = results(tmp_path, "repeats=3").path
    else:
        path = SweepFolder.create(tmp_path, weights.sweep_of(specification("repeats=3"), ["kmeans"], 3), START).path
    planned = []
    monkeypatch.setattr(campaigns, "answer_isolated", lambda action: action())

    def emulate(_doing, open_folder, *_):
        planned.append(len(open_folder().assignments()))
        return 0

    monkeypatch.setattr(campaigns, "_do_runs", emulate)
    assert main([command, "--resume", str(path), "--repeats", "5"]) == 0
    assert planned == [3 * 5]


def test_what_a_folder_runs_is_checked_before_the_rest_of_it_is_run(refused, tmp_path):
    folder = results(tmp_path)
    file = folder.path / "specification.yaml"
    file.write_text(file.read_text().replace("name: neawa", "name: gone:Mine"))
    (line,) = refused("run", "--resume", str(folder.path))
    assert line.startswith("strategies.1: strategy 'gone:Mine': ModuleNotFoundError")
