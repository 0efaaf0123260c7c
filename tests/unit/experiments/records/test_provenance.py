"""The version of the testbed that a run's record names."""

import subprocess

import pytest

from experiments.records.provenance import checkout_version, module_sha256
from tests.unit.experiments.synthetic import specification


@pytest.fixture
def checkout(tmp_path):
    """A checkout of one commit with a module in one room."""
    (tmp_path / "workloads").mkdir()
    (tmp_path / "workloads" / "tasks.py").write_text("SLICES = 1\n")
    for argv in (
        ["init", "--quiet"],
        ["add", "."],
        ["-c", "user.name=Test", "-c", "user.email=test@example.org", "commit", "--quiet", "--message", "First"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *argv], check=True)
    return tmp_path


def test_a_commit_is_its_own_version(checkout):
    version = checkout_version(checkout)
    assert len(version) == 12
    (checkout / "my-experiment.yaml").write_text("name: mine\n")
    assert checkout_version(checkout) == version


def test_every_other_state_of_the_modules_is_another_version(checkout):
    versions = [checkout_version(checkout)]
    for name, text in (("tasks.py", "SLICES = 2\n"), ("new.py", "A = 1\n"), ("new.py", "A = 2\n"), ("raw", "\x00")):
        (checkout / "workloads" / name).write_text(text)
        versions.append(checkout_version(checkout))
    assert len(set(versions)) == len(versions)
    assert all(version.startswith(f"{versions[0]}+") for version in versions[1:])


def test_what_is_no_checkout_has_no_version(tmp_path):
    assert checkout_version(tmp_path) == "unknown"


def test_a_strategy_of_ones_own_is_known_by_its_module(tmp_path):
    wanted = specification("strategies=['mine_for_provenance:Mine', neawa]", f"folder={tmp_path}")
    module = tmp_path / "mine_for_provenance.py"
    hashes = []
    for text in ("class Mine: ...\n", "class Mine: ...  # changed\n"):
        module.write_text(text)
        hashes.append(module_sha256(wanted, wanted.strategies[0]))
    assert None not in hashes
    assert hashes[0] != hashes[1]
    assert module_sha256(wanted, wanted.strategies[1]) is None
