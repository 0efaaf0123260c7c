from collections import Counter

import numpy as np
import pytest

from workloads.schedule import ScheduleError, Submission, parse_schedule, preset, preset_names


@pytest.mark.parametrize("name", preset_names())
def test_presets_submit_five_or_three_jobs_ten_seconds_apart(name):
    submissions = preset(name)
    assert [submission.at_s for submission in submissions] == [10.0 * i for i in range(5 if "high" in name else 3)]
    assert len({submission.job_id for submission in submissions}) == len(submissions)
    assert sum(submission.job().containers for submission in submissions) == (60 if "high" in name else 36)


def test_the_mixed_workloads_are_the_theses():
    high = Counter(submission.profile for submission in preset("mixed-high"))
    assert high == {"kmeans": 1, "connected-components": 1, "tpch-q3": 1, "tpch-q10": 2}
    assert [submission.profile for submission in preset("mixed-mid")] == ["kmeans", "connected-components", "tpch-q3"]
    assert {submission.profile for submission in preset("q10-high")} == {"tpch-q10"}


def test_an_unknown_preset_gets_the_nearest():
    with pytest.raises(ScheduleError, match="do you mean mixed-high"):
        preset("mixed-hi")


def test_absolute_times_delays_sequences_and_poisson_arrivals():
    entries = [
        {"profile": "kmeans", "at_s": 5},
        {"profile": "kmeans", "after_s": 2.5, "input_bytes": 10**9, "containers": 4},
        {"profile": "tpch-q3", "every_s": 10, "count": 3},
        {"profile": "tpch-q10", "job_id": "late", "at_s": 1000},
        {"profile": "tpch-q10", "poisson_per_s": 0.1, "count": 200, "seed": 3},
    ]
    submissions = parse_schedule(entries)
    assert [s.at_s for s in submissions[:5]] == [5, 7.5, 17.5, 27.5, 37.5]
    assert submissions[1].job().input_bytes == 10**9
    assert submissions[1].job().containers == 4
    assert [s.job_id for s in submissions[:6]] == [
        "kmeans-1",
        "kmeans-2",
        "tpch-q3-1",
        "tpch-q3-2",
        "tpch-q3-3",
        "late",
    ]
    gaps = np.diff([1000, *(s.at_s for s in submissions[6:])])
    assert gaps.mean() == pytest.approx(10, rel=0.2)
    assert parse_schedule(entries) == submissions


def test_submissions_are_sorted_by_time():
    submissions = parse_schedule([{"profile": "kmeans", "at_s": 9}, {"profile": "tpch-q3", "at_s": 1}])
    assert [submission.at_s for submission in submissions] == [1, 9]


def test_a_sequence_at_the_start_begins_at_once():
    assert [s.at_s for s in parse_schedule([{"profile": "kmeans", "every_s": 4, "count": 3}])] == [0, 4, 8]


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([], "at least one entry"),
        ({"profile": "kmeans"}, "not a list"),
        ([{"at_s": 1}], "profile missing"),
        ([{"profile": "kmeans", "at": 1}], "do you mean at_s"),
        ([{"profile": "kmeans", "at_s": 1, "after_s": 2}], "only one"),
        ([{"profile": "kmeans", "every_s": 1}], "count None"),
        ([{"profile": "kmeans", "poisson_per_s": 1, "count": 2}], "seed"),
        ([{"profile": "kmeans", "every_s": 1, "count": 10**9}], "count 1000000000; .*from 1 to 10,000"),
        ([{"profile": "kmeans", "every_s": 1, "count": 6000}] * 2, "12,000 jobs up to entry 1; give at most 10,000"),
        ([{"profile": "kmeans", "at_s": 1e9}], "at_s 1e.09; give a time from 0 to 1e.07"),
        ([{"profile": "kmeans", "at_s": -1}], "at_s -1"),
        ([{"profile": "kmeans", "at_s": None}], "entry 0: at_s None; give a number"),
        ([{"profile": "kmeans"}, {"profile": "kmeans", "at_s": "soon"}], "entry 1: at_s 'soon'"),
        ([{"profile": "kmeans", "at_s": float("inf")}], "at_s inf"),
        ([{"profile": "kmeans", "job_id": 7}], "job_id 7; give a text"),
        ([{"profile": "kmeans", "input_bytes": float("inf")}], "input_bytes inf"),
        ([{"profile": "kmeans", "input_bytes": "16 GB"}], "input_bytes '16 GB'; give a number"),
        ([{"profile": "kmeans", "poisson_per_s": 1, "count": 2, "seed": "x"}], "seed 'x'; give a whole number"),
        ([{"profile": "kmeans", "job_id": "a"}, {"profile": "kmeans", "job_id": "a"}], "used twice"),
    ],
)
def test_mistakes_are_named(entries, said):
    with pytest.raises(ScheduleError, match=said):
        parse_schedule(entries)


def test_submissions_validate_themselves():
    with pytest.raises(ScheduleError, match="job_id"):
        Submission("a/b", "kmeans", 0.0)
    with pytest.raises(ScheduleError, match="override"):
        Submission("a", "kmeans", 0.0, {"slots": 1})
