"""NeAwa's weights by measurement: the sweep that is asked for, and what is claimed from its runs."""

import io
import json
import os
from datetime import timedelta

import pytest
import yaml
from rich.console import Console

from experiments.analysis.weights import evaluate, profile_name, sweep_of, to_json, to_yaml
from experiments.commands import calibrate_weights
from experiments.commands.main import main
from experiments.documents.diagnostics import SpecificationError
from experiments.records.record import JobRecord
from experiments.records.sweep_folder import SweepFolder
from experiments.report.terminal.weights import arms, conclusion
from experiments.specification.plan import runs_of
from experiments.specification.specification_file import loads
from experiments.specification.sweep import check
from experiments.specification.workload import self_contained
from tests.unit.experiments.synthetic import START, opened, specification
from workloads.profiles import load_profile

FASTEST = {"kmeans": 0.7, "tpch-q3": 0.2}
NOISE_S = (0.0, 3.0, -2.0, 1.0)


def test_each_job_is_alone_under_every_weight():
    points = check(sweep_of(specification("repeats=2"), ["kmeans", "tpch-q3"]))
    assert [point.specification.workload.jobs[0].profile for point in points] == ["kmeans", "tpch-q3"]
    for point in points:
        assert len(point.specification.workload.jobs) == 1
        assert [strategy.label for strategy in point.specification.strategies] == [f"{i / 10:.1f}" for i in range(11)]
        assert [s.weights["all"].closeness for s in point.specification.strategies] == [i / 10 for i in range(11)]
        assert len(runs_of(point.specification)) == 22


@pytest.mark.parametrize("steps", [2, 3, 4, 5, 11, 21, 101])
def test_weights_add_up_and_labels_differ(steps):
    (point,) = check(sweep_of(specification(), ["kmeans"], steps))
    labels = [float(strategy.label) for strategy in point.specification.strategies]
    assert (labels[0], labels[-1], len(set(labels))) == (0, 1, steps)


@pytest.mark.parametrize(("profiles", "steps"), [([], 11), (["kmeans"], 1), (["kmeans"], 102)])
def test_what_measures_nothing_is_refused(profiles, steps):
    with pytest.raises(SpecificationError, match=r"give 2 to 101|at least one"):
        sweep_of(specification(), profiles, steps)


def test_jobs_are_those_of_the_specification():
    asked = "{profile: kmeans, containers: 20, input_bytes: 16 GB}"
    (point,) = check(sweep_of(specification(f"workload=[{asked}, {asked}]"), ["kmeans"]))
    (job,) = point.specification.workload.jobs
    assert (job.containers, job.input_bytes) == (20, 16e9)
    other = "workload=[{profile: kmeans, containers: 20}, {profile: tpch-q3}]"
    with pytest.raises(SpecificationError, match=r"jobs of other sizes .*--profile"):
        sweep_of(specification(other), ["kmeans", "tpch-q3"])
    assert check(sweep_of(specification(other), ["tpch-q3"]))


def test_weights_go_by_the_name_that_a_profile_gives_itself(tmp_path):
    profile = load_profile("kmeans").document() | {"name": "mine"}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(profile))
    named = specification(f"workload={{jobs: [{{profile: {tmp_path}/other.yaml}}], shuffle_factors: {{mine: 2}}}}")
    held = self_contained(named)
    for base, given in ((named, f"{tmp_path}/other.yaml"), (held, "other")):
        (point,) = check(sweep_of(base, [given]))
        assert point.specification.workload.shuffle_factors in ({"mine": 2}, {})
        assert profile_name(point.specification, given) == "mine"


def record(run, time_s, kind="emulated"):
    job = {
        "job_id": "a-1",
        "profile": run.specification.workload.jobs[0].profile,
        "submitted_s": 0.0,
        "finished_s": time_s,
    }
    jobs = [JobRecord.model_validate(job)]
    fidelity = {"verdict": "trusted"} if kind == "emulated" else None
    return opened(run, kind=kind).finished(START + timedelta(minutes=1), jobs, fidelity=fidelity)


def time_s(run):
    """Longer the farther the weight is from the fastest; every repeat adds the same to all arms."""
    fastest = FASTEST[run.specification.workload.jobs[0].profile]
    return 200 + 400 * abs(float(run.strategy.label) - fastest) + NOISE_S[run.repeat]


@pytest.fixture
def folder(tmp_path):
    made = SweepFolder.create(tmp_path, sweep_of(specification("repeats=4"), list(FASTEST)), START)
    for assignment in made.assignments():
        with assignment.folder.run(assignment.run.id).writing(lambda: START) as writer:
            writer.save(record(assignment.run, time_s(assignment.run)))
    return made


def test_the_fastest_weight_is_found_and_the_others_are_told_from_it(folder):
    for point in folder.points():
        job = evaluate(point.values["workload.jobs.0.profile"], folder.point(point).records())
        assert job.best == f"{FASTEST[job.profile]}"
        assert [arm.label for arm in job.arms if arm.tied] == [job.best]
        assert all(arm.behind.outcome == "more" for arm in job.arms if arm.label != job.best)
        assert "every other weight is slower" in conclusion(job)


def test_weights_that_differ_by_less_than_chance_are_tied(tmp_path):
    (point,) = check(sweep_of(specification("repeats=4"), ["kmeans"], 3))
    times = {"0.0": (300, 301, 299, 300), "0.5": (200, 210, 190, 205), "1.0": (201, 207, 195, 206)}
    records = [record(run, times[run.strategy.label][run.repeat]) for run in runs_of(point.specification)]
    job = evaluate("kmeans", records)
    assert [arm.label for arm in job.arms if arm.tied] == ["0.5", "1.0"]
    assert conclusion(job).count(",") == 1
    assert "cannot be told from it" in conclusion(job)


@pytest.mark.parametrize(
    "times",
    [
        {"0.0": (200, 200, 900), "1.0": (210, 210, 210)},  # a run that was slow once
        {"0.0": (300, 310, 100), "1.0": (None, None, 110)},  # runs that failed in the repeats that are slow for all
    ],
)
def test_the_fastest_has_the_lowest_median_over_the_repeats_that_all_have(times):
    (point,) = check(sweep_of(specification("repeats=3"), ["kmeans"], 2))
    records = [
        record(run, took) if (took := times[run.strategy.label][run.repeat]) else opened(run).failed(START, "no")
        for run in runs_of(point.specification)
    ]
    assert evaluate("kmeans", records).best == "0.0"


@pytest.mark.parametrize(
    ("kind", "claim"), [("emulated", "kmeans: fastest at"), ("simulated", "kmeans: simulated as the fastest at")]
)
def test_weights_of_simulated_runs_are_called_so(kind, claim):
    (point,) = check(sweep_of(specification("repeats=2"), ["kmeans"], 3))
    job = evaluate("kmeans", [record(run, time_s(run), kind) for run in runs_of(point.specification)])
    assert conclusion(job).startswith(claim)
    written = io.StringIO()
    Console(file=written, width=80).print(arms(job))
    assert written.getvalue().count("simulated") == (3 if kind == "simulated" else 0)
    assert json.loads(to_json([job]))["jobs"][0]["arms"][0]["simulated"] == (kind == "simulated")


def test_one_repeat_tells_nothing_apart():
    (point,) = check(sweep_of(specification(), ["kmeans"]))
    job = evaluate("kmeans", [record(run, time_s(run)) for run in runs_of(point.specification)])
    assert job.best == "0.7"
    assert all(arm.tied for arm in job.arms)


def test_without_a_finished_run_there_is_no_best():
    (point,) = check(sweep_of(specification(), ["kmeans"]))
    records = [opened(run).failed(START, "no") for run in runs_of(point.specification)]
    job = evaluate("kmeans", records)
    assert (job.best, job.arms) == (None, ())
    assert "no run finished" in conclusion(job)
    assert yaml.safe_load(to_yaml([job])) == {"weights": {}}


def test_the_weights_can_be_pasted_into_a_specification(folder):
    written = io.StringIO()
    calibrate_weights.show(folder, as_json=False, console=Console(file=written, width=80))
    assert written.getvalue().count("best") >= 2
    assert "…" not in written.getvalue()
    pasted = yaml.safe_load((folder.path / "weights.yaml").read_text())
    document = {"name": "pasted", "workload": "mixed-mid", "strategies": [{"name": "neawa", **pasted}]}
    (strategy,) = loads(yaml.safe_dump(document)).strategies
    assert {profile: weights.closeness for profile, weights in strategy.weights.items()} == FASTEST


def test_programs_get_every_arm(folder, capsys):
    calibrate_weights.show(folder, as_json=True, console=Console())
    document = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert [(job["profile"], job["best"], len(job["arms"])) for job in document["jobs"]] == [
        ("kmeans", "0.7", 11),
        ("tpch-q3", "0.2", 11),
    ]


def test_the_command_refuses_what_measures_nothing(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)  # nothing is emulated, whoever runs the tests
    for words, said in (
        (["--steps", "1"], "give 2 to 101"),
        (["--profile", "kmean"], "did you mean 'kmeans'?"),
        (["--blocking-factor", "1", "5"], "give one"),
        (["--resume", str(tmp_path)], "no folder of a sweep"),
        (["--workload", "mixed-mid"], "needs root"),
    ):
        assert main(["calibrate-weights", *words]) == 2
        assert said in capsys.readouterr().err


def test_a_job_whose_runs_have_not_begun_has_no_best_weight():
    assert evaluate("kmeans", []).best is None
