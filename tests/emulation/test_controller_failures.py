"""The controller when links, switches or itself fail, with traffic going on."""

import signal
import subprocess
import time

import pytest

from tests.emulation.running_controller import PATIENCE_S, connected, links_down, stream
from topologies.emulated.network import OPENFLOW_PORT

pytestmark = pytest.mark.measured


def test_a_killed_controller_stops_no_traffic_and_resynchronises_without_a_gap(library, network, tmp_path, measured):
    for trial in measured():
        _kill_and_restart(library, network, tmp_path, trial)


def _kill_and_restart(library, network, tmp_path, trial):
    options = ("--controller-library", library)
    with connected(network, tmp_path, *options) as first, stream(network, "h1", "h7") as result:
        time.sleep(0.5)
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        subprocess.check_call(
            ["ovs-ofctl", "-OOpenFlow15", "add-flow", "t1", "cookie=1,priority=7,ip,nw_dst=10.9.9.9,actions=drop"]
        )
        subprocess.check_call(["ovs-ofctl", "-OOpenFlow15", "add-group", "t1", "group_id=77,type=all"])
        time.sleep(0.5)
        with connected(network, tmp_path, *options):
            time.sleep(0.5)
            flows = subprocess.check_output(["ovs-ofctl", "-OOpenFlow15", "dump-flows", "t1"], text=True)
            groups = subprocess.check_output(["ovs-ofctl", "-OOpenFlow15", "dump-groups", "t1"], text=True)
    trial.expect("lost_share", result["lost"] / result["sent"], at_most=0.01)
    trial.expect("gap_s", result["gap_s"], at_most=1)
    assert "10.9.9.9" not in flows
    assert "group_id=77" not in groups


def test_a_failed_link_leaves_every_group_within_a_second_and_comes_back(running, network, measured):
    def used():
        return 3 in running.ports("t1", "10.0.2."), 1 in running.ports("c1", "10.0.1.")

    for trial in measured():
        with stream(network, "h1", "h3") as result:
            time.sleep(0.5)
            with links_down("t1-eth3"):
                left_s = running.wait(lambda _: used() == (False, False), PATIENCE_S)
                time.sleep(1)
            back_s = running.wait(lambda _: used() == (True, True), PATIENCE_S)
        trial.expect("left_s", left_s, at_most=1)
        trial.expect("back_s", back_s, at_most=5)
        trial.expect("gap_s", result["gap_s"], at_most=1)
    running.wait_until_ready()


def test_a_core_switch_without_a_way_down_is_avoided_by_the_other_racks(running, network, measured):
    for trial in measured():
        with stream(network, "h3", "h1") as result:
            time.sleep(0.5)
            with links_down(*(f"t1-eth{port}" for port in (3, 4, 5, 6))):
                left_s = running.wait(lambda _: running.ports("t2", "10.0.1.") == {7, 8, 9, 10}, PATIENCE_S)
                time.sleep(1)
            back_s = running.wait(lambda _: len(running.ports("t2", "10.0.1.")) == 8, PATIENCE_S)
        trial.expect("left_s", left_s, at_most=1)
        trial.expect("back_s", back_s, at_most=5)
        trial.expect("gap_s", result["gap_s"], at_most=1.5)


def test_a_switch_that_no_longer_answers_is_avoided(running, network, measured):
    for trial in measured():
        with stream(network, "h1", "h3") as result:
            time.sleep(0.5)
            try:
                network.switch.vsctl(["set", "controller", "c1", 'target="tcp:127.0.0.1:1"'])
                left_s = running.wait(lambda _: running.ports("t2", "10.0.1.") == {7, 8, 9, 10}, PATIENCE_S)
            finally:
                network.switch.vsctl(["set", "controller", "c1", f'target="tcp:127.0.0.1:{OPENFLOW_PORT}"'])
            back_s = running.wait(lambda _: len(running.ports("t2", "10.0.1.")) == 8, PATIENCE_S)
        trial.expect("left_s", left_s, at_most=1)
        trial.expect("back_s", back_s, at_most=5)
        trial.expect("lost_share", result["lost"] / result["sent"], at_most=0.01)  # its rules still forward
    running.wait_until_ready()
