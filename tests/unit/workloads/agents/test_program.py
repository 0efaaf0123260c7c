"""Agents carry out what others describe, so they cannot do more than move bytes."""

import os
import subprocess
import sys

import pytest

BECOME = "from workloads.agents.program import become_unprivileged; become_unprivileged(); "
NONE = "0" * 16


def status_after(program):
    """The fields of /proc/self/status of a process that has become unprivileged."""
    show = "print(open('/proc/self/status').read())"
    done = subprocess.run([sys.executable, "-c", BECOME + program + show], capture_output=True, text=True, check=True)
    return {name: value.split() for name, _, value in (line.partition(":") for line in done.stdout.splitlines())}


def test_nothing_gives_privileges_back_and_files_are_the_agents_own():
    status = status_after("")
    assert status["NoNewPrivs"] == ["1"]
    assert status["Umask"] == ["0077"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")
def test_root_is_given_up_with_all_groups_and_capabilities():
    status = status_after("")
    assert status["Uid"] == status["Gid"] == ["65534"] * 4
    assert status["Groups"] == []
    assert {name: status[name] for name in status if name.startswith("Cap")} == {
        name: [NONE] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    }


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")
def test_a_bounding_set_that_may_not_be_emptied_is_an_error():
    without = ["setpriv", "--bounding-set=-setpcap", "--inh-caps=-all", sys.executable, "-c", BECOME]
    done = subprocess.run(without, capture_output=True, text=True, check=False)
    assert "PermissionError: [Errno 1] prctl 24: Operation not permitted" in done.stderr
