import dataclasses
import sys

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from placement import (
    Annealer,
    BlockMap,
    Cluster,
    ClusterState,
    Instance,
    Objective,
    PlacementError,
    explain,
    optimum,
)
from placement.cost import tally, terms_of
from tests.unit.placement.test_cost import all_counts
from tests.unit.placement.worlds import blocks_file, job, stored, thesis_cluster, thesis_problem, worlds


@settings(max_examples=15, deadline=None)
@given(worlds(), st.sampled_from(["sum", "chebyshev"]), st.booleans())
def test_the_optimum_is_the_cheapest_of_all_placements(world, cost, interference):
    instance = Instance.of(world.view, world.request, Objective(cost, interference=interference))
    assume(1 <= instance.workers <= 7)
    possible = (c for c in all_counts(len(instance.room), instance.workers, 99) if (c <= instance.room).all())
    cheapest = min(terms_of(instance, tally(instance, counts)).total for counts in possible)
    found = optimum(instance, 20, threads=1)
    assert found.proven
    assert found.gap == 0
    assert found.cost == pytest.approx(cheapest, abs=1e-7)
    assert found.bound == pytest.approx(cheapest, abs=1e-7)


@pytest.mark.parametrize("racks", [{0: ("a", "b"), 1: ("c",)}, {0: ("a",), 1: ("b",), 2: ("c", "d"), 3: ("e",)}])
@pytest.mark.parametrize("cost", ["sum", "chebyshev"])
def test_both_workers_go_to_the_node_of_the_only_block(racks, cost):
    state = ClusterState(Cluster.from_racks(racks, slots=3))
    file = blocks_file("input", 1, replication=1)
    state.store(file, BlockMap(dict.fromkeys(file.blocks, ("c",))))
    instance = Instance.of(state.view(), job(2, "input", closeness=0.7, master=False), Objective(cost))
    found = optimum(instance, 20, threads=1)
    assert (found.proven, found.cost) == (True, 0)
    assert [instance.names[node] for node in found.where] == ["c", "c"]


def test_weighted_hops_are_solved_too():
    state = stored(thesis_cluster())
    load = np.zeros((4, 4))
    load[0, 1] = load[1, 0] = 1.0
    state.measure(load)
    instance = Instance.of(state.view(), job(6, closeness=1.0, master=False), Objective(utilisation=True))
    found = optimum(instance, 20, Annealer().place(instance, np.random.default_rng(0)).where)
    used = {state.view().cluster.nodes[node].rack for node in found.where}
    assert found.proven
    assert used != {1, 2}


def test_out_of_time_it_reports_a_gap():
    view, request = thesis_problem(blocks=2000, closeness=0.7)
    instance = Instance.of(view, dataclasses.replace(request, containers=40))
    hint = Annealer().place(instance, np.random.default_rng(0)).where
    found = optimum(instance, 0.001, hint)  # nothing of this size is proven in a millisecond
    assert found.cost <= terms_of(instance, tally(instance, instance.counts(hint))).total
    assert not found.proven
    assert found.bound <= found.cost
    assert 0 < found.gap <= 1


def test_an_explanation_says_how_far_the_optimum_is():
    view, request = thesis_problem(blocks=16)
    spread = ("h8", *(f"h{1 + place % 8}" for place in range(11)))
    explanation = explain(view, request, spread, exact_within_s=20)
    assert explanation.optimum.proven
    assert explanation.above_optimum == pytest.approx(explanation.terms.total / explanation.optimum.cost - 1)
    assert explanation.above_optimum > 0.05
    assert "above the proven optimum" in list(explanation.lines())[-1]


def test_the_product_has_no_exact_solver():
    with pytest.raises(PlacementError, match="cost 'product'"):
        optimum(dataclasses.replace(Instance.of(*thesis_problem()), cost="product"))


def test_without_ortools_the_error_says_what_to_install(monkeypatch):
    for module in [name for name in sys.modules if name.startswith("ortools")]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "ortools", None)
    with pytest.raises(PlacementError, match="extra `exact`"):
        optimum(Instance.of(*thesis_problem()))
