from pathlib import Path

import pytest
import yaml

from workloads.job import Exchange, JobError
from workloads.profiles import Profile, ProfileError, load_profile, profile_names
from workloads.profiles import __file__ as profiles_file

THESIS = {  # table 6.1 and section 6.4.2
    "kmeans": (8e9, 0.7, 0.3),
    "connected-components": (25e9, 0.7, 0.3),
    "tpch-q3": (250e9, 0.2, 0.8),
    "tpch-q10": (250e9, 0.3, 0.7),
}


@pytest.mark.parametrize("name", THESIS)
def test_profiles_of_the_thesis_have_its_sizes_and_weights(name):
    profile = load_profile(name)
    job = profile.job("j")
    size, closeness, locality = THESIS[name]
    assert job.input_bytes == size
    assert profile.weights == {"closeness": closeness, "locality": locality}
    assert (job.containers, job.memory_mb, job.vcores) == (12, 3072, 1)
    for said in ("Recorded", "Check of the two sizes", "Differs from the thesis's Flink 0.9", "shuffle_factor"):
        assert said in profile.provenance
    assert all(file.startswith("j/") for file in job.files)


def test_all_profiles_are_known_by_name():
    assert set(profile_names()) == set(THESIS)


@pytest.mark.parametrize("name", THESIS)
def test_volumes_scale_with_the_input(name):
    small, large = (load_profile(name).job("j", size) for size in (10**9, 10**10))
    assert small.input_bytes == 10**9
    assert large.input_bytes == 10**10
    assert large.exchanged_bytes == pytest.approx(10 * small.exchanged_bytes, rel=0.01)
    assert large.cpu_s == pytest.approx(10 * small.cpu_s, rel=0.01)


def test_a_broadcast_grows_with_the_containers():
    few, many = (load_profile("tpch-q10").job("j", containers=count) for count in (6, 12))
    assert many.exchanged_bytes > 1.8 * few.exchanged_bytes


@pytest.mark.parametrize("name", THESIS)
def test_a_shuffle_factor_changes_what_crosses_the_network_and_nothing_else(name):
    whole, half = (load_profile(name).job("j", shuffle_factor=factor) for factor in (1.0, 0.5))
    assert half.files == whole.files
    assert half.cpu_s == pytest.approx(whole.cpu_s)
    for stage, other in zip(whole.stages, half.stages, strict=True):
        for before, after in zip(stage.exchanges, other.exchanges, strict=True):
            factor = 1 if before.kind == "forward" else 0.5
            assert after.bytes == pytest.approx(factor * before.bytes, abs=1)


def test_iterations_are_unrolled_and_chained():
    stages = {stage.name: stage for stage in load_profile("kmeans").job("j").stages}
    assert [f"assign-{i}" in stages for i in (1, 10, 11)] == [True, True, False]
    assert stages["assign-1"].exchanges[0].source == "cache"
    assert stages["assign-2"].exchanges[0].source == "update-1"
    assert stages["label"].exchanges[0].source == "update-10"


def test_rounds_of_a_delta_iteration_send_less_and_less():
    stages = load_profile("connected-components").job("j").stage_by_name
    volumes = [stages[f"minimum-{i}"].exchanges[0].bytes for i in range(1, 6)]
    assert volumes[0] == max(volumes) > 2 * volumes[-1]
    both_directions = stages["adjacency"].exchanges[0].bytes
    assert max(volumes) < both_directions  # a combiner leaves no more than was sent


def test_query_3_ships_no_more_rows_than_the_tables_have():
    scale_factor = 250e9 / 956.2e6
    stages = load_profile("tpch-q3").job("j").stage_by_name
    for stage, source, rows in (("customer-orders", "orders", 1.5e6), ("shipping", "lineitem", 6e6)):
        size = next(item.bytes for item in stages[stage].exchanges if item.source == source)
        assert 0.4 * 16 < size / (rows * scale_factor) < 0.6 * 80  # half of the rows pass the filters


def test_query_10_broadcasts_all_orders():
    lineitem = load_profile("tpch-q10").job("j").stage_by_name["lineitem"]
    exchange = next(item for item in lineitem.inputs if isinstance(item, Exchange))
    assert exchange.kind == "broadcast"
    assert 8 <= exchange.bytes / (250e9 / 956.2e6 * 1.5e6) <= 40  # at least two integers an order


def changed(change):
    document = yaml.safe_load(Path(profiles_file).with_name("tpch-q3.yaml").read_text())
    change(document)
    return Profile.model_validate(document)


def test_the_block_size_of_a_file_is_its_own_whatever_the_input():
    profile = changed(lambda document: document["stages"][0]["inputs"][0].update(block_bytes=10**6))
    for size in (10**9, 10**10):
        assert [read.block_bytes for read in profile.job("j", size).reads] == [10**6, None, None]
    with pytest.raises(JobError, match="read of j/customer: block_bytes 1000000; give at least"):
        profile.job("j", 10**13)


@pytest.mark.parametrize("factor", [-1.0, float("nan"), float("inf")])
def test_a_shuffle_factor_is_a_number_of_at_least_0(factor):
    with pytest.raises(ProfileError, match="shuffle_factor"):
        load_profile("kmeans").job("j", shuffle_factor=factor)


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(ProfileError, match="do you mean kmeans"):
        load_profile("k-means")


@pytest.mark.parametrize("name", profile_names())
def test_a_profile_is_written_as_it_is_read(name):
    profile = load_profile(name)
    assert profile.document() == yaml.safe_load(Path(profiles_file).with_name(f"{name}.yaml").read_text())
    assert Profile.model_validate(profile.document()) == profile
