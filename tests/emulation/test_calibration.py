"""Calibration on networks of many hosts, of three tiers, and of links with different rates."""

import subprocess

import pytest

from experiments.runs import calibration_pairs, network_calibration
from tests.emulation.running_controller import connected
from topologies.clos import k_ary_fat_tree, leaf_spine
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


def one_of_each_kind(topology):
    """The first round that measures a link between two tiers at a rate, for each pair of tiers and each rate."""
    kinds: dict[tuple[str, str, float], list[calibration_pairs.LinkTrial]] = {}
    for trials in calibration_pairs.link_rounds(topology):
        for trial in trials:
            kinds.setdefault((trial.up.a.node[0], trial.up.b.node[0], trial.capacity_mbps), [trial])
    return list(kinds.values())


@pytest.mark.measured
@pytest.mark.parametrize(
    ("topology", "kinds"),
    [(k_ary_fat_tree(4, core_mbps=500).scaled(32), 3), (leaf_spine(3, 2, 2, spine_mbps=[400, 100]).scaled(16), 3)],
    ids=["three tiers", "unequal spines"],
)
def test_links_of_every_tier_and_rate_are_found_and_carry_what_they_should(
    topology, kinds, tmp_path, measured, monkeypatch
):
    monkeypatch.setattr(network_calibration, "link_rounds", one_of_each_kind)
    with emulated(topology) as network, connected(network, tmp_path):
        for trial in measured():
            found = list(network_calibration.links_alone(network))
            assert len(found) == kinds
            for link in found:
                trial.expect(f"{link.up} at {link.planned_mbps:g}", link.error, -0.01, 0.01)


def test_a_host_alone_has_nobody_to_send_to_and_lacks_nothing():
    with emulated(single_switch(1)) as network:
        found = network_calibration.all_uplinks(network, lambda *_: (), duration_s=3)
    assert (found.flows, found.loaded_directions, found.shortfall) == (0, 0, 0.0)
