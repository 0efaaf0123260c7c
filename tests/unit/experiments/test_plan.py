"""From specification to runs, and what is refused before anything runs."""

import pytest

from experiments.diagnostics import SpecificationError
from experiments.plan import Catalogue, check, resolve, submissions_with_ids
from experiments.specification_file import loads
from tests.unit.experiments.synthetic import specification

CATALOGUE = Catalogue(
    strategies=("default", "neawa", "coloc"),
    profiles=("kmeans", "tpch-q3"),
    schedules=("mixed-high",),
    multipath=("ecmp",),
)


def problems(spec):
    with pytest.raises(SpecificationError) as caught:
        check(spec, CATALOGUE)
    return "\n".join(caught.value.problems)


def test_the_runs_are_the_product_each_once():
    runs = resolve(specification("repeats=3", "topology.blocking_factor=[1,5]"))
    cells = {(run.strategy.label, run.blocking_factor, run.repeat) for run in runs}
    assert len(runs) == len(cells) == len({run.id for run in runs}) == 3 * 2 * 3


def test_the_seed_depends_on_the_repeat_only():
    runs = resolve(specification("repeats=3", "topology.blocking_factor=[1,5]", "seed=7"))
    assert {(run.repeat, run.seed) for run in runs} == {(0, 7), (1, 8), (2, 9)}


def test_strategies_are_interleaved_and_none_is_always_first():
    runs = resolve(specification("repeats=3"))
    order = [run.strategy.label for run in runs]
    for repeat in range(3):
        assert sorted(order[3 * repeat : 3 * repeat + 3]) == ["coloc", "default", "neawa"]
    assert len({order[0], order[3], order[6]}) == 3


def test_the_network_follows_the_blocking_factor():
    one, five = resolve(specification("strategies=[default]", "topology.blocking_factor=[1,5]"))
    ratio = one.topology().link_by_id["t1-c1/1"].capacity_mbps / five.topology().link_by_id["t1-c1/1"].capacity_mbps
    assert ratio == pytest.approx(5)


def test_a_network_without_uplinks_has_one_run_a_strategy():
    runs = resolve(specification("topology=single-switch"))
    assert [run.blocking_factor for run in runs] == [None] * 3
    assert runs[0].id == "r00-default"


def test_the_thesis_experiment_passes():
    check(specification(), CATALOGUE)


@pytest.mark.parametrize(
    ("assignment", "words"),
    [
        ("strategies.1.name=newa", ["strategies.1.name", "did you mean 'neawa'?"]),
        ("workload=mixed-hihg", ["workload.preset", "did you mean 'mixed-high'?"]),
        ("workload=[{profile: kmean}]", ["workload.jobs.0.profile", "did you mean 'kmeans'?"]),
        ("workload=[{profile: kmeans, containers: 65}]", ["workload.jobs.0.containers", "65", "64 slots"]),
        ("failures=[{at_s: 1, link: t1-c2/5}]", ["failures.0.link", "'t1-c2/5'", "did you mean 't1-c2/"]),
        ("failures=[{at_s: 1, host: h9}]", ["failures.0.host", "no such host"]),
        ("data.replication=9", ["data.replication", "8 nodes"]),
        ("controller.multipath=ecmpp", ["controller.multipath", "did you mean 'ecmp'?"]),
    ],
)
def test_what_cannot_run_is_refused_before_it_does(assignment, words):
    text = problems(specification(assignment))
    assert all(word in text for word in words), text


def test_own_classes_and_files_are_left_to_their_loaders():
    check(specification("strategies.0.name=mine.fast:Best", "workload=[{profile: mine/job.yaml}]"), CATALOGUE)


def test_labels_that_share_a_folder_are_refused():
    spec = specification("strategies=[{name: default, label: a b}, {name: neawa, label: a-b}]")
    assert "strategies.1.label" in problems(spec)


def test_inline_jobs_get_ids_that_count_each_profile():
    spec = loads(
        "name: a\nstrategies: [default]\nworkload: [kmeans, {profile: kmeans, job_id: kmeans-2}, kmeans, dir/my.yaml]\n"
    )
    names = [job.job_id for job in submissions_with_ids(spec.workload.jobs)]
    assert names == ["kmeans-1", "kmeans-2", "kmeans-3", "my-1"]
