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
