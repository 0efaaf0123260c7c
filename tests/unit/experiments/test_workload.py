import pytest

from experiments.specification_file import loads
from experiments.workload import submissions


def test_what_a_job_overrides_reaches_it():
    text = (
        "name: a\nstrategies: [default]\nworkload:\n"
        "- {profile: tpch-q3}\n- {profile: tpch-q3, input_bytes: 50 GB, containers: 6, shuffle_factor: 0.5}\n"
    )
    whole, changed = (submission.job() for submission in submissions(loads(text)))
    assert (changed.input_bytes, changed.containers) == (50 * 10**9, 6)
    assert changed.exchanged_bytes == pytest.approx(whole.exchanged_bytes / 5 / 2, rel=1e-6)
