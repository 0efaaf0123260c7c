"""The controller on a large network."""

import pytest

from tests.emulation.running_controller import PATIENCE_S, controller
from topologies.emulated.network import emulated
from topologies.fat_tree import fat_tree


@pytest.fixture(scope="module")
def large():
    """256 hosts, and their switches."""
    plan = fat_tree(racks=16, hosts_per_rack=16, core_switches=4).scaled(8)
    with emulated(plan) as network:
        yield network


@pytest.mark.measured
def test_sixteen_racks_of_sixteen_hosts_are_discovered_and_routed_within_fifteen_seconds(
    library, large, tmp_path, measured
):
    for trial in measured():
        with controller(large.topology, tmp_path, "--controller-library", library) as running:
            large.connect_controller()
            running.wait_until_ready(3 * PATIENCE_S)
            trial.expect("discovery_time_s", running.get("/v1/health")["discovery_time_s"], at_most=15)
            for destination in (2, 17, 256):
                large.run("h1", ["ping", "-c", "1", "-W", "2", large.topology.hosts[destination - 1].ip])
