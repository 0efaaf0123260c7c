"""The annealer: exact bookkeeping, room kept, seeds, and how good its placements are."""

import dataclasses
from collections import Counter
from itertools import combinations_with_replacement

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from placement import Annealer, Cluster, ClusterState, Instance, Objective, PlacementError, Schedule, load_strategy
from placement.cost import tally, terms_of
from placement.search.annealing import draw_moves, packed_start, promising_groups, random_start
from placement.search.instance import COSTS
from placement.search.moves import MOST_GROUPS_IN_LISTS, Draws, Mover, has_numba
from tests.unit.placement.worlds import blocks_file, job, stored, thesis_cluster, thesis_problem, worlds

SHORT = Schedule(start=0.1, stop=0.001, factor=0.5, moves=20)


def cost_of(instance, where):
    return terms_of(instance, tally(instance, instance.counts(where))).total


def drawn(data, instance, moves=40):
    """Arbitrary moves, not only those of a schedule; a third of them is always accepted."""
    rng = np.random.default_rng(data.draw(st.integers(0, 10_000)))
    return rng, Draws(
        container=rng.integers(instance.workers, size=moves),
        target=rng.integers(len(instance.room), size=moves),
        patience=rng.choice([0.0, 0.05, 2.0], size=moves),
    )


@settings(max_examples=80, suppress_health_check=[HealthCheck.filter_too_much], deadline=None)
@given(worlds(), st.sampled_from(COSTS), st.booleans(), st.booleans(), st.data())
def test_the_incremental_cost_is_the_recomputed_one_after_any_moves(world, cost, interference, utilisation, data):
    objective = Objective(cost, interference=interference, utilisation=utilisation)
    instance = Instance.of(world.view, world.request, objective)
    assume(instance.workers)
    rng, draws = drawn(data, instance)
    start = random_start(instance, rng)
    for moves in (1, 7, len(draws.container)):
        walk = Mover(instance).walk(start, draws.first(moves))
        assert walk.cost == cost_of(instance, walk.where), "to the last bit"
        assert walk.cost <= cost_of(instance, start)
        assert (instance.counts(walk.final) <= instance.room).all()
    onwards = Mover(instance).walk(walk.final, draws.first(0))
    assert onwards.cost == cost_of(instance, walk.final)


def test_pulls_in_lists_and_in_arrays_give_the_same_walk(monkeypatch):
    instance = Instance.of(*thesis_problem())
    rng = np.random.default_rng(0)
    start, draws = random_start(instance, rng), draw_moves(instance, SHORT, rng)
    walk = Mover(instance).walk(start, draws)
    monkeypatch.setattr("placement.search.moves.MOST_GROUPS_IN_LISTS", 0)
    again = Mover(instance).walk(start, draws)
    assert len(instance.between) <= MOST_GROUPS_IN_LISTS
    assert (again.cost, again.final.tolist()) == (walk.cost, walk.final.tolist())


def test_compiled_moves_are_the_same_to_the_last_bit():
    assert has_numba(), "the extra `fast` belongs to the development environment"
    for cost in COSTS:
        instance = dataclasses.replace(Instance.of(*thesis_problem(closeness=0.7)), cost=cost)
        plain, compiled = (Annealer().place(instance, np.random.default_rng(1), compiled) for compiled in (False, True))
        assert plain.cost == compiled.cost
        assert plain.where.tolist() == compiled.where.tolist()
        assert plain.evaluated == compiled.evaluated


def test_without_numba_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr("placement.search.moves.COMPILED", False)
    with pytest.raises(PlacementError, match="extra `fast`"):
        Mover(Instance.of(*thesis_problem()), compiled=True)
    assert not has_numba()


@settings(max_examples=40, deadline=None)
@given(worlds(), st.sampled_from(["neawa", "neawa-utilisation", "random", "round-robin", "packed", "default", "coloc"]))
def test_every_strategy_keeps_to_the_room_and_to_its_seed(world, name):
    options = {"annealer": Annealer(SHORT, SHORT, 2)} if name.startswith("neawa") else {}
    strategy = load_strategy(name, **options)
    placement = strategy.place_containers(world.view, world.request, np.random.default_rng(4))
    counts = np.bincount(world.view.cluster.positions(placement), minlength=len(world.view.cluster.nodes))
    assert len(placement) == world.request.containers
    assert (counts <= world.view.room(world.request)).all()
    assert placement == strategy.place_containers(world.view, world.request, np.random.default_rng(4))


def test_another_seed_gives_another_placement():
    view, request = thesis_problem()
    placements = {
        load_strategy("default").place_containers(view, request, np.random.default_rng(seed)) for seed in range(5)
    }
    assert len(placements) == 5


@settings(max_examples=60, deadline=None)
@given(worlds(), st.data())
def test_packed_starts_fit(world, data):
    instance = world.instance
    groups = promising_groups(instance, 99)
    assume(len(groups))
    start = packed_start(instance, int(data.draw(st.sampled_from(groups.tolist()))), np.random.default_rng(0))
    assert len(start) == instance.workers
    assert (instance.counts(start) <= instance.room).all()


def test_a_packed_start_fills_one_rack_evenly_before_it_leaves_it():
    instance = Instance.of(*thesis_problem())
    assert sorted(Counter(packed_start(instance, 2, np.random.default_rng(0)).tolist()).items()) == [(4, 6), (5, 5)]


def test_patience_accepts_a_rise_with_probability_exp_of_minus_rise_over_temperature():
    instance = Instance.of(*thesis_problem())
    schedule = Schedule(start=0.5, stop=0.49, factor=0.9, moves=200_000)
    patience = draw_moves(instance, schedule, np.random.default_rng(0)).patience
    for rise in (0.1, 0.5, 1.0):
        assert (rise <= patience).mean() == pytest.approx(np.exp(-rise / 0.5), abs=0.005)


def test_the_schedule_is_the_thesis_s():
    scale = Schedule().patience_scale()
    assert len(scale) == 110 * 100, "1, 0.9, ... down to above 0.00001"
    assert scale[0] == scale[99] == 1.0
    assert scale[100] == pytest.approx(0.9)
    assert scale[-1] > 1e-5 >= scale[-1] * 0.9


@pytest.mark.parametrize("closeness", [0.2, 0.5, 0.7])
def test_on_the_thesis_cluster_it_ends_within_2_percent_of_the_enumerated_optimum(closeness):
    cluster = Cluster.from_racks({rack: (f"a{rack}", f"b{rack}") for rack in range(3)}, slots=4)
    state = stored(cluster, blocks_file("f", 20), seed=1)
    instance = Instance.of(state.view(), job(8, "f", closeness=closeness, master=False))
    counts = (np.bincount(choice, minlength=6) for choice in combinations_with_replacement(range(6), 8))
    best = min(terms_of(instance, tally(instance, each)).total for each in counts if each.max() <= 4)
    for seed in range(5):
        assert Annealer().place(instance, np.random.default_rng(seed)).cost <= 1.02 * best + 1e-12


def test_closeness_alone_ends_in_one_rack_in_balance():
    view, request = thesis_problem(closeness=1.0)
    placement = load_strategy("neawa").place_containers(view, request, np.random.default_rng(0))
    workers = request.worker_nodes(placement)
    assert len({view.cluster.node(name).rack for name in workers}) == 1
    assert max(Counter(workers).values()) <= 6


def test_locality_alone_covers_every_block():
    view, request = thesis_problem(closeness=0.0)
    placement = load_strategy("neawa").place_containers(view, request, np.random.default_rng(0))
    assert set(request.worker_nodes(placement)) == set(view.cluster.names)


def test_interference_aware_balance_keeps_away_from_busy_nodes():
    state = ClusterState(thesis_cluster())
    state.start(job(10, job_id="other"), ("h1",) * 5 + ("h2",) * 5)
    request, rng = job(8, closeness=1.0, master=False), np.random.default_rng(0)
    for _ in range(5):
        placement = load_strategy("neawa", interference=True).place_containers(state.view(), request, rng)
        assert not {"h1", "h2"} & set(placement)


def test_utilisation_leads_round_busy_paths():
    state = ClusterState(thesis_cluster())
    state.start(job(24, job_id="other"), tuple(name for name in ("h1", "h2", "h3", "h4", "h5", "h6") for _ in range(4)))
    state.node_dies("h7")
    state.node_dies("h8")
    load = np.zeros((4, 4))
    load[0, :] = load[:, 0] = 0.9
    state.measure(load)
    request = job(14, closeness=1.0, master=False)
    for seed in range(3):
        strategy = load_strategy("neawa-utilisation")
        placement = strategy.place_containers(state.view(), request, np.random.default_rng(seed))
        assert {state.view().cluster.node(name).rack for name in placement} == {2, 3}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Schedule(start=0), "start 0"),
        (lambda: Schedule(factor=1.0), "factor 1.0"),
        (lambda: Schedule(moves=0), "moves 0"),
        (lambda: load_strategy("neawa", cost="cheap"), "cost 'cheap'"),
        (lambda: load_strategy("neawa", balance_threshold=-1), "balance_threshold -1"),
    ],
)
def test_bad_options_are_named(make, message):
    with pytest.raises(PlacementError, match=message):
        make()
