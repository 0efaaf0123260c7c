"""NeAwa's cost, against the equations written out naively and against cases worked by hand."""

import dataclasses
from collections import Counter
from itertools import combinations, combinations_with_replacement

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement import (
    BlockId,
    BlockMap,
    Cluster,
    ClusterState,
    Objective,
    PlacementError,
    Weights,
    cost_terms,
    explain,
    load_strategy,
)
from placement.cost import tally, terms_of
from placement.search.instance import COSTS, Instance
from tests.unit.placement.worlds import blocks_file, job, stored, thesis_cluster, thesis_problem, worlds


def by_the_book(view, request, placement):
    """Equations 6.2 to 6.5, one sum each."""
    cluster, workers = view.cluster, request.worker_nodes(placement)
    matrix = cluster.hops.matrix()
    pairs = [(cluster.index[a], cluster.index[b]) for a, b in combinations(workers, 2)]
    hops = sum(matrix[a][b] for a, b in pairs) / max(1, len(pairs) * matrix.max())
    counts = Counter(workers)
    balance = sum(n / cluster.node(name).slots > 0.75 for name, n in counts.items()) / max(1, len(counts))
    blocks = view.blocks_of(request.inputs)
    cov = sum(not counts.keys() & set(nodes) for nodes in blocks.values()) / max(1, len(blocks))
    replicas = [node for nodes in blocks.values() for node in nodes]
    rep = sum(node not in counts for node in replicas) / max(1, len(replicas))
    return hops, balance, cov, rep


@settings(max_examples=80, deadline=None)
@given(worlds(), st.integers(0, 1000))
def test_terms_are_those_of_the_equations_and_all_costs_are_between_0_and_1(world, seed):
    placement = load_strategy("random").place_containers(world.view, world.request, np.random.default_rng(seed))
    hops, balance, cov, rep = by_the_book(world.view, world.request, placement)
    for cost in COSTS:
        terms = cost_terms(world.view, world.request, placement, Objective(cost))
        assert (terms.hops, terms.balance) == pytest.approx((hops, balance))
        assert (terms.coverage, terms.replica_coverage) == pytest.approx((cov, rep))
        assert all(0 <= share <= 1 for share in dataclasses.astuple(terms))
        options = Objective(cost, balance_threshold=0.5, interference=True, utilisation=True)
        assert all(
            0 <= share <= 1 for share in dataclasses.astuple(cost_terms(world.view, world.request, placement, options))
        )


def test_a_case_worked_by_hand():
    state = ClusterState(thesis_cluster())
    file = blocks_file("f", 2)
    state.store(file, BlockMap({BlockId("f", 0): ("h1", "h3", "h4"), BlockId("f", 1): ("h5", "h7", "h8")}))
    request = job(10, "f", closeness=0.7)
    placement = ("h8", *["h1"] * 7, "h2", "h3")
    terms = cost_terms(state.view(), request, placement)
    assert terms.hops == pytest.approx((7 * 1 + 7 * 3 + 1 * 3) / (36 * 3))
    assert terms.balance == pytest.approx(1 / 3)
    assert terms.coverage == pytest.approx(1 / 2)
    assert terms.replica_coverage == pytest.approx(4 / 6)
    assert terms.closeness == pytest.approx(0.5 * terms.hops + 0.5 * terms.balance)
    assert terms.locality == pytest.approx((2 * terms.coverage + terms.replica_coverage) / 3)
    assert terms.total == pytest.approx(0.7 * terms.closeness + 0.3 * terms.locality)
    chebyshev = cost_terms(state.view(), request, placement, Objective("chebyshev"))
    assert chebyshev.total == pytest.approx(
        0.95 * max(0.7 * terms.closeness, 0.3 * terms.locality) + 0.05 * terms.total
    )
    product = cost_terms(state.view(), request, placement, Objective("product"))
    assert product.total == pytest.approx(0.7 * terms.hops / 3 * 0.3 * (2 / 3 * 1 / 2) * (4 / 6 / 3))


def test_the_application_master_does_not_count():
    view, request = thesis_problem()
    workers = ("h1",) * 4 + ("h2",) * 7
    assert cost_terms(view, request, ("h1", *workers)) == cost_terms(view, request, ("h8", *workers))


def test_balance_may_be_diluted_as_the_thesis_has_it():
    view, request = thesis_problem()
    assert cost_terms(view, request, ("h8", *["h1"] * 7, *["h2"] * 4)).balance == 0.5
    assert cost_terms(view, request, ("h8", *["h1"] * 7, "h2", "h3", "h4", "h5")).balance == 0.2


def test_six_of_eight_slots_are_in_balance_and_seven_are_not():
    view, _ = thesis_problem()
    assert cost_terms(view, job(6, "input", master=False), ("h1",) * 6).balance == 0
    assert cost_terms(view, job(7, "input", master=False), ("h1",) * 7).balance == 1


def test_interference_counts_what_other_jobs_occupy():
    state = stored(thesis_cluster(), blocks_file("f", 4))
    state.start(job(5, job_id="other"), ("h1",) * 5)
    request, placement = job(2, "f", master=False), ("h1", "h1")
    assert cost_terms(state.view(), request, placement).balance == 0
    with_others = Objective(interference=True)
    assert cost_terms(state.view(), request, placement, with_others).balance == 1
    state.start(request, placement)
    assert cost_terms(state.view(), request, placement, with_others).balance == 1, "the job itself counts once"
    assert cost_terms(state.view(), request, ("h1", "h2"), with_others).balance == 0


def test_utilisation_makes_a_busy_path_longer():
    state = stored(thesis_cluster(), blocks_file("f", 4))
    request = job(2, "f", master=False)
    loaded = Objective(utilisation=True)
    assert cost_terms(state.view(), request, ("h1", "h3"), loaded) == cost_terms(state.view(), request, ("h1", "h3"))
    load = np.zeros((4, 4))
    state.measure(load)
    assert cost_terms(state.view(), request, ("h1", "h3"), loaded) == cost_terms(state.view(), request, ("h1", "h3"))
    load[0, 1] = load[1, 0] = 1
    state.measure(load)
    busy, idle = (cost_terms(state.view(), request, ("h1", other), loaded).hops for other in ("h3", "h5"))
    assert (busy, idle) == (1, 0.5)
    (pair,) = explain(state.view(), request, ("h1", "h3"), loaded).pairs()
    assert pair.hops == 6


@settings(max_examples=50, deadline=None)
@given(worlds(), st.integers(0, 1000))
def test_relabelling_nodes_within_a_rack_changes_nothing(world, seed):
    rng = np.random.default_rng(seed)
    placement = load_strategy("random").place_containers(world.view, world.request, rng)
    cluster, new = world.view.cluster, dict[str, str]()
    for names in cluster.racks.values():
        new.update(zip(names, rng.permutation(list(names)).tolist(), strict=True))
    order = [cluster.index[next(old for old, name in new.items() if name == place)] for place in cluster.names]
    renamed = Cluster(
        [dataclasses.replace(cluster.nodes[old], name=new[cluster.names[old]]) for old in order],
        cluster.hops.matrix()[np.ix_(order, order)],
    )
    state = ClusterState(renamed)
    for name, blocks in world.view.stored.items():
        moved = BlockMap({block: tuple(new[node] for node in nodes) for block, nodes in blocks.items()})
        state.store(world.view.files[name], moved)
    before = cost_terms(world.view, world.request, placement)
    assert cost_terms(state.view(), world.request, tuple(new[node] for node in placement)) == before


def all_counts(nodes, workers, slots):
    """All ways to put workers on nodes."""
    for choice in combinations_with_replacement(range(nodes), workers):
        counts = np.bincount(choice, minlength=nodes)
        if counts.max() <= slots:
            yield counts


def small_product_costs(closeness):
    cluster = Cluster.from_racks({rack: (f"a{rack}", f"b{rack}") for rack in range(2)}, slots=4)
    state = stored(cluster, blocks_file("f", 6, 2), seed=2)
    base = Instance.of(state.view(), job(6, "f", master=False), Objective("product"))
    instance = dataclasses.replace(base, weights=Weights(closeness, 1 - closeness))
    return np.array([terms_of(instance, tally(instance, counts)).total for counts in all_counts(4, 6, 4)])


def test_product_degenerates_because_weights_only_scale_it():
    reference = small_product_costs(0.5)
    for closeness in (0.1, 0.3, 0.7, 0.9):
        costs = small_product_costs(closeness)
        assert costs == pytest.approx(reference * closeness * (1 - closeness) / 0.25)
        assert (np.isclose(costs, costs.min(), atol=1e-15) == np.isclose(reference, reference.min(), atol=1e-15)).all()


def test_product_degenerates_because_it_is_0_however_far_apart_the_containers_are():
    view, request = thesis_problem()
    spread = ("h8", *[f"h{place}" for place in range(1, 9)], "h1", "h3", "h5")
    assert cost_terms(view, request, spread, Objective("product")).total == 0
    assert cost_terms(view, request, spread).hops > 0.7
    assert (small_product_costs(0.5) == 0).mean() > 0.5


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda view, request: cost_terms(view, request, ("h1",)), "placement of 1 containers; it asks for 12"),
        (lambda view, request: cost_terms(view, request, ("zz",) * 12), "node 'zz'"),
        (lambda view, _: cost_terms(view, job(1, "nothing"), ("h1",)), "file 'nothing': not stored"),
        (lambda *_: Objective("median"), "cost 'median': choose one of sum, chebyshev, product"),
        (lambda *_: Objective(balance_threshold=1.1), "balance_threshold 1.1"),
    ],
)
def test_bad_calls_are_named(call, message):
    with pytest.raises(PlacementError, match=message):
        call(*thesis_problem())


def test_an_explanation_accounts_for_every_term():
    view, request = thesis_problem()
    placement = ("h8", *["h1"] * 7, *["h3"] * 4)
    explanation = explain(view, request, placement)
    assert explanation.terms == cost_terms(view, request, placement)
    pairs = list(explanation.pairs())
    assert len(pairs) == 11 * 10 // 2
    assert sum(pair.hops for pair in pairs) / (55 * 3) == pytest.approx(explanation.terms.hops)
    assert [(node.node, node.workers, node.over) for node in explanation.nodes] == [("h1", 7, True), ("h3", 4, False)]
    assert len(explanation.uncovered) / 64 == explanation.terms.coverage
    assert all(not {"h1", "h3"} & set(replicas) for _, replicas in explanation.uncovered)
    text = "\n".join(explanation.lines())
    assert "node h1: 7 of 8 slots, above its limit of 6" in text
    assert "pair 1-8: h1 to h3, 3 hops" in text
    assert explanation.above_optimum is None
