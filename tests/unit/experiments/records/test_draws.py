"""What the twin's draws say of a run: times with their spread, and where a run that is far off differs."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.records.draws import FAR, RATIO, Direction, JobRun, StageRun, directions, job_runs, predict, predicted
from experiments.records.record import JobRecord, StageRecord
from tests.unit.experiments.synthetic import results
from topologies.fat_tree import single_switch, thesis

LINKS = (Direction("t1-c1/1", "up", 100.0), Direction("t1-c1/2", "up", 100.0), Direction("t2-c1/1", "up", 100.0))


def job(time_s, **stages):
    """A job of so many seconds, and its stages as (seconds, bytes of each link, drops of each link)."""
    record = JobRecord(job_id="j", profile="kmeans", submitted_s=10, finished_s=10 + time_s, cross_rack_bytes=1000)
    parts = {
        name: StageRun(seconds, np.array(sent, float), np.array(drops, float))
        for name, (seconds, sent, drops) in stages.items()
    }
    return {"j": JobRun(record, parts)}


@given(st.lists(st.floats(1, 1e5), min_size=2, max_size=80), st.floats(1, 1e5))
def test_times_are_given_with_their_spread_and_a_job_far_from_them_is_told(times_s, time_s):
    found = predict(job(time_s), [job(one) for one in times_s], LINKS)
    (said,) = found.jobs
    assert found.draws == len(times_s)
    assert said.completion_time == found.summed_time
    assert said.completion_time.mean_s == pytest.approx(np.mean(times_s))
    assert min(times_s) - 1e-9 <= said.completion_time.low_s <= said.completion_time.high_s <= max(times_s) + 1e-9
    deviation = said.completion_time.deviation(time_s)
    assert (said.cause is not None) == (deviation is not None and abs(deviation) > FAR)
    assert said.cross_rack_bytes == 1000


def test_draws_that_are_alike_leave_nothing_to_compare_with():
    (said,) = predict(job(50.0), [job(20.0)] * 5, LINKS).jobs
    assert said.completion_time.deviation(50.0) is None
    assert said.cause is None


def test_the_cause_is_the_stage_that_differs_most_and_the_links_that_were_used_otherwise_in_it():
    draws = [
        job(20 + 0.1 * k, scan=(10, [500, 500, 500], [0, 0, 0]), join=(10, [400, 600, 500], [0, 0, 0]))
        for k in range(5)
    ]
    slow = job(40, scan=(12, [900, 900, 900], [0, 0, 0]), join=(28, [1120, 2800, 1680], [0, 7, 1]))
    cause = predict(slow, draws, LINKS).jobs[0].cause
    assert (cause.stage, cause.longer_s) == ("join", pytest.approx(18))
    (use, other) = cause.links  # 40 %, 100 % and 60 % of the links' rates, instead of 40, 60 and 50
    assert (use.link, use.direction, use.drops) == ("t1-c1/2", "up", 7)
    assert (use.utilisation, use.predicted_utilisation) == (pytest.approx(1), pytest.approx(0.6))
    assert other.link == "t2-c1/1"
    fast = job(5, scan=(2, [100, 100, 100], [0, 0, 0]), join=(3, [30, 180, 150], [0, 0, 0]))
    cause = predict(fast, draws, LINKS).jobs[0].cause
    assert (cause.stage, cause.longer_s, [use.link for use in cause.links]) == ("scan", pytest.approx(-8), [])
    assert predict(slow, [job(20 + 0.1 * k) for k in range(5)], LINKS).jobs[0].cause.stage is None


def test_bytes_of_a_stage_are_those_between_its_ends_also_within_a_reading():
    rows = [
        {"time_s": time_s, "link": "t1-c1/1", "direction": direction, "bytes": size, "drops": drops}
        for time_s, size, drops in ((0.0, 0, 0), (10.0, 100, 0), (20.0, 300, 4))
        for direction in ("up", "down")
    ]
    stages = (
        StageRecord(name="a", started_s=5, finished_s=15),
        StageRecord(name="b", started_s=15, finished_s=30),
        StageRecord(name="unfinished", started_s=15),
    )
    record = JobRecord(job_id="j", profile="kmeans", submitted_s=0, finished_s=30, stages=stages)
    found = job_runs([record], pl.DataFrame(rows), LINKS)["j"].stages
    assert {name: (stage.seconds, stage.bytes.tolist(), stage.drops.tolist()) for name, stage in found.items()} == {
        "a": (10, [200, 0, 0], [2, 0, 0]),
        "b": (15, [150, 0, 0], [2, 0, 0]),
    }


def test_links_between_switches_are_compared_or_all_where_there_are_none():
    assert {one.link[0] for one in directions(thesis())} == {"t"}
    assert len(directions(thesis())) == 2 * len(thesis().uplinks)
    assert {one.bytes_per_s for one in directions(single_switch(3, host_mbps=100.0))} == {12.5e6}


def test_the_verdict_gets_a_figure_that_is_not_judged(tmp_path):
    record = results(tmp_path, "repeats=1", "strategies=[default]").records()[0]
    runs = job_runs(
        record.jobs, pl.DataFrame(schema={"time_s": pl.Float64, "link": pl.String, "direction": pl.String}), ()
    )
    prediction = predict(runs, [runs, runs], ())
    kept = predicted(record, prediction)
    assert kept.fidelity.figures == {**record.fidelity.figures, RATIO: pytest.approx(1.0)}
    assert (kept.fidelity.verdict, kept.prediction) == (record.fidelity.verdict, prediction)
    assert type(kept).from_json(kept.to_json()) == kept
    unjudged = record.updated(fidelity=None)
    assert predicted(unjudged, prediction).fidelity is None
