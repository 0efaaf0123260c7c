"""The other system gets the checkout, how to reach package sources, and nothing else of this machine."""

import shlex
from pathlib import Path

from scripts.check_in_debian import CHECK, arguments, bootstrap, environment, inside


def test_the_command_is_what_stands_behind_two_dashes():
    words = ["trixie", "/var/tmp/t", "--copy", "/etc/pip.conf", "--", "python3", "run_testbed.py", "--json"]
    options = arguments(words)
    assert (options.release, options.copy) == ("trixie", ["/etc/pip.conf"])
    assert options.command == words[5:]
    assert arguments(words[:2]).command == list(CHECK)


def test_the_release_is_made_in_the_folder():
    assert bootstrap("trixie", Path("/var/tmp/t"), "http://mirror")[-3:] == ["trixie", "/var/tmp/t", "http://mirror"]


def test_a_command_runs_in_the_checkout_of_the_system_and_its_mounts_end_with_it():
    argv = inside(Path("/var/tmp/a b"), ["python3", "run_testbed.py", "--set", "x=[1, 2]"])
    assert {"--mount", "--pid", "--kill-child"} <= set(argv)
    words = shlex.split(argv[-1])
    assert words[words.index("cd") + 1] == "/var/tmp/a b"
    assert shlex.split(words[-1])[-4:] == ["python3", "run_testbed.py", "--set", "x=[1, 2]"]


def test_packages_cannot_change_the_settings_of_the_kernel():
    assert "remount,ro,bind /var/tmp/t/proc/sys" in inside(Path("/var/tmp/t"), ["true"], settings=False)[-1]
    assert "remount" not in inside(Path("/var/tmp/t"), ["true"])[-1]


def test_only_what_reaches_package_sources_is_passed_on():
    own = {"HOME": "/home/me", "https_proxy": "p", "PIP_INDEX_URL": "i", "SECRET": "s", "PATH": "/opt"}
    found = environment(own)
    assert {name: found[name] for name in ("https_proxy", "PIP_INDEX_URL")} == {
        "https_proxy": "p",
        "PIP_INDEX_URL": "i",
    }
    assert found["HOME"] == "/root"
    assert "SECRET" not in found
