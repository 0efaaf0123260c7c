"""From specification to runs, and what is refused before anything runs."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.documents.diagnostics import SpecificationError
from experiments.specification.plan import check, runs_of
from experiments.specification.resolved_run import resolve
from experiments.specification.specification_file import load, loads, parse
from experiments.specification.workload import planned, submissions
from placement import Weights
from tests.unit.experiments.synthetic import specification
from workloads.profiles import load_profile


def problems(spec):
    with pytest.raises(SpecificationError) as caught:
        check(spec)
    return "\n".join(caught.value.problems)


def test_the_runs_are_the_product_each_once():
    runs = runs_of(specification("repeats=3", "topology.blocking_factor=[1,5]"))
    cells = {(run.strategy.label, run.blocking_factor, run.repeat) for run in runs}
    assert len(runs) == len(cells) == len({run.id for run in runs}) == 3 * 2 * 3


def test_the_seed_depends_on_the_repeat_only():
    runs = runs_of(specification("repeats=3", "topology.blocking_factor=[1,5]", "seed=7"))
    assert {(run.repeat, run.seed) for run in runs} == {(0, 7), (1, 8), (2, 9)}


def test_strategies_are_interleaved_and_none_is_always_first():
    runs = runs_of(specification("repeats=3"))
    order = [run.strategy.label for run in runs]
    for repeat in range(3):
        assert sorted(order[3 * repeat : 3 * repeat + 3]) == ["coloc", "default", "neawa"]
    assert len({order[0], order[3], order[6]}) == 3


def test_the_network_follows_the_blocking_factor():
    one, five = runs_of(specification("strategies=[default]", "topology.blocking_factor=[1,5]"))
    free, blocked = (run.build_topology().link_by_id["t1-c1/1"].capacity_mbps for run in (one, five))
    assert free / blocked == pytest.approx(5)


def test_a_network_without_uplinks_has_one_run_a_strategy():
    runs = runs_of(specification("topology=single-switch"))
    assert [run.blocking_factor for run in runs] == [None] * 3
    assert runs[0].id == "r00-default"


def test_the_thesis_experiment_passes():
    check(specification())


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("strategies.1.name=newa", ["strategies.1.name", "did you mean 'neawa'?"]),
        ("workload=mixed-hihg", ["workload.preset", "did you mean 'mixed-high'?"]),
        ("workload=[{profile: kmean}]", ["workload.jobs.0.profile", "did you mean 'kmeans'?"]),
        ("workload=[{profile: kmeans, containers: 65}]", ["workload.kmeans-1.containers", "65", "64 slots"]),
        ("failures=[{at_s: 1, link: t1-c2/5}]", ["failures.0.link", "'t1-c2/5'", "did you mean 't1-c2/"]),
        ("failures=[{at_s: 1, host: h9}]", ["failures.0.host", "no such host"]),
        ("failures=[{at_s: 1, corrupt: {file: /a, host: h9}}]", ["failures.0.corrupt.host", "'h9'", "no such host"]),
        ("retention={track: a, gateway: h9}", ["retention.gateway", "'h9'", "no such host"]),
        ("data.replication=9", ["data.replication", "8 nodes"]),
        ("strategies.1.options={tempo: 1}", ["strategies.1", "tempo"]),
        ("strategies.0.name=no.such:Strategy", ["strategies.0", "no.such:Strategy", "importable"]),
        ("workload=no/such.yaml", ["workload", "no/such.yaml"]),
        ("workload=[{profile: no/such.yaml}]", ["workload", "no/such.yaml"]),
        ("node.memory_bytes=2 GiB", ["kmeans-1.memory_mb", "3072", "2048 MiB"]),
        ("strategies.1.colocation={nodes: 2}", ["strategies.1.colocation", "'neawa'", "remove it"]),
        ("strategies.2.colocation={jobs: kmeens-1}", ["2.colocation.jobs", "'kmeens-1'", "did you mean 'kmeans-1'?"]),
        ("strategies.2.colocation={nodes: 9}", ["strategies.2.colocation.nodes", "8 nodes"]),
        ("strategies.2.colocation={container_nodes: 9}", ["2.colocation.container_nodes", "8 nodes"]),
        ("data.block_bytes=1 kB", ["data.block_bytes", "1000", "797,074,236 blocks", "500,000"]),
        ("workload.shuffle_factors={kmeans: 1e300}", ["workload", "bytes", "give a number from 0 to 1e+18"]),
        ("workload.shuffle_factors={kmean: 2}", ["shuffle_factors", "'kmean'", "did you mean 'kmeans'?"]),
    ],
)
def test_what_cannot_run_is_refused_before_it_does(assignment, words):
    text = problems(specification(assignment))
    assert all(word in text for word in words), text


def test_a_strategy_and_a_profile_of_ones_own_pass(tmp_path):
    profile = tmp_path / "mine.yaml"
    profile.write_text(Path("workloads/profiles/kmeans.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    check(
        specification(
            "strategies.0.name=placement.strategies.baselines:RoundRobin", f"workload=[{{profile: {profile}}}]"
        )
    )


@pytest.mark.parametrize(
    ("closeness", "locality", "reason"),
    [(0.7, 0.7, "add up to 1.4"), (1.5, -0.5, "from 0 to 1"), (0.33333, 0.66666, "add up to 0.99999")],
)
def test_weights_of_a_strategy_and_of_a_profile_are_judged_alike(closeness, locality, reason):
    weights = {"closeness": closeness, "locality": locality}
    profile = {**load_profile("kmeans").document(), "name": "mine", "weights": weights}
    document = {"name": "a", "strategies": ["neawa"], "workload": {"jobs": ["mine"], "profiles": {"mine": profile}}}
    text = problems(parse(document))
    assert text.startswith("workload: profile mine: weights: ")
    assert reason in text
    if locality >= 0:
        strategy = {"name": "neawa", "weights": {"kmeans": weights}}
        with pytest.raises(SpecificationError, match=reason):
            parse({"name": "a", "strategies": [strategy], "workload": "mixed-high"})


@given(st.integers(0, 10**6))
def test_weights_with_six_digits_run(millionths):
    weights = {"closeness": millionths / 10**6, "locality": (10**6 - millionths) / 10**6}
    strategy = {"name": "neawa", "weights": {"all": weights}}
    (run,) = runs_of(parse({"name": "a", "strategies": [strategy], "workload": ["kmeans"]}))
    assert resolve(run).jobs[0].request.weights == Weights(**weights)


def test_weights_rounded_to_six_digits_add_up():
    weights = {"closeness": 0.3333333, "locality": 0.6666666}
    strategy = {"name": "neawa", "weights": {"all": weights}}
    (run,) = runs_of(parse({"name": "a", "strategies": [strategy], "workload": ["kmeans"]}))
    assert resolve(run).jobs[0].request.weights.closeness == 0.3333333


def test_jobs_that_share_a_profile_read_its_file_once(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(Path("workloads/profiles/kmeans.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    jobs = [{"profile": str(path), "at_s": number} for number in range(1000)]
    spec = parse({"name": "a", "strategies": ["default"], "workload": jobs, "data": {"block_bytes": "1 GB"}})
    first, *others = submissions(spec)
    assert all(one.loaded is first.loaded for one in others)
    path.write_text(path.read_text().replace("closeness: 0.7, locality: 0.3", "closeness: 0, locality: 1"))
    assert submissions(spec)[0].loaded.weights == {"closeness": 0, "locality": 1}


def test_every_example_could_run():
    for path in sorted(Path("examples").glob("*.yaml")):
        check(load(path))


def test_labels_that_share_a_folder_are_refused():
    spec = specification("strategies=[{name: default, label: a b}, {name: neawa, label: a-b}]")
    assert "strategies.1.label" in problems(spec)


def test_inline_jobs_get_ids_that_count_each_profile():
    spec = loads(
        "name: a\nstrategies: [default]\nworkload: [kmeans, {profile: kmeans, job_id: kmeans-2}, kmeans, dir/my.yaml]\n"
    )
    names = [job.job_id for job in planned(spec)]
    assert names == ["kmeans-1", "kmeans-2", "kmeans-3", "my-1"]


def test_inline_jobs_keep_their_sizes_and_come_in_order_of_time():
    spec = loads(
        "name: a\nstrategies: [default]\n"
        "workload: [{profile: tpch-q3, at_s: 5, input_bytes: 1 GB, containers: 4}, kmeans]\n"
    )
    first, second = submissions(spec)
    assert (first.job_id, second.at_s) == ("kmeans-1", 5)
    assert (second.job().input_bytes, second.job().containers) == (10**9, 4)
