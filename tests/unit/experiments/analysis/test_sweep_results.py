"""What a sweep's runs say, and how it stands beside what was published."""

import io
import json
from datetime import timedelta

import pytest
from rich.console import Console

from experiments.analysis import sweep_results
from experiments.analysis.estimates import reduction
from experiments.records.sweep_folder import SweepFolder
from experiments.report.terminal import sweep_table
from experiments.specification.plan import runs_of
from experiments.specification.sweep import points
from experiments.specification.sweep_file import loads
from tests.unit.experiments.synthetic import START, write_run

SWEEP = """
name: small
base: thesis
set: {repeats: 3, strategies: [default, neawa]}
vary: {data.replication: [1, 3]}
published:
  source: A. Author
  reductions:
    - {at: {data.replication: 1}, strategy: neawa, reduction: 0.9}
    - {at: {data.replication: 3}, strategy: neawa, reduction: -0.1}
    - {strategy: neawa, jobs: [kmeans-1, q3-1], reduction: 0.1}
  best:
    - {at: {data.replication: 1}, strategy: default}
    - {at: {data.replication: 3}, strategy: neawa}
"""


def results(parent, text=SWEEP, skip=(), **kinds):
    """The results of a sweep whose runs were written, but for those with an id in `skip`."""
    sweep = loads(text)
    folder = SweepFolder.create(parent, sweep, START)
    for number, one in enumerate(folder.assignments()):
        if f"{one.prefix}{one.run.id}" not in skip:
            write_run(one.folder, one.run, START + timedelta(minutes=number), **kinds)
    return gathered(folder), folder


def gathered(folder, allow_mixed=False):
    runs = [(point, folder.point(point).records()) for point in folder.points()]
    return sweep_results.gather(folder.sweep(), runs, allow_mixed)


def text_of(results):
    return printed(sweep_table.render(results))


def printed(table, width=100):
    file = io.StringIO()
    Console(file=file, width=width).print(table)
    return file.getvalue()


def times(folder, number, strategy, jobs=None):
    records = folder.point(folder.points()[number]).records()
    chosen = sorted((r for r in records if r.strategy == strategy), key=lambda record: record.repeat)
    return [sum(job.completion_time_s for job in r.jobs if jobs is None or job.job_id in jobs) for r in chosen]


def test_nothing_of_the_tables_is_lost_on_80_columns(tmp_path):
    found, folder = results(tmp_path)
    counts = dict.fromkeys((point.id for point in folder.points()), 30)
    for table in (sweep_table.render(found), sweep_table.plan(folder.sweep(), folder.points(), counts)):
        text = printed(table, width=80)
        assert "…" not in text
        assert max(map(len, text.splitlines())) <= 80


def test_published_reductions_stand_beside_those_of_the_records(tmp_path):
    found, folder = results(tmp_path)
    high, negative, *some = found.reductions
    expected = reduction(times(folder, 0, "default"), times(folder, 0, "neawa"))
    assert high.measured == expected
    assert high.misses_by == pytest.approx(100 * (expected.estimate - 0.9))
    assert (high.sign_agrees, high.interval_contains_it) == (True, expected.low <= 0.9 <= expected.high)
    assert (negative.sign_agrees, negative.interval_contains_it) == (False, False)
    jobs = ("kmeans-1", "q3-1")
    assert [entry.point for entry in some] == [point.id for point in folder.points()]
    assert some[1].measured == reduction(times(folder, 1, "default", jobs), times(folder, 1, "neawa", jobs))
    assert some[1].measured != reduction(times(folder, 1, "default"), times(folder, 1, "neawa"))


def test_a_mean_of_reductions_weighs_short_jobs_like_long_ones(tmp_path):
    jobs = ["kmeans-1", "q3-1"]
    mean, _ = results(tmp_path, SWEEP.replace("jobs: [kmeans-1, q3-1],", "jobs: [kmeans-1, q3-1], of: mean,"))
    summed, folder = results(tmp_path / "sum")
    km, q3 = (reduction(times(folder, 0, "default", [job]), times(folder, 0, "neawa", [job])) for job in jobs)
    measured = mean.reductions[2].measured
    assert measured.estimate == pytest.approx((km.estimate + q3.estimate) / 2)
    assert measured.estimate != pytest.approx(summed.reductions[2].measured.estimate)


def test_an_interval_that_holds_the_published_value_says_so(tmp_path):
    _, folder = results(tmp_path)
    measured = reduction(times(folder, 0, "default"), times(folder, 0, "neawa"))
    again, _ = results(tmp_path / "again", SWEEP.replace("0.9", str(measured.estimate)))
    assert again.reductions[0].interval_contains_it is True
    assert again.reductions[0].misses_by == pytest.approx(0, abs=1e-9)


def test_the_fastest_is_the_one_with_the_least_median(tmp_path):
    found, folder = results(tmp_path)
    worse, same = found.best
    assert (worse.published, worse.measured) == ("default", "neawa")
    assert worse.costs == reduction(times(folder, 0, "default"), times(folder, 0, "neawa"))
    assert (same.published, same.measured, same.costs) == ("neawa", "neawa", None)


def test_a_single_repeat_has_no_interval_to_contain_anything(tmp_path):
    found, _ = results(tmp_path, SWEEP.replace("repeats: 3", "repeats: 1"))
    assert {entry.interval_contains_it for entry in found.reductions} == {None}
    assert found.reductions[0].measured is not None


def test_points_without_runs_and_with_missing_ones_are_said(tmp_path):
    folder = SweepFolder.create(tmp_path, loads(SWEEP), START)
    nothing = gathered(folder)
    assert all(point.comparison is None and point.reason == "no runs yet" for point in nothing.points)
    assert {entry.measured for entry in (*nothing.reductions, *nothing.best)} == {None}
    assert "p01-replication1: 0 of 6 runs have finished." in text_of(nothing)
    missing = "p02-replication3/r01-bf5-neawa"
    some, _ = results(tmp_path / "some", skip=(missing,))
    assert [(point.runs, point.planned) for point in some.points] == [(6, 6), (5, 6)]
    assert some.reductions[1].measured.pairs == 2


def test_runs_of_several_machines_are_not_mixed_unasked(tmp_path):
    _, folder = results(tmp_path)
    run = folder.point(folder.points()[1]).run("r00-bf5-neawa")
    record = run.record()
    elsewhere = record.provenance.model_copy(update={"machine": "other"})
    (run.path / "record.json").write_text(record.updated(provenance=elsewhere).to_json())
    refused = gathered(folder)
    assert refused.points[0].comparison is not None
    assert "machine" in refused.points[1].reason
    assert refused.reductions[1].measured is None
    allowed = gathered(folder, allow_mixed=True)
    assert allowed.points[1].comparison is not None
    assert allowed.reductions[1].measured is not None


def test_points_of_several_machines_stand_together_and_it_is_said(tmp_path):
    found, folder = results(tmp_path)
    assert found.mixed == ()
    for run in folder.point(folder.points()[1]).runs():
        record = run.record()
        elsewhere = record.provenance.model_copy(update={"machine": "other", "versions": {"python": "3.12"}})
        scale = {"rate_divisor": 16, "volume_divisor": 1024}
        (run.path / "record.json").write_text(record.updated(provenance=elsewhere, scale=scale).to_json())
    mixed = gathered(folder)
    assert all(point.comparison is not None for point in mixed.points)
    assert [text.partition(" ")[0] for text in mixed.mixed] == [
        "machine",
        "versions",
        "rate_divisor",
        "volume_divisor",
    ]
    assert text_of(mixed).count("Mixed points: their runs differ in") == 4


def test_a_sign_agrees_with_nothing_where_no_difference_is_shown(tmp_path):
    found, _ = results(tmp_path, SWEEP.replace("repeats: 3", "repeats: 1"))
    once = found.reductions[0]
    assert (once.measured.outcome, once.sign_agrees) == ("no difference shown", None)
    assert once.misses_by is not None
    assert "agrees" not in text_of(found)


def test_arms_that_cannot_be_told_from_the_fastest_are_named(tmp_path):
    worse, same = results(tmp_path)[0].best
    assert (worse.tied, same.tied) == ((), ())
    worse, same = results(tmp_path / "once", SWEEP.replace("repeats: 3", "repeats: 1"))[0].best
    assert (worse.tied, same.tied) == (("default",), ("default",))
    assert "or default" in text_of(results(tmp_path / "again", SWEEP.replace("repeats: 3", "repeats: 1"))[0])


def test_what_a_change_is_of_is_said_where_it_is_not_the_sum_of_all(tmp_path):
    found, _ = results(tmp_path, SWEEP.replace("jobs: [kmeans-1, q3-1],", "jobs: [kmeans-1, q3-1], of: mean,"))
    assert found.reductions[0].about == ()
    assert found.reductions[2].about == ("kmeans-1", "q3-1", "mean of the jobs' changes")
    assert "mean of the jobs' changes" in " ".join(text_of(found).split())


def test_doubtful_runs_are_marked(tmp_path):
    found, _ = results(tmp_path, doubtful=True)
    assert "doubtful" in text_of(found)
    assert all(entry.doubtful for entry in (*found.reductions, *found.best))
    assert not any(entry.doubtful for entry in results(tmp_path / "trusted")[0].reductions)


def test_simulated_runs_are_marked(tmp_path):
    found, _ = results(tmp_path, kind="simulated")
    document = json.loads(sweep_results.to_json(found))
    assert all(entry["simulated"] for entry in (*document["reductions"], *document["best"]))
    assert [point["comparison"]["kinds"] for point in document["points"]] == [["simulated"]] * 2
    text = text_of(found)
    assert text.count("simulated") == 2 * 2 + 4 + 2
    assert "Simulated: the network is computed as a fluid; nothing was emulated." in text
    assert "trusted" not in text
    emulated, _ = results(tmp_path / "emulated")
    assert not any(entry.simulated for entry in (*emulated.reductions, *emulated.best))
    assert "imulated" not in text_of(emulated)


def test_points_of_both_kinds_stand_together_and_it_is_said(tmp_path):
    _, folder = results(tmp_path)
    for run in runs_of(folder.points()[1].specification):
        write_run(folder.point(folder.points()[1]), run, START, kind="simulated")
    mixed = gathered(folder)
    assert mixed.kinds == ("emulated", "simulated")
    assert mixed.mixed[0] == 'kind ("emulated", "simulated")'
    assert [entry.simulated for entry in mixed.reductions] == [False, True, False, True]
    assert 'Mixed points: their runs differ in kind ("emulated", "simulated").' in text_of(mixed)


def test_the_table_and_the_json_hold_every_point_and_strategy(tmp_path):
    found, _ = results(tmp_path)
    document = json.loads(sweep_results.to_json(found))
    assert [point["id"] for point in document["points"]] == ["p01-replication1", "p02-replication3"]
    labels = [s["strategy"] for p in document["points"] for s in p["comparison"]["networks"][0]["strategies"]]
    assert labels == ["default", "neawa"] * 2
    text = text_of(found)
    assert text.count("neawa") >= 2 + 4 + 2
    assert "90.0 %" in text
    assert "differs" in text


def test_blocking_factors_that_are_not_varied_are_told_apart(tmp_path):
    text = SWEEP.replace("strategies:", "topology.blocking_factor: [1, 5], strategies:")
    found, _ = results(tmp_path, text)
    assert len(found.reductions) == 2 * (1 + 1 + 2)
    assert "blocking factor 1" in text_of(found)


def test_a_plan_says_how_many_runs_there_are():
    sweep = loads(SWEEP)
    counts = {point.id: len(runs_of(point.specification)) for point in points(sweep)}
    assert "small: 2 points, 12 runs" in printed(sweep_table.plan(sweep, points(sweep), counts))
