"""The distributions of Hadoop's defaults and of the simple strategies."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from placement import Cluster, ClusterState, Colocation, Node, PlacementError, load_strategy
from placement.yarn import heartbeats
from tests.unit.placement.worlds import BLOCK, blocks_file, clusters, job, stored, thesis_cluster

ALPHA = 1e-3


def place(file, cluster=None, seed=7, **options):
    view = ClusterState(cluster or thesis_cluster()).view()
    return load_strategy("default", **options).place_blocks(view, file, np.random.default_rng(seed))


def rack_of(cluster):
    return {node.name: node.rack for node in cluster.nodes}


def even(counts, categories):
    """Whether counts of equally likely categories could be chance."""
    return stats.chisquare([counts.get(each, 0) for each in categories]).pvalue > ALPHA


def test_hdfs_from_outside_puts_the_first_replica_on_every_node_alike():
    cluster = thesis_cluster()
    first = Counter(nodes[0] for nodes in place(blocks_file("f", 4000)).values())
    assert even(first, cluster.names)


def test_hdfs_puts_the_second_replica_in_another_rack_and_the_third_beside_it():
    racks = rack_of(thesis_cluster())
    seconds = Counter[int]()
    for first, second, third in place(blocks_file("f", 4000)).values():
        assert racks[first] != racks[second] == racks[third]
        seconds[(racks[second] - racks[first]) % 4] += 1
    assert even(seconds, (1, 2, 3))


def test_hdfs_puts_the_first_replica_on_the_writer():
    blocks = place(blocks_file("f", 2000, writer="h3"))
    assert {nodes[0] for nodes in blocks.values()} == {"h3"}
    seconds = Counter(nodes[1] for nodes in blocks.values())
    assert even(seconds, ("h1", "h2", "h5", "h6", "h7", "h8"))
    assert set(seconds) == {"h1", "h2", "h5", "h6", "h7", "h8"}


def test_the_thesis_words_it_as_local_same_rack_other_rack():
    racks = rack_of(thesis_cluster())
    blocks = place(blocks_file("f", 2000), blocks="thesis")
    assert even(Counter(nodes[0] for nodes in blocks.values()), thesis_cluster().names)
    for first, second, third in blocks.values():
        assert racks[first] == racks[second] != racks[third]


def test_further_replicas_are_capped_per_rack():
    cluster = Cluster.from_racks({rack: [f"r{rack}n{place}" for place in range(6)] for rack in range(3)})
    racks = rack_of(cluster)
    for nodes in place(blocks_file("f", 300, replication=6), cluster).values():
        assert max(Counter(racks[node] for node in nodes).values()) <= (6 - 1) // 3 + 2


@settings(max_examples=60, deadline=None)
@given(clusters(), st.data())
def test_any_replication_up_to_the_number_of_nodes_fits(cluster, data):
    replication = data.draw(st.integers(1, len(cluster.nodes)))
    wording = data.draw(st.sampled_from(["hdfs", "thesis"]))
    writer = data.draw(st.none() | st.sampled_from(cluster.names))
    blocks = place(blocks_file("f", 5, replication, writer), cluster, blocks=wording)
    assert all(len(set(nodes)) == replication for nodes in blocks.values())
    if writer:
        assert all(nodes[0] == writer for nodes in blocks.values())


def test_full_and_dead_nodes_get_no_replicas():
    nodes = [Node(f"n{place}", place // 2, disk_bytes=3 * BLOCK if place == 0 else None) for place in range(6)]
    state = ClusterState(Cluster(nodes, np.ones((6, 6), int) - np.eye(6, dtype=int)))
    state.node_dies("n1")
    rng = np.random.default_rng(0)
    file = blocks_file("f", 50, writer="n0")
    state.store(file, load_strategy("default").place_blocks(state.view(), file, rng))
    held = Counter(node for nodes in state.view().blocks.values() for node in nodes)
    assert held["n0"] == 3
    assert held["n1"] == 0


def test_disks_without_space_are_named():
    cluster = Cluster([Node("a", 0, disk_bytes=BLOCK), Node("b", 0, disk_bytes=BLOCK)], np.array([[0, 1], [1, 0]]))
    with pytest.raises(PlacementError, match="f#1: no disk with space for replica 1"):
        place(blocks_file("f", 2, 2), cluster)


def test_heartbeats_give_every_node_one_container_before_any_gets_two():
    for seed in range(50):
        counts = np.bincount(heartbeats(np.full(8, 8), 12, np.random.default_rng(seed)), minlength=8)
        assert sorted(counts) == [1, 1, 1, 1, 2, 2, 2, 2]


def test_heartbeats_come_in_random_order():
    rng = np.random.default_rng(3)
    order = np.array([heartbeats(np.full(8, 8), 12, rng) for _ in range(3000)])
    for turn in (0, 1, 7, 8, 11):
        assert stats.chisquare(np.bincount(order[:, turn], minlength=8)).pvalue > ALPHA
    follows = Counter(pair for row in order for pair in pairwise(row[:8].tolist()))
    assert even(follows, [(a, b) for a in range(8) for b in range(8) if a != b])


def test_heartbeats_pass_by_nodes_without_room():
    assert sorted(heartbeats(np.array([0, 3, 1]), 4, np.random.default_rng(0))) == [1, 1, 1, 2]
    assert len(heartbeats(np.array([0, 3, 1]), 9, np.random.default_rng(0))) == 4


def test_yarn_keeps_off_reserved_nodes_while_there_is_room():
    state = ClusterState(thesis_cluster())
    one = Colocation("k", ("f",), nodes=("h1", "h2"))
    state.describe(one)
    state.reserve(one.key)
    default, rng = load_strategy("default"), np.random.default_rng(0)
    assert not {"h1", "h2"} & set(default.place_containers(state.view(), job(48), rng))
    assert Counter(default.place_containers(state.view(), job(50), rng))["h1"] == 1


def test_random_draws_every_slot_alike():
    cluster = Cluster([Node("a", 0, 6, 99_999), Node("b", 0, 2, 99_999)], np.array([[0, 1], [1, 0]]))
    view, rng = ClusterState(cluster).view(), np.random.default_rng(1)
    strategy = load_strategy("random")
    on_b = [strategy.place_containers(view, job(3, master=False), rng).count("b") for _ in range(4000)]
    expected = stats.hypergeom(8, 2, 3).pmf(range(3)) * 4000
    assert stats.chisquare(np.bincount(on_b, minlength=3), expected).pvalue > ALPHA


def test_round_robin_goes_on_where_it_stopped():
    state, rng, strategy = ClusterState(thesis_cluster()), np.random.default_rng(0), load_strategy("round-robin")
    first = strategy.place_containers(state.view(), job(11, master=False), rng)
    assert first == (*(f"h{place}" for place in range(1, 9)), "h1", "h2", "h3")
    state.start(job(11, master=False), first)
    second = strategy.place_containers(state.view(), job(2, master=False, job_id="next"), rng)
    assert second == ("h4", "h5")


def test_packed_uses_as_few_nodes_as_possible_in_one_rack():
    cluster = thesis_cluster()
    placement = load_strategy("packed").place_containers(
        ClusterState(cluster).view(), job(11, master=False), np.random.default_rng(0)
    )
    assert sorted(Counter(placement).values()) == [3, 8]
    assert len({cluster.node(name).rack for name in placement}) == 1


@pytest.mark.parametrize("name", ["default", "random", "round-robin", "packed", "neawa", "coloc", "neawa-utilisation"])
def test_the_application_master_goes_by_heartbeats(name):
    state = stored(thesis_cluster(), blocks_file("f", 8))
    strategy, rng = load_strategy(name), np.random.default_rng(5)
    masters = Counter(strategy.place_containers(state.view(), job(1, "f"), rng)[0] for _ in range(800))
    assert even(masters, thesis_cluster().names)
