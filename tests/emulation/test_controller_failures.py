"""The controller when links, switches or itself fail, with traffic going on."""

import signal
import subprocess
import time

from tests.emulation.running_controller import controller, links_down, stream
from topologies.emulation import OPENFLOW_PORT


def test_a_failed_link_leaves_every_group_within_a_second_and_comes_back(running, network):
    with stream(network, "h1", "h3", 6) as (result, _):
        time.sleep(1)
        with links_down("t1-eth3"):
            left = running.wait(
                lambda _: 3 not in running.ports("t1", "10.0.2.") and 1 not in running.ports("c1", "10.0.1."), 1
            )
            time.sleep(1)
        back = running.wait(lambda _: 3 in running.ports("t1", "10.0.2.") and 1 in running.ports("c1", "10.0.1."), 5)
    print("failover", {"left_s": left, "back_s": back, **result})
    assert result["gap_s"] < 1
    running.wait_until_ready()


def test_a_core_switch_without_a_way_down_is_avoided_by_the_other_racks(running, network):
    with stream(network, "h3", "h1", 5) as (result, _):
        time.sleep(1)
        with links_down(*(f"t1-eth{port}" for port in (3, 4, 5, 6))):
            left = running.wait(lambda _: running.ports("t2", "10.0.1.") == {7, 8, 9, 10}, 1)
            time.sleep(1)
        running.wait(lambda _: len(running.ports("t2", "10.0.1.")) == 8, 5)
    print("core without a way down", {"left_s": left, **result})
    assert result["gap_s"] < 1.5


def test_a_switch_that_no_longer_answers_is_avoided(running, network):
    with stream(network, "h1", "h3", 5) as (result, _):
        time.sleep(1)
        try:
            network.switch.vsctl(["set", "controller", "c1", 'target="tcp:127.0.0.1:1"'])
            left = running.wait(lambda _: running.ports("t2", "10.0.1.") == {7, 8, 9, 10}, 1)
        finally:
            network.switch.vsctl(["set", "controller", "c1", f'target="tcp:127.0.0.1:{OPENFLOW_PORT}"'])
        back = running.wait(lambda _: len(running.ports("t2", "10.0.1.")) == 8, 5)
    print("switch gone", {"left_s": left, "back_s": back, **result})
    assert result["lost"] <= 0.01 * result["sent"]  # its rules still forward what is on its way
    running.wait_until_ready()


def test_a_killed_controller_stops_no_traffic_and_resynchronises_without_a_gap(library, plan, network, tmp_path):
    with controller(plan, tmp_path, "--controller-library", library) as first:
        first.wait_until_ready()
        with stream(network, "h1", "h7", 14) as (result, goes_on):  # switches connect again after 7 s at times
            time.sleep(1)
            first.process.send_signal(signal.SIGKILL)
            first.process.wait()
            subprocess.check_call(
                ["ovs-ofctl", "-OOpenFlow15", "add-flow", "t1", "cookie=1,priority=7,ip,nw_dst=10.9.9.9,actions=drop"]
            )
            subprocess.check_call(["ovs-ofctl", "-OOpenFlow15", "add-group", "t1", "group_id=77,type=all"])
            time.sleep(1)
            with controller(plan, tmp_path, "--controller-library", library) as second:
                took = second.wait_until_ready()
                time.sleep(1)
                assert goes_on()
                flows = subprocess.check_output(["ovs-ofctl", "-OOpenFlow15", "dump-flows", "t1"], text=True)
                groups = subprocess.check_output(["ovs-ofctl", "-OOpenFlow15", "dump-groups", "t1"], text=True)
    print("restart", {"ready_s": took, **result})
    assert result["lost"] <= 0.01 * result["sent"]
    assert result["gap_s"] < 1
    assert "10.9.9.9" not in flows
    assert "group_id=77" not in groups
