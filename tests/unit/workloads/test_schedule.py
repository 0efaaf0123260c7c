from collections import Counter

import pytest

from workloads.schedule import ScheduleError, Submission, preset, preset_names


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


def test_submissions_validate_themselves():
    with pytest.raises(ScheduleError, match="job_id"):
        Submission("a/b", "kmeans", 0.0)
    with pytest.raises(ScheduleError, match="override"):
        Submission("a", "kmeans", 0.0, {"slots": 1})
