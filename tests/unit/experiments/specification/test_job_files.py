"""Profiles and schedules in files: read as what comes with the testbed, and refused in a line."""

import os

import pytest
import yaml

from experiments.documents.diagnostics import SpecificationError
from experiments.specification import job_files
from workloads.profiles import ProfileError, load_profile


def test_a_profile_is_read_from_its_path_and_again_when_it_has_changed(tmp_path):
    path = tmp_path / "own.yaml"
    for containers in (6, 12):
        path.write_text(yaml.safe_dump({**load_profile("tpch-q3").document(), "name": "own", "containers": containers}))
        assert job_files.profile(str(path)).job("j").containers == containers
    assert job_files.profile("kmeans") == load_profile("kmeans")


def test_profiles_of_a_schedule_lie_beside_it(tmp_path):
    path = tmp_path / "schedule.yaml"
    path.write_text("[{profile: own.yaml, at_s: 2}, {profile: kmeans}]")
    assert [one.profile for one in job_files.schedule(path)] == [str(tmp_path / "own.yaml"), "kmeans"]


def changed(**fields):
    return lambda profile: profile.update(fields)


def stage(number, **fields):
    return lambda profile: profile["stages"][number].update(fields)


def entry(number, **fields):
    return lambda profile: profile["stages"][number]["inputs"][0].update(fields)


def repeat(times, stages=(), **fields):
    return changed(stages=[{"repeat": times, "stages": list(stages), **fields}])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (changed(contaners=3), "contaners: unknown key; did you mean 'containers'"),
        (lambda profile: profile.pop("weights"), "weights: missing; give it"),
        (
            lambda profile: profile["weights"].update(locallity=1),
            "weights.locallity: .*: must be 'closeness' or 'loc",
        ),
        (lambda profile: profile["weights"].pop("locality"), "weights: .*should have at least 2 items"),
        (changed(input_bytes="lots"), "input_bytes: 'lots': must be a valid integer"),
        (changed(input_bytes=10**400), "input_bytes: 1000.*: must be less than or equal to 10{18}"),
        (lambda profile: profile["stages"][0].pop("inputs"), "stages.0.inputs: missing; give it"),
        (stage(0, inputs=["customer"]), "stages.0.inputs.0: 'customer': must be a valid dictionary"),
        (stage(3, write_bytes=float("inf")), "stages.3.write_bytes: inf: must be a finite number"),
        (stage(3, write_bytes_per_input_byte=1e308), "stage customer-orders: written bytes inf; give smaller factors"),
        (entry(0, block_bytes=1.5), "stages.0.inputs.0.block_bytes: 1.5: must be a valid integer"),
        (entry(0, share=0.001), "the shares that are read add up to"),
        (entry(0, shre=1), "stages.0.inputs.0.shre: unknown key; did you mean 'share'"),
        (entry(3, **{"from": "custmer"}), "stage customer-orders: source 'custmer' does not stand before it"),
        (entry(3, pipelned=True), "stages.3.inputs.0.pipelned: unknown key; did you mean 'pipelined'"),
        (entry(3, form="x"), "stages.3.inputs.0.form: unknown key; did you mean 'from'"),
        (entry(3, shares=["most"]), "stages.3.inputs.0.shares.0: 'most': must be a valid number"),
        (repeat(1, factors=[10**400]), "stages.0.factors.0: 1000.*: must be a valid number"),
        (repeat(1, factors=["x"]), "stages.0.factors.0: 'x': must be a valid number"),
        (repeat(2, factors=[1]), "stages.0: factors: 1 of them; give one for each of 2 repeats"),
        (repeat(10**9), "stages.0.repeat: 1000000000: must be less than or equal to 10000"),
        (repeat(6000, 2 * [{"name": "a", "inputs": []}]), "stages.0: repeat 6000 of 2 stages; give at most 10,000"),
        (repeat(1, [{"repeat": 2, "stages": []}]), "stages.0.stages: .*: a repeat within another; write its stages"),
    ],
)
def test_mistakes_in_a_profile_are_named_with_their_place_and_a_remedy(tmp_path, change, said):
    document = load_profile("tpch-q3").document()
    assert document["stages"][3]["name"] == "customer-orders"
    change(document)
    path = tmp_path / "own.yaml"
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(SpecificationError, match=rf"own.yaml:\d+:\d+: {said}"):
        job_files.profile(str(path))


@pytest.mark.parametrize("read", [lambda path: job_files.profile(str(path)), job_files.schedule])
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: path.write_text("a: [b"), "not YAML"),
        (lambda path: path.write_text("a: &a [*a]"), "a value that holds itself"),
        (lambda path: path.write_bytes(b"\xff"), "not a text in UTF-8"),
        (os.mkfifo, "no regular file"),
        (os.mkdir, "no regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "no regular file"),
        (lambda path: path.symlink_to("nowhere"), "a symbolic link"),
    ],
)
def test_files_that_are_none_are_refused(tmp_path, read, make, said):
    path = tmp_path / "own.yaml"
    make(path)
    with pytest.raises(SpecificationError, match=said):
        read(path)


def test_an_unknown_profile_gets_the_nearest():
    with pytest.raises(ProfileError, match="do you mean kmeans"):
        job_files.profile("k-means")
