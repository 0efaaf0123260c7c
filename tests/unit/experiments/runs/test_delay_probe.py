import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.runs.delay_probe import covering_paths, datagrams_per_s
from topologies.clos import k_ary_fat_tree, leaf_spine
from topologies.emulated.delay_probe import DATAGRAM_BYTES
from topologies.fat_tree import fat_tree, thesis
from topologies.routing import next_hops
from topologies.topology import Endpoint


def hashed(topology, seed):
    """Paths as switches choose them: any of the shortest, by ports."""
    hops = next_hops(topology)

    def path_of(source, destination, source_port):
        rng = random.Random(f"{seed} {source} {destination} {source_port}")
        last = topology.host_link[destination]
        steps, here = [(topology.host_link[source].id, "up")], topology.host_link[source].b.node
        while here != last.b.node:
            link = topology.link_at[Endpoint(here, rng.choice(hops[here, last.b.node]))]
            steps.append((link.id, link.direction_from(here)))
            here = link.far(here).node
        return [*steps, (last.id, "down")]

    return path_of


NETWORKS = [
    thesis(),
    fat_tree(racks=1, hosts_per_rack=3, core_switches=1, uplink_ports_per_rack=1),
    k_ary_fat_tree(4),
    leaf_spine(),
]


@settings(deadline=None)
@given(st.sampled_from(NETWORKS), st.integers(0, 100))
def test_every_direction_of_every_link_is_crossed(topology, seed):
    paths = covering_paths(topology, hashed(topology, seed))
    crossed = {step for path in paths for step in path.steps}
    uplinks = topology.uplinks if len(topology.racks) > 1 else ()
    access = topology.host_link.values()
    assert crossed >= {(link.id, way) for link in (*uplinks, *access) for way in ("up", "down")}
    by_paths = Counter(frozenset(path.source_port for path in paths if step in path.steps) for step in crossed)
    assert set(by_paths.values()) == {1}
    assert all(path.source != path.destination for path in paths)


@pytest.mark.parametrize("divisor", [1, 8, 64, 512])
def test_datagrams_take_little_of_every_link(divisor):
    topology = thesis().scaled(divisor)
    paths = covering_paths(topology, hashed(topology, 1))
    rate = datagrams_per_s(topology, paths)
    assert 0 < rate <= 256
    crossings = Counter(step for path in paths for step in path.steps)
    for (link, _), count in crossings.items():
        bits_per_s = rate / len(paths) * count * DATAGRAM_BYTES * 8
        assert bits_per_s <= 0.0025001 * topology.link_by_id[link].capacity_mbps * 1e6


def test_a_link_that_no_hash_leads_over_is_given_up():
    asked = []

    def always_the_same(source, destination, source_port):
        asked.append(source_port)
        return [("only", "up")]

    assert len(covering_paths(thesis(), always_the_same)) == 0
    assert len(asked) == 4 * 2 * len(thesis().links)
