"""The private Open vSwitch: what it is told, and how its end is noticed."""

import contextlib
import signal
import subprocess

import psutil
import pytest

from topologies.emulated import openvswitch
from topologies.emulated.openvswitch import OpenVSwitch, OpenVSwitchError
from topologies.fat_tree import thesis


def test_bridges_have_the_planned_ports_and_nothing_forwards_by_itself():
    topology = thesis()
    arguments = openvswitch.bridge_commands(topology, "userspace")
    text = " ".join(arguments)
    assert text.count("add-br") == 6
    assert text.count("add-port") == 8 + 2 * 32
    assert text.count("fail_mode=secure") == 6
    assert "set interface t1-eth3 ofport_request=3" in text
    assert f"datapath-id={topology.switches[0].dpid:016x}" in text
    assert "datapath_type=netdev" in text
    assert "datapath_type=system" in " ".join(openvswitch.bridge_commands(topology, "kernel"))


def test_a_controller_that_starts_again_is_another_target_of_the_same_address():
    first = openvswitch.controller_target(6653)
    second = openvswitch.controller_target(6653, other_than=first)
    assert first == openvswitch.controller_target(6653, other_than=second) != second
    assert {int(target.rpartition(":")[2]) for target in (first, second)} == {6653}


@pytest.fixture
def daemons():
    """Two processes that stand for ovs-vswitchd and ovsdb-server."""
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(subprocess.Popen(["sleep", "60"])) for _ in range(2)]
        for process in processes:
            stack.callback(process.kill)
        yield processes


@pytest.mark.parametrize(("number", "name"), [(0, "ovs-vswitchd"), (1, "ovsdb-server")])
def test_a_daemon_that_has_ended_or_has_been_stopped_is_named(number, name, daemons, tmp_path):
    switch = OpenVSwitch(tmp_path, "userspace", *(process.pid for process in daemons))
    (tmp_path / f"{name}.log").write_text("started\nout of memory\n")
    switch.require_alive()
    process = daemons[number]
    process.send_signal(signal.SIGSTOP)
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        pass
    with pytest.raises(OpenVSwitchError, match=rf"^{name} \(process {process.pid}\) has been stopped"):
        switch.require_alive()
    process.kill()
    process.wait()
    with pytest.raises(OpenVSwitchError, match=rf"^{name} \(process {process.pid}\) has ended; .*: out of memory$"):
        switch.require_alive()
