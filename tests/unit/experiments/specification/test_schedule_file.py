"""Schedules in files: sequences of jobs and their times, and what is refused in them."""

import numpy as np
import pytest
import yaml

from experiments.documents.diagnostics import SpecificationError
from experiments.documents.yaml_document import parse
from experiments.specification.schedule_file import Schedule
from workloads.schedule import ScheduleError


def submissions(entries):
    return parse(yaml.safe_dump(entries), "own.yaml", listed="jobs").validated(Schedule).submissions()


def test_absolute_times_delays_sequences_and_poisson_arrivals():
    entries = [
        {"profile": "kmeans", "at_s": 5},
        {"profile": "kmeans", "after_s": 2.5, "input_bytes": "1 GB", "containers": 4},
        {"profile": "tpch-q3", "every_s": 10, "count": 3},
        {"profile": "tpch-q10", "job_id": "late", "at_s": 1000},
        {"profile": "tpch-q10", "poisson_per_s": 0.1, "count": 200, "seed": 3},
    ]
    found = submissions(entries)
    assert [s.at_s for s in found[:5]] == [5, 7.5, 17.5, 27.5, 37.5]
    assert found[1].job().input_bytes == 10**9
    assert found[1].job().containers == 4
    assert [s.job_id for s in found[:6]] == [
        "kmeans-1",
        "kmeans-2",
        "tpch-q3-1",
        "tpch-q3-2",
        "tpch-q3-3",
        "late",
    ]
    gaps = np.diff([1000, *(s.at_s for s in found[6:])])
    assert gaps.mean() == pytest.approx(10, rel=0.2)
    assert submissions(entries) == found


def test_submissions_are_sorted_by_time():
    found = submissions([{"profile": "kmeans", "at_s": 9}, {"profile": "tpch-q3", "at_s": 1}])
    assert [submission.at_s for submission in found] == [1, 9]


def test_a_sequence_at_the_start_begins_at_once():
    assert [s.at_s for s in submissions([{"profile": "kmeans", "every_s": 4, "count": 3}])] == [0, 4, 8]


def job(**fields):
    return {"profile": "kmeans", **fields}


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([], "jobs: .*: list should have at least 1 item"),
        (job(), "1:1: must be a list of jobs"),
        ([{"at_s": 1}], "1:3: jobs.0.profile: missing; give it"),
        ([job(at=1)], "jobs.0.at: unknown key; did you mean 'at_s'"),
        ([job(at_s=1, after_s=2)], "jobs.0: at_s and after_s; give only one"),
        ([job(at_s=1, count=3)], "jobs.0: a sequence is `every_s` or `poisson_per_s`"),
        ([job(every_s=1)], "jobs.0: a sequence is .*, and a `count` from 1 to 10,000"),
        ([job(every_s=1, count=3, seed=1)], "jobs.0: `poisson_per_s` and a `seed` go together"),
        ([job(poisson_per_s=1, count=2)], "jobs.0: `poisson_per_s` and a `seed` go together"),
        ([job(poisson_per_s=0, count=2, seed=1)], "jobs.0.poisson_per_s: 0: must be greater than 0"),
        ([job(poisson_per_s=1, count=2, seed="x")], "jobs.0.seed: 'x': must be a valid integer"),
        ([job(every_s=1, count=10**9)], "jobs.0.count: 1000000000: must be less than or equal to 10000"),
        ([job(every_s=1, count=6000)] * 2, "12,000 jobs; give at most 10,000"),
        ([job(every_s=6e6, count=3)], "at_s 1.2e.07; give a time from 0 to 1e.07"),
        ([job(at_s=1e9)], "jobs.0.at_s: 1000000000.0: must be less than or equal to 10000000"),
        ([job(at_s=-1)], "jobs.0.at_s: -1: must be greater than or equal to 0"),
        ([job(), job(at_s="soon")], "2:3: jobs.1.at_s: 'soon': must be a valid number"),
        ([job(at_s=float("inf"))], "jobs.0.at_s: inf: must be less than or equal to 10000000"),
        ([job(job_id=7)], "jobs.0.job_id: 7: must be a valid string"),
        ([job(input_bytes=float("inf"))], "jobs.0.input_bytes: inf: give a size"),
        ([job(input_bytes="16 cats")], "jobs.0.input_bytes: '16 cats': unit 'cats' is not known"),
        ([job(job_id="a"), job(job_id="a")], "job_id 'a': used twice; give each its own"),
    ],
)
def test_mistakes_are_named(entries, said):
    with pytest.raises((SpecificationError, ScheduleError), match=said):
        submissions(entries)
