"""The presets of the thesis's evaluation, and the examples: each can run, fits, and is what it says."""

from collections import Counter
from pathlib import Path

import pytest

from experiments.analysis.dry_run import placements
from experiments.specification import specification_file, sweep, sweep_file
from experiments.specification.model import Specification
from experiments.specification.plan import check, runs_of
from experiments.specification.workload import submissions

SWEEPS = sweep_file.preset_names()
EXPERIMENTS = [*specification_file.preset_names(), *sorted(map(str, Path("examples").glob("*.yaml")))]
RACKS, WORKERS, UPLINKS_MB_PER_S = 4, 11, 4 * 50
DOCUMENT = Path("docs/evaluation.md").read_text(encoding="utf-8")


def placed(specification):
    """Strategies by label, none of whose jobs is refused or has to wait for others to end."""
    results = placements(specification)["strategies"]
    assert not [job for result in results for job in result["jobs"] if "refused" in job or job["ended"]]
    return {result["strategy"]: result for result in results}


def holders(result, job_id):
    """Nodes that hold most of a job's data."""
    held = Counter[str]()
    for file in result["files"]:
        if file["file"].startswith(f"{job_id}/"):
            held.update(file["replicas_by_node"])
    return {node for node, count in held.items() if count > max(held.values()) / 2}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_can_run_and_its_jobs_fit_at_once(name):
    specification = specification_file.load(name)
    check(specification)
    assert set(placed(specification)) == {run.strategy.label for run in runs_of(specification)}


@pytest.mark.parametrize("name", SWEEPS)
def test_every_sweep_can_run_at_all_points_and_its_jobs_fit_at_the_last_one(name):
    found = sweep.check(sweep_file.load(name))
    assert all(runs_of(point.specification) for point in found)
    placed(found[-1].specification)


@pytest.mark.parametrize("name", [*SWEEPS, *specification_file.preset_names()])
def test_every_preset_is_documented(name):
    assert f"`{name}`" in DOCUMENT


def test_the_arms_of_table_6_1_are_labelled_by_their_weight_of_closeness():
    (kmeans, *_) = sweep.points(sweep_file.load("table-6.1"))
    for tenth, arm in enumerate(kmeans.specification.strategies):
        assert float(arm.label) == arm.weights["all"].closeness == tenth / 10
    assert tenth == 10


def test_the_calibrated_table_differs_from_the_plain_one_by_its_factors_only():
    plain, calibrated = (sweep_file.load(name) for name in ("table-6.2", "table-6.2-calibrated"))
    factors = calibrated.set.pop("workload.shuffle_factors")
    same = {"name": "", "description": ""}
    assert calibrated.model_copy(update=same) == plain.model_copy(update=same)
    assert set(factors) == {job.loaded.name for job in submissions(specification_file.load("thesis"))}


def test_the_grid_of_factors_reaches_to_where_the_network_sets_the_times():
    largest: dict[str, tuple[float, Specification]] = {}
    for point in sweep.points(sweep_file.load("table-6.2-factors")):
        ((profile, factor),) = point.specification.workload.shuffle_factors.items()
        assert profile not in largest or factor > largest[profile][0]
        largest[profile] = factor, point.specification
    assert len(largest) == 4
    for _, specification in largest.values():
        jobs = [submission.job() for submission in submissions(specification)]
        exchanges = [one for job in jobs for stage in job.stages for one in stage.exchanges if one.kind != "forward"]
        across_racks = sum(one.moved_bytes(WORKERS) for one in exchanges) * (1 - 1 / RACKS)
        disks_s = sum(job.input_bytes for job in jobs) / (8 * specification.node.disk_mb_per_s * 1e6)
        assert across_racks / (UPLINKS_MB_PER_S * 1e6) > 1.5 * max(disks_s, jobs[0].cpu_s / WORKERS)


@pytest.mark.parametrize(("name", "hosts"), [("figure-5.6a", 8), ("figure-5.6b", 16)])
def test_the_containers_of_figure_5_6_keep_their_number_of_nodes_whatever_the_data_is_on(name, hosts):
    found = placed(sweep.points(sweep_file.load(name))[0].specification)
    for label, result in found.items():
        (job,) = result["jobs"]
        workers, data = set(job["workers"]), holders(result, "tpch-q3-1")
        assert len(workers) == hosts
        if (nodes := int(label.rpartition("-")[2])) < 32:  # with more, those outside of the set hold nearly as many
            assert len(data) == nodes
            assert workers <= data or data <= workers


def test_colocated_jobs_of_figure_5_8_have_nodes_of_their_own():
    (point,) = sweep.points(sweep_file.load("figure-5.8"))
    found = placed(point.specification)
    for label, jobs in {"coloc-three": ["KM_1", "T10_2", "T3_2"], "coloc-all": None}.items():
        result = found[label]
        sets = [holders(result, job["job"]) for job in result["jobs"] if jobs is None or job["job"] in jobs]
        assert all(len(nodes) == 8 for nodes in sets)
        assert len(set().union(*sets)) == 8 * len(sets)


def test_figure_5_9_submits_the_jobs_of_figure_5_8_half_a_minute_apart():
    before, after = (sweep.points(sweep_file.load(f"figure-5.{number}"))[0].specification for number in (8, 9))
    assert [job.at_s for job in submissions(before)] == [0] * 8
    apart = [job.model_copy(update={"at_s": 30.0 * turn}) for turn, job in enumerate(before.workload.jobs)]
    assert list(after.workload.jobs) == apart
