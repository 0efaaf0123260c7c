import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement import Cluster, Hops, Node, PlacementError
from topologies.fat_tree import thesis


def test_tiers_and_matrix_agree():
    racks, pods = [0, 0, 1, 1, 2, 2, 2], [0, 0, 0, 0, 1, 1, 1]
    tiers = Hops.from_tiers([racks, pods], (1, 3, 5))
    again = Hops.from_matrix(tiers.matrix())
    assert (again.matrix() == tiers.matrix()).all()
    assert len(again.between) == 3
    assert tiers.matrix()[0].tolist() == [0, 1, 3, 3, 5, 5, 5]
    assert again.diameter == tiers.diameter == 5


def test_the_thesis_network_has_one_group_a_rack():
    hops = Hops.from_matrix(thesis().hop_matrix)
    assert len(hops.between) == 4
    assert hops.diameter == 3


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(0, 10_000))
def test_any_matrix_survives_grouping(nodes, seed):
    upper = np.triu(np.random.default_rng(seed).integers(0, 3, (nodes, nodes)), 1)
    matrix = upper + upper.T
    hops = Hops.from_matrix(matrix)
    assert (hops.matrix() == matrix).all()
    assert hops.diameter == matrix.max()
    assert all(hops.between_nodes(a, b) == matrix[a, b] for a in range(nodes) for b in range(nodes))


def test_a_single_node_has_no_diameter():
    assert Hops.from_matrix(np.zeros((1, 1), int)).diameter == 0


def test_utilisation_stretches_hops():
    hops = Hops.from_tiers([[0, 0, 1]], (1, 3))
    busy = hops.weighted(np.array([[0.0, 0.5], [0.25, 0.0]]), [0, 0, 1])
    assert (busy.matrix() / busy.unit).tolist() == [[0, 1, 4.5], [1, 0, 4.5], [4.5, 4.5, 0]]
    by_node = hops.weighted(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0]], float), [0, 1, 2])
    assert (by_node.matrix() / by_node.unit).tolist() == [[0, 2, 3], [2, 0, 3], [3, 3, 0]]


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ([[0, 1]], "one row and one column"),
        ([[0, 1], [2, 0]], "not symmetric"),
        ([[0, -1], [-1, 0]], "negative"),
        ([[1, 1], [1, 0]], "diagonal"),
        ([[0, 1.5], [1.5, 0]], "whole numbers"),
    ],
)
def test_bad_matrices_are_named(matrix, message):
    with pytest.raises(PlacementError, match=message):
        Hops.from_matrix(np.array(matrix))


def test_bad_tiers_are_named():
    with pytest.raises(PlacementError, match="1 tiers need 2 distances"):
        Hops.from_tiers([[0, 1]], (1, 3, 5))
    with pytest.raises(PlacementError, match="splits a group"):
        Hops.from_tiers([[0, 0], [0, 1]], (1, 3, 5))


def test_bad_clusters_are_named():
    with pytest.raises(PlacementError, match="'a': used twice"):
        Cluster((Node("a", 0), Node("a", 0)), np.zeros((2, 2), int))
    with pytest.raises(PlacementError, match="hops: 2 nodes, but the cluster has 1"):
        Cluster((Node("a", 0),), np.zeros((2, 2), int))
    with pytest.raises(PlacementError, match="none"):
        Cluster((), np.zeros((0, 0), int))
    with pytest.raises(PlacementError, match="slots -1"):
        Node("a", 0, slots=-1)
    with pytest.raises(PlacementError, match="node 'zz': not in the cluster of h1, h2"):
        Cluster.from_racks({1: ("h1", "h2")}).position("zz")
