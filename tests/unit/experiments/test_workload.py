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


def shuffled_bytes(workload):
    """Repartitioned and broadcast bytes of each job of a workload, by job id."""
    jobs = [submission.job() for submission in submissions(loads(f"name: a\nstrategies: [default]\n{workload}\n"))]
    return {
        job.job_id: sum(one.bytes for stage in job.stages for one in stage.exchanges if one.kind != "forward")
        for job in jobs
    }


def test_a_factor_of_a_profile_reaches_all_its_jobs_of_a_preset_and_no_others():
    plain = shuffled_bytes("workload: mixed-high")
    changed = shuffled_bytes("workload: {preset: mixed-high, shuffle_factors: {tpch-q10: 3, kmeans: 0}}")
    factors = {"kmeans-1": 0, "tpch-q10-1": 3, "tpch-q10-2": 3}
    assert changed == pytest.approx({name: size * factors.get(name, 1) for name, size in plain.items()}, rel=1e-6)


def test_a_factor_of_a_job_goes_before_that_of_its_profile():
    jobs = "[tpch-q3, {profile: tpch-q3, shuffle_factor: 0.5}]"
    changed = shuffled_bytes(f"workload: {{jobs: {jobs}, shuffle_factors: {{tpch-q3: 4}}}}")
    assert changed["tpch-q3-1"] == pytest.approx(8 * changed["tpch-q3-2"], rel=1e-6)
