"""The placement room gets the cluster, files and requests that the specification describes."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.runs.resource_manager import ResourceManager
from experiments.specification import modelled_cluster
from experiments.specification.model import ColocationSpec, StrategySpec, WeightsSpec
from experiments.specification.plan import runs_of
from experiments.specification.resolved_run import resolve
from tests.unit.experiments.synthetic import specification
from topologies.fat_tree import fat_tree, thesis
from workloads import profiles
from workloads.job import Job, Read, Stage
from workloads.profiles import load_profile, profile_names

MIB = 2**20


def test_nodes_have_what_the_specification_gives_them():
    spec = specification("node.slots=6", "node.memory_bytes=24 GiB", "node.cores=4")
    cluster = modelled_cluster.cluster(spec, thesis())
    assert cluster.names == tuple(f"h{number}" for number in range(1, 9))
    assert {(node.slots, node.memory_mb) for node in cluster.nodes} == {(6, 24 * 1024)}
    assert all(node.vcores >= 6 for node in cluster.nodes)  # slots bound the containers, not the cores


@given(st.integers(1, 6), st.integers(1, 5))
def test_racks_and_hops_are_the_networks(racks, hosts_per_rack):
    topology = fat_tree(racks=racks, hosts_per_rack=hosts_per_rack)
    cluster = modelled_cluster.cluster(specification(), topology)
    assert {rack: tuple(names) for rack, names in cluster.racks.items()} == dict(topology.racks)
    assert cluster.hops.matrix().tolist() == topology.hop_matrix.tolist()


@pytest.mark.parametrize("name", profile_names())
def test_files_hold_the_whole_input_in_blocks_of_the_given_size(name):
    spec = specification("data.replication=2", "data.block_bytes=64 MiB")
    job = load_profile(name).job("job", input_bytes=10**9)
    files = modelled_cluster.files(spec, job)
    assert sum(file.size_bytes for file in files) == pytest.approx(10**9, abs=len(files))
    for file in files:
        assert (file.replication, file.block_bytes) == (2, 64 * MIB)
        assert sum(file.block_size(block.index) for block in file.blocks) == file.size_bytes


def test_the_block_size_of_a_file_goes_before_that_of_the_cluster():
    job = Job("job", "mine", (Stage("scan", (Read("a", 10**9, block_bytes=10**8), Read("b", 10**9))),))
    first, second = modelled_cluster.files(specification("data.block_bytes=500 MB"), job)
    assert [(file.block_bytes, file.block_count) for file in (first, second)] == [(10**8, 10), (5 * 10**8, 2)]


@pytest.mark.parametrize("name", profile_names())
def test_a_request_asks_for_what_the_job_needs(name):
    job = load_profile(name).job("job")
    request = modelled_cluster.request(StrategySpec(name="neawa"), job, load_profile(name))
    assert (request.job_id, request.signature, request.containers) == ("job", name, job.containers)
    assert request.inputs == tuple(job.files)
    weights = load_profile(name).weights
    assert {"closeness": request.weights.closeness, "locality": request.weights.locality} == weights


def test_weights_of_the_strategy_go_before_the_profiles_and_those_of_a_job_before_both():
    by_profile, by_job = WeightsSpec(closeness=1, locality=0), WeightsSpec(closeness=0.25, locality=0.75)
    for_all = WeightsSpec(closeness=0.5, locality=0.5)
    strategy = StrategySpec(name="neawa", weights={"all": for_all, "kmeans": by_profile, "job-2": by_job})

    def closeness(job_id, name="kmeans"):
        profile = load_profile(name)
        return modelled_cluster.request(strategy, profile.job(job_id), profile).weights.closeness

    assert closeness("job-1") == 1
    assert closeness("job-2") == 0.25
    assert closeness("job-1", "tpch-q3") == 0.5


def test_a_profile_from_a_file_has_its_own_weights(tmp_path):
    path = tmp_path / "mine.yaml"
    text = (Path(profiles.__file__).parent / "kmeans.yaml").read_text()
    path.write_text(
        text.replace("name: kmeans", "name: mine").replace("closeness: 0.7, locality: 0.3", "closeness: 0, locality: 1")
    )
    spec = specification(f"workload=[{{profile: {path}}}]", "strategies=[neawa]")
    run = resolve(runs_of(spec)[0])
    manager = ResourceManager(run, lambda: 0.0)
    manager.load()
    terms = asyncio.run(manager.start(run.jobs[0].request)).cost_terms
    assert terms["total"] == pytest.approx(terms["locality"])


@given(containers=st.integers(2, 64), slots=st.integers(1, 16))
def test_a_colocation_is_as_wide_as_the_workers_need(containers, slots):
    job = load_profile("kmeans").job("job", containers=containers)
    described = modelled_cluster.colocation(specification(f"node.slots={slots}"), StrategySpec(name="coloc"), job)
    assert (described.files, described.container_nodes) == (tuple(job.files), 0)
    assert (described.size - 1) * slots < containers - 1 <= described.size * slots


def test_only_the_jobs_of_a_colocation_are_described_and_as_wide_as_it_says():
    wanted = ColocationSpec(jobs=("job-1", "tpch-q3"), nodes=3, container_nodes=5)
    strategy = StrategySpec(name="coloc", colocation=wanted)

    def described(name, job_id):
        return modelled_cluster.colocation(specification(), strategy, load_profile(name).job(job_id))

    assert described("kmeans", "job-2") is None
    for one in (described("kmeans", "job-1"), described("tpch-q3", "job-2")):
        assert (one.size, one.container_nodes) == (3, 5)


def test_a_run_colocates_the_described_jobs_and_no_other():
    spec = specification(
        "workload=kmeans-mid", "strategies=[{name: coloc, colocation: {jobs: kmeans-2, nodes: 2, container_nodes: 3}}]"
    )
    run = resolve(runs_of(spec)[0])
    manager = ResourceManager(run, lambda: 0.0)
    manager.load()
    (described,) = manager.state.view().colocations.values()
    assert described.files == ("kmeans-2/points",)
    blocks = manager.state.view().blocks_of(described.files)
    assert all(set(nodes[:-1]) <= set(described.nodes) for nodes in blocks.values())
    requests = [planned.request for planned in run.jobs]
    placements = {request.job_id: asyncio.run(manager.start(request)).placement[1:] for request in requests}
    assert len(set(placements["kmeans-2"])) == 3
    assert set(described.nodes) < set(placements["kmeans-2"])
    assert len(set(placements["kmeans-1"])) > 3
