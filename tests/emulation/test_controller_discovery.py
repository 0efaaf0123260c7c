"""The controller on other networks than the thesis's: a large one, and one that is not as planned."""

import dataclasses

import pytest

from tests.emulation.running_controller import PATIENCE_S, controller
from topologies.emulated.network import emulated
from topologies.fat_tree import fat_tree
from topologies.topology import Endpoint, Link

SCALE = 8


@pytest.fixture(scope="class")
def large():
    """256 hosts, and their switches."""
    plan = fat_tree(racks=16, hosts_per_rack=16, core_switches=4).scaled(SCALE)
    with emulated(plan) as network:
        yield network


class TestSixteenRacksOfSixteenHosts:
    @pytest.mark.measured
    def test_they_are_discovered_and_routed_within_fifteen_seconds(self, library, large, tmp_path, measured):
        for trial in measured():
            with controller(large.topology, tmp_path, "--controller-library", library) as running:
                large.connect_controller()
                running.wait_until_ready(3 * PATIENCE_S)
                trial.expect("discovery_time_s", running.get("/v1/health")["discovery_time_s"], at_most=15)
                for destination in (2, 17, 256):
                    large.run("h1", ["ping", "-c", "1", "-W", "2", large.topology.hosts[destination - 1].ip])


@pytest.fixture(scope="class")
def real():
    """Two racks, whose links the plan of the controller will be wrong about."""
    with emulated(fat_tree(racks=2, hosts_per_rack=1, core_switches=2).scaled(SCALE)) as network:
        yield network


class TestWhatIsNotAsPlanned:
    def test_it_is_reported_by_name_and_the_rest_is_routed(self, library, real, tmp_path):
        planned = _mistaken(real.topology)
        with controller(planned, tmp_path, "--controller-library", library) as running:
            real.connect_controller()
            running.wait(lambda health: health["status"] == "degraded", PATIENCE_S)
            health = running.get("/v1/health")
            real.run("h1", ["ping", "-c", "1", "-W", "2", planned.hosts[1].ip])
        assert health["missing_switches"] == ["c2"]
        assert health["unexpected_switches"] == ["switch c2 has dpid 0x102, planned 0x777"]
        assert {"t1-c1/9", "t1-c1/1", "t1-c1/2"} <= set(health["missing_links"])
        assert "t1-c1/3" not in health["missing_links"]
        assert any(text.startswith("t2:5 (t2-eth5) is not planned") for text in health["unexpected_links"])
        assert any(text.startswith("c1:1-t1:2 is wired, planned t1-c1/2") for text in health["unexpected_links"])


def _mistaken(topology):
    """A plan with two links swapped, one missing, one too many, and a switch with another dpid."""
    ends = {link.id: (link.a, link.b) for link in topology.links}
    swapped = {"t1-c1/1": "t1-c1/2", "t1-c1/2": "t1-c1/1"}
    links = [
        dataclasses.replace(each, b=ends[swapped.get(each.id, each.id)][1])
        for each in topology.links
        if each.id != "t2-c1/4"
    ]
    links.append(Link("t1-c1/9", Endpoint("t1", 99), Endpoint("c1", 99), 10.0))
    switches = [dataclasses.replace(each, dpid=0x777) if each.name == "c2" else each for each in topology.switches]
    return dataclasses.replace(topology, links=tuple(links), switches=tuple(switches))
