"""The calibration of a network with many hosts watches all of them while all of them send."""

import subprocess

import pytest

from experiments.runs import network_calibration
from topologies.emulated.network import emulated
from topologies.fat_tree import single_switch

HOSTS = 64


@pytest.mark.measured
def test_all_hosts_of_a_large_network_send_while_their_links_are_watched(measured):
    topology = single_switch(HOSTS, host_mbps=1000).scaled(256)
    address = {host.name: host.ip for host in topology.hosts}
    with emulated(topology) as network:
        for link in topology.links:
            entry = f"ip,nw_dst={address[link.a.node]},actions=output:{link.b.port_no}"
            subprocess.check_call(["ovs-ofctl", "-OOpenFlow13", "add-flow", link.b.node, entry])

        def path(source, destination, *_):
            return (topology.host_link[source].id, "up"), (topology.host_link[destination].id, "down")

        for trial in measured():
            found = network_calibration.all_uplinks(network, path, network_calibration.settled_duration_s(topology))
            assert found.flows == 256
            assert found.loaded_directions == HOSTS
            trial.expect("error", found.error, -0.1, 0.1)


def test_a_host_alone_has_nobody_to_send_to_and_lacks_nothing():
    with emulated(single_switch(1)) as network:
        found = network_calibration.all_uplinks(network, lambda *_: (), duration_s=3)
    assert (found.flows, found.loaded_directions, found.shortfall) == (0, 0, 0.0)
