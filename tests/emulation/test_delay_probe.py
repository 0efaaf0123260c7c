"""Datagrams find what holds packets up, and where."""

import functools
import os
import signal
import subprocess
import time

import pytest

from experiments.records import delays
from experiments.runs.delay_probe import ProbeError, covering_paths, probing
from topologies.emulated.delay_probe import PORT
from topologies.emulated.shaping import interface

LIMIT_S = 0.04


@pytest.fixture(scope="module")
def paths(small_network):
    network, control = small_network
    path = functools.partial(control.path, network.topology)
    return covering_paths(network.topology, lambda *flow: path(*flow, PORT, "udp"))


def felt(network, paths, log, disturb=lambda: time.sleep(4)):
    """What datagrams feel while something happens."""
    with probing(network, paths, 1, log) as probe:
        probe.start()
        time.sleep(0.5)
        disturb()
        found = probe.finish()
    steps = [path.steps for path in paths]
    allowed = [delays.allowed_s(network.topology, network.constants, path) for path in steps]
    queue_s = delays.longest_queue_s(network.topology, network.constants)
    return delays.assess(found["flow"], found["delay_s"], steps, allowed, queue_s)


@pytest.mark.measured
def test_datagrams_cross_every_link_and_nothing_holds_them_up(small_network, paths, tmp_path, measured):
    network, _ = small_network
    ways = {(link.id, way) for link in network.topology.links for way in ("up", "down")}
    for trial in measured():
        found = felt(network, paths, tmp_path / "log")
        assert {(one.link, one.direction) for one in found.links} == ways
        assert all(one.datagrams > one.lost == 0 for one in found.links)
        trial.expect("99th percentile", found.excess_s_p99, at_most=LIMIT_S)


def test_a_stop_of_the_switches_is_felt(small_network, paths, tmp_path):
    network, _ = small_network

    def stop():
        for _ in range(2):
            time.sleep(1)
            os.kill(network.switch.vswitchd_pid, signal.SIGSTOP)
            time.sleep(0.3)
            os.kill(network.switch.vswitchd_pid, signal.SIGCONT)

    assert felt(network, paths, tmp_path / "log", stop).excess_s_p99 > LIMIT_S


def test_a_link_that_is_slower_than_planned_is_named(small_network, paths, tmp_path):
    network, _ = small_network
    link = network.topology.uplinks[0]
    (shape,) = (one for one in network.shapes[link.a.node] if one.interface == interface(link.a))

    def slow_down():
        for classid, parent in (("1:1", "1:"), ("1:3", "1:1")):
            change = ["tc", "class", "change", "dev", shape.interface, "parent", parent, "classid", classid, "htb"]
            rate = "rate 16000bit ceil 16000bit burst 60 cburst 60 quantum 1514 prio 0"
            subprocess.check_call([*change, *rate.split()])
        time.sleep(4)

    try:
        found = felt(network, paths, tmp_path / "log", slow_down)
    finally:
        subprocess.check_call(["tc", "qdisc", "del", "dev", shape.interface, "root"])
        subprocess.run(["tc", "-batch", "-"], input="\n".join(shape.commands), text=True, check=True)
    network.verify()
    assert found.excess_s_p99 > LIMIT_S
    assert found.slowest == f"{link.id} up"


def test_a_probe_that_is_killed_is_missed(small_network, paths, tmp_path):
    network, _ = small_network
    with probing(network, paths, 1, tmp_path / "log") as probe:
        os.kill(probe.pid, signal.SIGKILL)
        with pytest.raises(ProbeError, match="exit code -9"):
            probe.finish()
