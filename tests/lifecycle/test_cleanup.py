"""A testbed that is killed at any moment leaves nothing for good, and nobody else's things are touched."""

import signal
import subprocess
import time

import pytest

from tests.lifecycle.testbed import ISOLATED, clean_up, leftovers, next_start, settings, started, wait_until
from topologies.emulated import isolation

pytestmark = pytest.mark.timeout(600)  # a testbed of somebody else on the machine is waited for

SEND_BUFFER = "core.wmem_default"


@pytest.mark.parametrize("moment_s", [0.15, 0.9, 1.6, 2.3])
def test_killed_at_any_moment_nothing_is_left(moment_s, before, somebody_else, tmp_path):
    with started(tmp_path) as testbed:
        time.sleep(moment_s)  # not for a condition: the moment is what the test is about
        assert testbed.kill(signal.SIGKILL) == -signal.SIGKILL
        clean_up(testbed)
        assert leftovers(testbed, before) == []
    assert somebody_else.harm() == []


def test_a_setting_that_was_raised_when_the_testbed_was_killed_is_put_back_by_the_next_start(before, tmp_path):
    with started(tmp_path) as testbed:
        wait_until(lambda: settings()[SEND_BUFFER] != before.settings[SEND_BUFFER], "the raised send buffer")
        testbed.kill(signal.SIGKILL)
        assert leftovers(testbed, before, timeout_s=0) != []
        next_start()
        assert leftovers(testbed, before) == []


@pytest.mark.parametrize(
    ("number", "stage", "code"), [(signal.SIGTERM, "traffic", 143), (signal.SIGINT, "network", 130)]
)
def test_a_signal_takes_everything_down_at_once(number, stage, code, before, somebody_else, tmp_path):
    with started(tmp_path) as testbed:
        testbed.read(stage)
        assert testbed.remains()
        assert testbed.kill(number) == code
        assert leftovers(testbed, before) == []
    assert somebody_else.harm() == []


def test_a_second_start_is_refused_and_told_who_runs(before, tmp_path):
    with started(tmp_path) as testbed:
        testbed.read("started")
        second = subprocess.run([*ISOLATED, "true"], capture_output=True, text=True, check=False)
        assert second.returncode == 2
        assert f"process {testbed.process.pid} since" in second.stderr
        assert "tests.lifecycle.running_network" in second.stderr
        with pytest.raises(isolation.BusyError, match=f"process {testbed.process.pid} since"):
            isolation.clean_up()
    clean_up(testbed)
    assert leftovers(testbed, before) == []
