"""Factors from the results of a sweep, whose runs never ran."""

from datetime import timedelta

import pytest

from experiments.analysis import shuffle_volumes
from experiments.analysis.likeness import MixedRunsError
from experiments.commands import calibrate_volumes
from experiments.records.record import RecordError
from experiments.records.sweep_folder import SweepFolder
from experiments.specification import sweep_file
from experiments.specification.plan import runs_of
from tests.unit.experiments.synthetic import START, write_run

FACTORS = """
name: factors
base: thesis
set: {repeats: 2, strategies: [default, neawa]}
vary:
  workload:
    - {preset: kmeans-mid, shuffle_factors: {kmeans: 1}}
    - {preset: kmeans-mid, shuffle_factors: {kmeans: 1000}}
    - {preset: q3-mid, shuffle_factors: {tpch-q3: 0.5}}
"""


def finished(parent, text=FACTORS, kind="emulated"):
    folder = SweepFolder.create(parent, sweep_file.loads(text), START)
    for point in folder.points():
        results = folder.point(point)
        for number, run in enumerate(runs_of(results.specification())):
            write_run(results, run, START + timedelta(minutes=number), kind=kind)
    return folder


def test_each_profile_gets_its_factor_and_the_sweep_that_is_written_has_them(tmp_path, capsys):
    folder = finished(tmp_path)
    fits = shuffle_volumes.fit_all(folder, sweep_file.load(shuffle_volumes.PUBLISHED))
    assert [(one.profile, sorted(one.measured)) for one in fits] == [("kmeans", [1, 1000]), ("tpch-q3", [0.5])]
    assert [one.fitted.published for one in fits] == [0.412, 0.16]
    calibrate_volumes.run(folder=folder.path, write=tmp_path / "calibrated.yaml", allow_mixed=False)
    written = sweep_file.load(tmp_path / "calibrated.yaml")
    expected = {one.profile: pytest.approx(one.fitted.factor, rel=5e-3) for one in fits}
    factors = written.set["workload.shuffle_factors"]
    assert {profile: factors[profile] for profile in expected} == expected
    assert set(factors) == {"kmeans", "connected-components", "tpch-q3", "tpch-q10"}
    assert factors["connected-components"] == factors["tpch-q10"] == 1  # none was found: as measured on Spark
    assert written.published == sweep_file.load("table-6.2").published
    text = capsys.readouterr().out
    assert "tpch-q3" in text
    assert "what any factor gives" in " ".join(text.split())


@pytest.mark.parametrize(
    ("kind", "said", "not_said"), [("emulated", "Measured", "imulated"), ("simulated", "Simulated", "Measured")]
)
def test_factors_of_simulated_runs_are_called_so(tmp_path, capsys, kind, said, not_said):
    calibrate_volumes.run(folder=finished(tmp_path, kind=kind).path, write=None, allow_mixed=False)
    text = " ".join(capsys.readouterr().out.split())  # titles wrap
    assert f"{said} change against the defaults" in text
    assert not_said not in text
    assert text.count("of simulated runs") == (2 if kind == "simulated" else 0)


def test_factors_of_both_kinds_are_no_curve(tmp_path):
    folder = finished(tmp_path)
    for run in runs_of(folder.points()[1].specification):
        write_run(folder.point(folder.points()[1]), run, START, kind="simulated")
    with pytest.raises(MixedRunsError, match='kind \\("emulated", "simulated"\\)'):
        shuffle_volumes.fit_all(folder, sweep_file.load(shuffle_volumes.PUBLISHED))


def test_factors_of_several_machines_are_no_curve_unless_told(tmp_path):
    folder = finished(tmp_path)
    for run in folder.point(folder.points()[1]).runs():
        record = run.record()
        elsewhere = record.provenance.model_copy(update={"machine": "other"})
        (run.path / "record.json").write_text(record.updated(provenance=elsewhere).to_json())
    with pytest.raises(MixedRunsError, match="machine"):
        shuffle_volumes.fit_all(folder, sweep_file.load(shuffle_volumes.PUBLISHED))
    assert shuffle_volumes.fit_all(folder, sweep_file.load(shuffle_volumes.PUBLISHED), allow_mixed=True)


def test_a_folder_that_is_not_finished_is_refused(tmp_path):
    folder = SweepFolder.create(tmp_path, sweep_file.loads(FACTORS), START)
    point = folder.points()[0]
    run = next(run for run in runs_of(folder.point(point).specification()) if run.strategy.label == "default")
    write_run(folder.point(point), run, START)
    with pytest.raises(RecordError, match=r"p01.*sweep --resume"):
        shuffle_volumes.fit_all(folder, sweep_file.load(shuffle_volumes.PUBLISHED))


@pytest.mark.parametrize(
    ("vary", "words"),
    [
        ("workload.preset: [kmeans-mid]", "give a results folder of table-6.2-factors"),
        ("workload: [{jobs: [kmeans], shuffle_factors: {kmeans: 2}}]", "give a results folder of table-6.2-factors"),
    ],
)
def test_another_sweep_is_refused(tmp_path, vary, words):
    folder = SweepFolder.create(tmp_path, sweep_file.loads(f"name: other\nbase: thesis\nvary: {{{vary}}}"), START)
    with pytest.raises(RecordError, match=words):
        shuffle_volumes.fit_all(folder, sweep_file.load(shuffle_volumes.PUBLISHED))
