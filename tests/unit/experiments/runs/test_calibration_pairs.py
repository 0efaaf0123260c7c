"""Calibration measures every link direction once, no two that disturb each other, and reports honest errors."""

from collections import Counter
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.runs import network_calibration
from experiments.runs.calibration_pairs import link_rounds, ring
from experiments.runs.network_calibration import (
    AggregateMeasurement,
    LinkMeasurement,
    aggregate,
)
from topologies.clos import k_ary_fat_tree, leaf_spine
from topologies.emulated.shaping import interface
from topologies.fat_tree import fat_tree, single_switch, thesis


@st.composite
def fat_trees(draw, least_racks=1, least_hosts=1):
    cores = draw(st.integers(1, 3))
    return fat_tree(
        racks=draw(st.integers(least_racks, 7)),
        hosts_per_rack=draw(st.integers(least_hosts, 4)),
        core_switches=cores,
        uplink_ports_per_rack=cores * draw(st.integers(1, 4)),
        blocking_factor=draw(st.floats(0.5, 20)),
    )


def directions(topology):
    return Counter(
        step
        for trials in link_rounds(topology)
        for trial in trials
        for step in ((trial.up.id, "up"), (trial.down.id, "down"))
    )


networks = st.one_of(
    fat_trees(least_racks=2, least_hosts=2),
    st.builds(k_ary_fat_tree, st.sampled_from([4, 6, 8]), blocking_factor=st.floats(1, 8)),
    st.builds(
        leaf_spine, st.integers(2, 6), st.integers(2, 4), st.just(3), spine_mbps=st.permutations([100, 250, 400])
    ),
)


@given(networks)
def test_every_direction_of_every_link_is_measured_exactly_once(topology):
    assert directions(topology) == {(link.id, way): 1 for link in topology.links for way in ("up", "down")}


@given(fat_trees())
def test_only_links_that_no_pair_of_hosts_can_have_alone_are_left_out(topology):
    measured = directions(topology)
    assert set(measured.values()) <= {1}
    left_out = {link.id for link in topology.links} - {link for link, _ in measured}
    alone_in_rack = {topology.host_link[names[0]].id for names in topology.racks.values() if len(names) == 1}
    between_racks = {link.id for link in topology.uplinks} if len(topology.racks) == 1 else set()
    assert left_out == alone_in_rack | between_racks


@given(st.one_of(fat_trees(), networks))
def test_connections_of_one_round_share_no_rack_and_follow_links_that_join(topology):
    rack_of = {host.name: host.rack for host in topology.hosts}
    for trials in link_rounds(topology):
        racks = [rack for trial in trials for rack in {rack_of[trial.sender], rack_of[trial.receiver]}]
        assert len(racks) == len(set(racks))
        for trial in trials:
            assert trial.up.b.node == trial.down.b.node
            assert trial.sender != trial.receiver
            path = [*trial.ascent, *trial.descent]
            assert trial.capacity_mbps == min(link.capacity_mbps for link in path)
            nodes = [trial.sender, *(link.b.node for link in trial.ascent), *(link.a.node for link in trial.descent)]
            assert len(set(nodes)) == len(nodes) == len(path) + 1
            assert all({link.a.node, link.b.node} == {*step} for link, step in zip(path, pairwise(nodes), strict=True))
            assert [topology.link_at[step] for step in trial.steps] == path[1:-1]
            assert [step.node for step in trial.steps] == nodes[1:-2]
        links = [link for trial in trials for link in (*trial.ascent, *trial.descent)]
        assert len(links) == len(set(links))


@given(fat_trees())
def test_all_hosts_load_the_up_links_at_once_where_there_is_another_host(topology):
    pairs = list(ring(topology))
    assert all(source.name != destination.name for source, destination in pairs)
    assert all((a.rack != b.rack) == (len(topology.racks) > 1) for a, b in pairs)
    assert len(pairs) == (len(topology.hosts) if len(topology.hosts) > 1 else 0)


def test_the_thesis_network_takes_few_rounds():
    rounds = list(link_rounds(thesis()))
    assert len(rounds) == 2 + 2 * 8  # two hosts a rack; two halves of the ring, eight ports each
    assert list(link_rounds(single_switch(1))) == []


def test_errors_are_relative_and_signed():
    assert LinkMeasurement("t1-c1/1", "t2-c1/1", planned_mbps=50, measured_mbps=49).error == pytest.approx(-0.02)
    assert AggregateMeasurement(128, 64, 64, fair_mbps=200, measured_mbps=206).error == pytest.approx(0.03)


rates = st.floats(0.1, 1e4)


@given(fair=rates, measured=rates)
def test_the_error_leads_back_to_the_measured_rate(fair, measured):
    found = AggregateMeasurement(1, 1, 1, fair_mbps=fair, measured_mbps=measured)
    assert found.fair_mbps * (1 + found.error) == pytest.approx(measured)
    assert found.shortfall == pytest.approx(max(0.0, 1 - measured / fair))


def path_between(topology, source, destination, copy):
    """The links of a connection that takes the given copy of the up-links on both sides."""
    up, down = ([link for link in topology.uplinks if link.a.node == f"t{rack}"][copy] for rack in (1, 2))
    return [(f"{source}-t1", "up"), (up.id, "up"), (down.id, "down"), (f"{destination}-t2", "down")]


@given(share=st.floats(0.1, 1.0), copies=st.lists(st.integers(0, 7), min_size=2, max_size=2, unique=True))
def test_up_links_are_compared_with_what_their_connections_should_get(share, copies):
    topology = thesis()
    paths = [path_between(topology, "h1", "h3", copies[0])] * 2 + [path_between(topology, "h2", "h4", copies[1])]
    rates = dict.fromkeys((interface(end) for link in topology.links for end in (link.a, link.b)), 0.0)
    for path in paths[1:]:  # both fill the links that they take
        rates |= {interface(topology.link_by_id[link].ends(way)[0]): 50.0 * share for link, way in path}
    found = aggregate(topology, paths, rates)
    assert (found.flows, found.loaded_directions, found.uplink_directions) == (3, 4, 64)
    assert found.fair_mbps == pytest.approx(4 * 50)
    assert found.shortfall == pytest.approx(1 - share)


def test_without_up_links_the_links_to_the_hosts_are_compared():
    topology = single_switch(2)
    rates = {"t1-eth1": 900.0, "t1-eth2": 1000.0, "h1-eth1": 7.0, "h2-eth1": 7.0}
    found = aggregate(topology, [[("h1-t1", "up"), ("h2-t1", "down")], [("h2-t1", "up"), ("h1-t1", "down")]], rates)
    assert (found.fair_mbps, found.measured_mbps, found.uplink_directions) == (2000, 1900, 2)


def test_every_round_of_links_alone_is_announced(monkeypatch):
    monkeypatch.setattr(network_calibration, "_alone", lambda *_, **__: [])
    monkeypatch.setattr(network_calibration, "link_rounds", lambda _: [[], [], []])
    network: Any = SimpleNamespace(topology=thesis())
    said: list[str] = []
    assert not list(network_calibration.links_alone(network, progress=said.append))
    assert said == [f"links alone, round {number} of 3" for number in (1, 2, 3)]
