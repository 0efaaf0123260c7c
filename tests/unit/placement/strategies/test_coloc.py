"""CoLoc; each test's name states how a point is read that the thesis leaves open, or what an algorithm says."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from placement import (
    Cluster,
    ClusterState,
    Colocation,
    ContainerRequest,
    Node,
    PastRun,
    PlacementError,
    Placer,
    load_strategy,
)
from placement.strategies.coloc import CoLoc
from tests.unit.placement.worlds import BLOCK, blocks_file, job, thesis_cluster


def placer(*colocations, cluster=None, seed=0, **options):
    state = ClusterState(cluster or thesis_cluster())
    for colocation in colocations:
        state.describe(colocation)
    return Placer(state, CoLoc(**options), seed)


def recurring(containers, *inputs, signature="k", job_id="job", master=True):
    return ContainerRequest(job_id, signature, containers, inputs, application_master=master)


def nodes_of(place, key_part=""):
    return [one.nodes for key, one in place.state.view().colocations.items() if key_part in key]


def fill(state, *nodes):
    """Occupy all slots of some nodes."""
    names = tuple(node for node in nodes for _ in range(8))
    state.start(job(len(names), master=False, job_id=f"filler of {nodes}"), names)


class TestNodeSetSize:
    """Algorithm 1."""

    def size(self, file_blocks, *colocations, runs=(), **options):
        place = placer(*colocations, **options)
        place.state.remember(*runs)
        return CoLoc(**options).node_set_size(place.state.view(), blocks_file("f", file_blocks), list(colocations))

    def test_the_largest_of_the_matching_descriptions(self):
        assert self.size(1, Colocation("a", ("f",), size=2), Colocation("b", ("f",), size=5)) == 5

    def test_history_is_the_median_of_containers_over_slots_rounded_up(self):
        runs = [PastRun("k", (100 * BLOCK,), containers) for containers in (8, 17, 64)]
        assert self.size(100, Colocation("k", ("f",)), runs=runs) == 3

    def test_a_size_that_was_set_goes_before_history(self):
        assert self.size(100, Colocation("k", ("f",), size=1), runs=[PastRun("k", (100 * BLOCK,), 64)]) == 1

    def test_history_of_one_description_may_exceed_the_size_of_another(self):
        both = Colocation("a", ("f",), size=2), Colocation("k", ("f",))
        assert self.size(100, *both, runs=[PastRun("k", (100 * BLOCK,), 64)]) == 8

    def test_runs_match_by_signature_and_by_input_size_within_the_tolerance(self):
        one = Colocation("k", ("f",))
        assert self.size(100, one, runs=[PastRun("other", (100 * BLOCK,), 64)]) == 0
        assert self.size(100, one, runs=[PastRun("k", (75 * BLOCK,), 64)]) == 8
        assert self.size(100, one, runs=[PastRun("k", (74 * BLOCK,), 64)]) == 0
        assert self.size(100, one, runs=[PastRun("k", (74 * BLOCK,), 64)], tolerance=0.5) == 8

    def test_any_input_of_a_past_run_may_match_the_file(self):
        assert self.size(10, Colocation("k", ("f",)), runs=[PastRun("k", (900 * BLOCK, 10 * BLOCK), 24)]) == 3

    def test_without_size_and_history_it_is_0_and_hdfs_places(self):
        place = placer(Colocation("k", ("f",)))
        assert self.size(1, Colocation("k", ("f",))) == 0
        place.store(blocks_file("f", 50))
        assert len({node for nodes in place.state.view().blocks.values() for node in nodes}) == 8
        assert not place.state.view().reserved()

    def test_the_application_master_does_not_count_in_the_history(self):
        place = placer(Colocation("k", ("f",), size=2))
        place.store(blocks_file("f", 4))
        place.submit(recurring(12, "f"))
        place.finish("job")
        assert place.state.view().history[0].containers == 11


class TestNodeSet:
    """Algorithm 2."""

    def test_chosen_nodes_are_written_back_so_that_related_files_share_them(self):
        place = placer(Colocation("k", ("f", "g"), size=3))
        place.store(blocks_file("f", 9))
        (first,) = nodes_of(place)
        place.store(blocks_file("g", 9))
        assert nodes_of(place) == [first]
        assert len(first) == 3

    def test_several_descriptions_share_the_union_of_their_nodes_and_the_largest_size(self):
        place = placer(
            Colocation("a", ("f",), size=2, nodes=("h1", "h2")), Colocation("b", ("f",), size=5, nodes=("h2", "h3"))
        )
        place.store(blocks_file("f", 4))
        a, b = place.state.view().colocations.values()
        assert a.nodes == b.nodes
        assert a.nodes[:3] == ("h1", "h2", "h3")
        assert a.size == b.size == len(a.nodes) == 5

    def test_a_union_above_the_size_stays_whole(self):
        place = placer(
            Colocation("a", ("f",), size=2, nodes=("h1", "h2")), Colocation("b", ("f",), size=2, nodes=("h3", "h4"))
        )
        place.store(blocks_file("f", 4))
        assert set(nodes_of(place)[0]) == {"h1", "h2", "h3", "h4"}

    def test_nodes_that_others_reserved_are_not_added(self):
        other = Colocation("other", ("x",), size=5, nodes=("h1", "h2", "h3", "h4", "h5"))
        for seed in range(5):
            place = placer(other, Colocation("k", ("f",), size=3), seed=seed)
            place.state.reserve(other.key)
            place.store(blocks_file("f", 4))
            assert set(nodes_of(place, "k:")[0]) == {"h6", "h7", "h8"}

    def test_more_nodes_than_there_are_gives_all_and_ends(self):
        place = placer(Colocation("k", ("f",), size=99))
        place.store(blocks_file("f", 4))
        assert sorted(nodes_of(place)[0]) == sorted(thesis_cluster().names)

    def test_dead_nodes_are_replaced(self):
        place = placer(Colocation("k", ("f",), size=2, nodes=("h1", "h2")))
        place.state.node_dies("h1")
        place.store(blocks_file("f", 4))
        assert "h1" not in nodes_of(place)[0]
        assert "h2" in nodes_of(place)[0]
        assert len(nodes_of(place)[0]) == 2

    def test_nodes_without_disk_space_are_not_added(self):
        nodes = [Node(f"n{place}", place, disk_bytes=0 if place < 4 else None) for place in range(8)]
        cluster = Cluster(nodes, 3 * (np.ones((8, 8), int) - np.eye(8, dtype=int)))
        place = placer(Colocation("k", ("f",), size=4), cluster=cluster)
        place.store(blocks_file("f", 4, 2))
        assert set(nodes_of(place)[0]) == {"n4", "n5", "n6", "n7"}

    def test_the_random_fill_takes_every_node_alike(self):
        chosen = Counter[str]()
        for seed in range(800):
            place = placer(Colocation("k", ("f",), size=3), seed=seed)
            place.store(blocks_file("f", 0))
            chosen.update(nodes_of(place)[0])
        assert stats.chisquare([chosen[name] for name in thesis_cluster().names]).pvalue > 1e-3


class TestBlocks:
    """Algorithm 3."""

    def test_all_replicas_but_the_last_are_inside_and_the_last_is_outside(self):
        place = placer(Colocation("k", ("f",), size=3))
        blocks = place.store(blocks_file("f", 60))
        favoured = set(nodes_of(place)[0])
        for *inside, last in blocks.values():
            assert set(inside) <= favoured
            assert last not in favoured

    def test_each_goes_to_the_node_with_fewest_blocks_of_this_file(self):
        place = placer(Colocation("k", ("f", "g"), size=3))
        place.store(blocks_file("f", 10))
        blocks = place.store(blocks_file("g", 60))
        held = Counter(node for *inside, _ in blocks.values() for node in inside)
        assert set(held.values()) == {40}

    def test_a_single_replica_goes_inside(self):
        place = placer(Colocation("k", ("f",), size=2))
        blocks = place.store(blocks_file("f", 10, 1))
        assert Counter(nodes[0] for nodes in blocks.values()) == dict.fromkeys(nodes_of(place)[0], 5)

    def test_a_set_that_is_too_small_spills_over(self):
        place = placer(Colocation("k", ("f",), size=1))
        (favoured,) = [place.store(blocks_file("f", 10, 4)), nodes_of(place)[0]][1:]
        for nodes in place.state.view().blocks.values():
            assert nodes[0] == favoured[0]
            assert len(set(nodes)) == 4

    def test_a_set_of_all_nodes_takes_the_last_replica_too(self):
        place = placer(Colocation("k", ("f",), size=8))
        assert all(len(set(nodes)) == 3 for nodes in place.store(blocks_file("f", 10)).values())

    def test_full_disks_inside_the_set_spill_over(self):
        nodes = [Node(f"n{place}", place, disk_bytes=3 * BLOCK if place < 2 else None) for place in range(8)]
        cluster = Cluster(nodes, 3 * (np.ones((8, 8), int) - np.eye(8, dtype=int)))
        place = placer(Colocation("k", ("f",), size=2, nodes=("n0", "n1")), cluster=cluster)
        blocks = place.store(blocks_file("f", 10, 2))
        assert Counter(node for nodes in blocks.values() for node in nodes)["n0"] == 3

    def test_files_without_a_description_go_by_hdfs(self):
        place = placer(Colocation("k", ("f",), size=2))
        racks = {node.name: node.rack for node in thesis_cluster().nodes}
        for first, second, third in place.store(blocks_file("g", 50)).values():
            assert racks[first] != racks[second] == racks[third]

    @settings(deadline=None)
    @given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 20))
    def test_no_node_ever_holds_two_replicas_of_a_block(self, size, replication, blocks):
        place = placer(Colocation("k", ("f",), size=size))
        for nodes in place.store(blocks_file("f", blocks, replication)).values():
            assert len(set(nodes)) == replication


class TestReservation:
    def test_it_begins_when_the_last_file_is_stored_and_ends_at_its_expiry(self):
        place = placer(Colocation("k", ("f", "g"), size=2, expiry_s=60))
        place.store(blocks_file("f", 4))
        assert not place.state.view().reserved()
        place.store(blocks_file("g", 4))
        assert place.state.view().reserved() == set(nodes_of(place)[0])
        place.state.advance(60)
        assert not place.state.view().reserved()

    def test_a_folder_is_reserved_when_it_is_said_to_be_complete(self):
        place = placer(Colocation("k", folder="/data/", size=2))
        place.store(blocks_file("/data/part-0", 4))
        place.store(blocks_file("/data/part-1", 4))
        place.store(blocks_file("/database", 4))
        assert not place.state.view().reserved()
        place.state.apply(*place.strategy.complete(place.state.view(), "/data"))
        assert place.state.view().reserved() == set(nodes_of(place)[0])

    def test_a_folder_is_reserved_when_its_job_comes(self):
        place = placer(Colocation("k", folder="/data", size=2))
        place.store(blocks_file("/data/part-0", 4))
        place.submit(recurring(2, "/data/part-0"))
        assert place.state.view().reserved() == set(nodes_of(place)[0])

    def test_it_ends_with_the_job(self):
        place = placer(Colocation("k", ("f",), size=2))
        place.store(blocks_file("f", 4))
        place.submit(recurring(4, "f"))
        assert place.state.view().reserved()
        place.finish("job")
        assert not place.state.view().reserved()

    def test_another_job_on_the_same_files_does_not_end_it(self):
        place = placer(Colocation("k", ("f",), size=2))
        place.store(blocks_file("f", 4))
        place.submit(recurring(4, "f", signature="other"))
        place.finish("job")
        assert place.state.view().reserved()

    def test_it_is_a_priority_and_not_an_exclusion(self):
        place = placer(Colocation("k", ("f",), size=2))
        place.store(blocks_file("f", 4))
        reserved = place.state.view().reserved()
        default = Placer(place.state, load_strategy("default"), 0)
        assert not reserved & set(default.submit(job(48, master=False, job_id="six nodes")))
        assert reserved & set(default.submit(job(4, master=False, job_id="more")))

    def test_it_never_evicts(self):
        place = placer(Colocation("k", ("f",), size=2, nodes=("h1", "h2")))
        fill(place.state, "h1", "h2")
        place.store(blocks_file("f", 4))
        placement = place.submit(recurring(4, "f"))
        assert not {"h1", "h2"} & set(placement)
        assert len(place.state.view().running) == 2


class TestContainers:
    """Algorithm 4."""

    def test_workers_go_to_favoured_nodes(self):
        place = placer(Colocation("k", ("f",), size=2))
        place.store(blocks_file("f", 4))
        placement = place.submit(recurring(12, "f"))
        assert set(placement[1:]) == set(nodes_of(place)[0])

    def test_the_application_master_goes_by_yarn_and_so_off_the_reserved_nodes(self):
        for seed in range(10):
            place = placer(Colocation("k", ("f",), size=2), seed=seed)
            place.store(blocks_file("f", 4))
            assert place.submit(recurring(12, "f"))[0] not in nodes_of(place)[0]

    def test_a_full_node_leaves_only_a_copy_of_the_set_and_the_container_is_tried_again(self):
        place = placer(Colocation("k", ("f",), size=2, nodes=("h1", "h2")))
        place.store(blocks_file("f", 4))
        fill(place.state, "h1")
        assert set(place.submit(recurring(9, "f"))[1:]) == {"h2"}
        assert nodes_of(place) == [("h1", "h2")]

    def test_what_is_left_over_goes_to_unreserved_nodes_first_and_then_to_reserved_ones(self):
        other = Colocation("other", ("x",), size=2, nodes=("h7", "h8"))
        place = placer(Colocation("k", ("f",), size=2, nodes=("h1", "h2")), other)
        place.store(blocks_file("f", 4))
        place.state.reserve(other.key)
        placement = place.submit(recurring(48, "f", master=False))
        assert Counter(placement) == dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), 8)
        place.finish("job")
        assert {"h7", "h8"} < set(place.submit(recurring(50, "f", master=False, job_id="again")))

    def test_a_job_is_known_by_its_input_files_whatever_its_signature(self):
        place = placer(Colocation("k", ("f",), size=2))
        place.store(blocks_file("f", 4))
        placement = place.submit(recurring(8, "f", signature="other", master=False))
        assert set(placement) <= set(nodes_of(place)[0])

    def test_a_job_without_a_description_goes_by_yarn_off_reserved_nodes(self):
        place = placer(Colocation("k", ("f",), size=2))
        place.store(blocks_file("f", 4))
        placement = place.submit(recurring(6, master=False))
        assert len(set(placement)) == 6
        assert not set(placement) & set(nodes_of(place)[0])

    def test_random_choice_takes_every_favoured_node_alike(self):
        first = Counter[str]()
        place = placer(Colocation("k", ("f",), size=4))
        place.store(blocks_file("f", 4))
        for run in range(600):
            first[place.submit(recurring(1, "f", master=False, job_id=str(run)))[0]] += 1
            place.finish(str(run))
        assert stats.chisquare([first[name] for name in nodes_of(place)[0]]).pvalue > 1e-3

    def test_least_loaded_choice_spreads_evenly(self):
        place = placer(Colocation("k", ("f",), size=4), choice="least-loaded")
        place.store(blocks_file("f", 4))
        place.state.start(job(2, master=False, job_id="two"), (nodes_of(place)[0][0],) * 2)
        counts = Counter(place.submit(recurring(14, "f", master=False)))
        assert [counts[name] for name in nodes_of(place)[0]] == [2, 4, 4, 4]

    @settings(deadline=None)
    @given(size=st.integers(1, 8), hosts=st.integers(1, 8), workers=st.integers(1, 64), seed=st.integers(0, 99))
    def test_a_number_of_container_nodes_is_kept_and_shared_evenly(self, size, hosts, workers, seed):
        workers = min(workers, 8 * hosts)
        place = placer(Colocation("k", ("f",), size=size, container_nodes=hosts), seed=seed)
        place.store(blocks_file("f", 4))
        counts = Counter(place.submit(recurring(workers, "f", master=False)))
        even = [workers // hosts + (turn < workers % hosts) for turn in range(hosts)]
        assert sorted(counts.values(), reverse=True) == [count for count in even if count]
        if workers >= hosts:
            assert len(counts.keys() & set(nodes_of(place)[0])) == min(size, hosts)

    @settings(deadline=None)
    @given(hosts=st.integers(1, 8), workers=st.integers(1, 32), others=st.integers(1, 32), seed=st.integers(0, 99))
    def test_more_container_nodes_take_part_only_when_the_chosen_ones_are_full(self, hosts, workers, others, seed):
        place = placer(Colocation("k", ("f",), size=8, container_nodes=hosts), seed=seed)
        place.store(blocks_file("f", 4))
        random = Placer(place.state, load_strategy("random"), seed)
        random.submit(job(others, master=False, job_id="others"))
        view = place.state.view()
        room = dict(zip(view.cluster.names, view.room(job(1)).tolist(), strict=True))
        counts = Counter(place.submit(recurring(workers, "f", master=False)))
        full = sum(counts[node] == room[node] for node in counts)
        assert len(counts) <= hosts or full >= min(hosts, sum(map(bool, room.values())))

    def test_what_the_container_nodes_cannot_take_goes_to_the_other_favoured_nodes_and_then_anywhere(self):
        place = placer(Colocation("k", ("f",), size=2, nodes=("h1", "h2"), container_nodes=1))
        place.store(blocks_file("f", 4))
        assert sorted(Counter(place.submit(recurring(9, "f", master=False))).items()) in (
            [("h1", 8), ("h2", 1)],
            [("h1", 1), ("h2", 8)],
        )
        place.finish("job")
        counts = Counter(place.submit(recurring(20, "f", master=False, job_id="again")))
        assert counts.pop("h1") == counts.pop("h2") == 8
        assert sum(counts.values()) == 4

    def test_the_largest_number_of_container_nodes_of_the_matching_descriptions_counts(self):
        both = (Colocation("a", ("f",), size=4, container_nodes=1), Colocation("b", ("f",), size=4, container_nodes=3))
        place = placer(*both)
        place.store(blocks_file("f", 4))
        assert len(set(place.submit(recurring(9, "f", master=False)))) == 3

    def test_nodes_that_join_are_not_those_that_others_reserved(self):
        other = Colocation("other", ("x",), size=3, nodes=("h3", "h4", "h5"))
        place = placer(Colocation("k", ("f",), size=2, nodes=("h1", "h2"), container_nodes=5), other)
        place.store(blocks_file("f", 4))
        place.state.reserve(other.key)
        assert set(place.submit(recurring(20, "f", master=False))) == {"h1", "h2", "h6", "h7", "h8"}

    def test_dead_favoured_nodes_get_nothing(self):
        place = placer(Colocation("k", ("f",), size=2, nodes=("h1", "h2")))
        place.store(blocks_file("f", 4))
        place.state.node_dies("h1")
        assert set(place.submit(recurring(4, "f", master=False))) == {"h2"}

    def test_a_full_cluster_is_named(self):
        place = placer(Colocation("k", ("f",), size=2))
        place.store(blocks_file("f", 4))
        fill(place.state, *thesis_cluster().names)
        with pytest.raises(PlacementError, match="2 containers to place, room for 0"):
            place.submit(recurring(2, "f"))


@pytest.mark.parametrize(("given", "said"), [({"choice": "best"}, "choice 'best'"), ({"tolerance": 2}, "tolerance 2")])
def test_bad_options_are_named(given, said):
    with pytest.raises(PlacementError, match=said):
        CoLoc(**given)
