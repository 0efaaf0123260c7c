"""What is installed besides requirements.lock is locked, too, and has its versions where both have a package."""

import re

import pytest

from scripts import provision_retention, provision_ryu
from scripts.provision import LOCK_FILE
from tests.unit.scripts.locks import requirements

LOCKS = (provision_ryu.BUILD_LOCK, provision_ryu.LOCK_FILE, provision_retention.LOCK_FILE)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_is_one_version_with_hashes(lock):
    every = [requirement for several in requirements(lock).values() for requirement in several]
    assert every
    for requirement in every:
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+( ; [^\\]+?)?( +--hash=sha256:[0-9a-f]{64})+", requirement)


@pytest.mark.parametrize(
    ("lock", "shared"), [(LOCKS[1], "numpy"), (LOCKS[2], "pydantic")], ids=lambda value: str(value)
)
def test_packages_that_the_testbed_has_too_are_of_its_versions(lock, shared):
    def versions(several):
        return {requirement.split(" ")[0] for requirement in several}

    own, others = requirements(LOCK_FILE), requirements(lock)
    assert shared in own.keys() & others.keys()
    for name in own.keys() & others.keys():
        assert versions(others[name]) <= versions(own[name]), "make it anew, as its first lines say"
