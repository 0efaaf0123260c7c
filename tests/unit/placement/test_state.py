import operator
from typing import Any

import numpy as np
import pytest

from placement import (
    BlockId,
    BlockMap,
    Cluster,
    ClusterState,
    Colocation,
    ContainerRequest,
    File,
    Node,
    PlacementError,
    Weights,
    load_strategy,
)
from tests.unit.placement.worlds import BLOCK, blocks_file, job, stored, thesis_cluster


def one_block(name="f", nodes=("h1", "h3", "h4")):
    return blocks_file(name, 1, len(nodes)), BlockMap({BlockId(name, 0): tuple(nodes)})


def test_a_view_is_not_changed_by_later_decisions():
    state = ClusterState(thesis_cluster())
    before = state.view()
    state.store(*one_block())
    state.start(job(2), ("h1", "h2"))
    assert not before.files
    assert not before.running
    assert before.room(job(1)).tolist() == [8] * 8
    assert state.view().room(job(1)).tolist() == [8] * 8, "a job's own containers are left out"
    assert state.view().room(job(1, job_id="next")).tolist() == [7, 7, 8, 8, 8, 8, 8, 8]


def test_a_strategy_cannot_change_a_view():
    state = ClusterState(thesis_cluster())
    state.store(*one_block())
    view: Any = state.view()
    for change in (
        lambda: operator.setitem(view.files, "g", None),
        lambda: operator.setitem(view.free_disk, "h1", 0.0),
        lambda: setattr(view, "now_s", 1.0),
        lambda: view.alive.fill(0),
        lambda: view.cluster.slots.fill(0),
        lambda: view.cluster.hops.between.fill(0),
    ):
        with pytest.raises((AttributeError, TypeError, ValueError)):
            change()
    view.room(job(1)).fill(0)
    view.taken().fill(9)
    assert view.room(job(1)).tolist() == [8] * 8


def test_room_is_the_scarcest_of_slots_memory_and_cores():
    cluster = Cluster(
        (Node("a", 0, 8, 10_000, 8), Node("b", 0, 2, 99_000, 9), Node("c", 0, 8, 99_000, 3)), np.zeros((3, 3), int)
    )
    assert ClusterState(cluster).view().room(ContainerRequest("j", "s", 1, memory_mb=3072)).tolist() == [3, 2, 3]


def test_finished_jobs_leave_and_are_remembered():
    state = stored(thesis_cluster(), blocks_file("f", 4))
    state.start(job(3, "f"), ("h1", "h1", "h2"))
    state.finish("job")
    view = state.view()
    assert not view.running
    assert [(run.signature, run.input_bytes, run.containers) for run in view.history] == [
        ("signature", (4 * BLOCK,), 2)
    ]


def test_a_dead_node_has_no_room_no_replicas_and_no_containers_and_may_return():
    state = ClusterState(thesis_cluster())
    file, blocks = one_block()
    state.store(file, blocks)
    state.start(job(2), ("h1", "h2"))
    assert state.node_dies("h1") == ("job",)
    view = state.view()
    assert view.blocks[BlockId("f", 0)] == ("h3", "h4")
    assert view.room(job(1, job_id="next"))[0] == 0
    assert view.running["job"].placement == ("h2",)
    for refused in (
        lambda: state.start(job(1, job_id="next"), ("h1",)),
        lambda: state.store(*one_block("g")),
        lambda: state.node_dies("h1"),
    ):
        with pytest.raises(PlacementError, match="dead"):
            refused()
    state.node_returns("h1")
    assert state.view().blocks[BlockId("f", 0)] == ("h1", "h3", "h4")
    assert state.view().room(job(1, job_id="next"))[0] == 8
    with pytest.raises(PlacementError, match="not dead"):
        state.node_returns("h1")


def test_reservations_last_until_they_expire_or_are_released():
    state = ClusterState(thesis_cluster())
    description = Colocation("k", ("f",), nodes=("h1", "h2"), expiry_s=60)
    state.describe(description)
    state.advance(10)
    state.reserve(description.key)
    assert state.view().reserved() == {"h1", "h2"}
    assert state.view().reserved(except_for=[description.key]) == set()
    state.advance(69.9)
    assert state.view().reserved() == {"h1", "h2"}
    state.advance(70)
    assert state.view().reserved() == set()
    state.reserve(description.key)
    state.release(description.key)
    assert state.view().reserved() == set()


def test_disks_fill_up():
    cluster = Cluster((Node("a", 0, disk_bytes=2 * BLOCK), Node("b", 0)), np.zeros((2, 2), int))
    state = ClusterState(cluster)
    state.store(blocks_file("f", 2, 1), BlockMap({BlockId("f", 0): ("a",), BlockId("f", 1): ("a",)}))
    assert state.view().free_disk["a"] == 0
    with pytest.raises(PlacementError, match="g#0: no room on the disk of node a"):
        state.store(blocks_file("g", 1, 1), BlockMap({BlockId("g", 0): ("a",)}))
    state.delete("f")
    assert state.view().free_disk["a"] == 2 * BLOCK


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (lambda s: s.store(*one_block()), "'f': already stored"),
        (lambda s: s.store(*one_block("g", ("h1", "h3", "zz"))), "node 'zz'"),
        (lambda s: s.store(blocks_file("g", 2, 3), one_block("g")[1]), "1 blocks placed; it has 2"),
        (lambda s: s.store(blocks_file("g", 1, 2), one_block("g")[1]), "3 replicas placed; replication is 2"),
        (lambda s: s.start(job(9, job_id="x"), ("h1",) * 9), "9 containers on node h1, which has room for 7"),
        (lambda s: s.start(job(2, job_id="x"), ("h1",)), "1 containers placed; it asks for 2"),
        (lambda s: s.start(job(1, job_id="x"), ("zz",)), "node 'zz'"),
        (lambda s: s.start(job(1), ("h1",)), "'job': already running"),
        (lambda s: s.finish("nobody"), "job 'nobody': unknown"),
        (lambda s: s.delete("nothing"), "file 'nothing': unknown"),
        (lambda s: s.reserve("nothing"), "colocation 'nothing'"),
        (lambda s: s.describe(Colocation("k", ("f",), nodes=("zz",))), "node 'zz'"),
        (lambda s: s.advance(-1), "now_s -1"),
        (lambda s: s.measure(np.zeros((3, 3))), r"shape \(3, 3\)"),
        (lambda s: s.measure(np.full((4, 4), 1.5)), "shares from 0 to 1"),
        (lambda s: s.node_dies("zz"), "node 'zz'"),
    ],
)
def test_impossible_decisions_are_refused_and_change_nothing(decision, message):
    state = ClusterState(thesis_cluster())
    state.store(*one_block())
    state.start(job(1), ("h1",))
    before = state.view()
    with pytest.raises(PlacementError, match=message):
        decision(state)
    assert state.view() is before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Weights(-0.1, 1.1), "closeness -0.1"),
        (lambda: Weights(0.5, 0.6), "add up to 1.1"),
        (lambda: Weights(1.5, -0.5), "closeness 1.5; give a number from 0 to 1"),
        (lambda: Weights(float("nan"), 1.0), "closeness nan"),
        (lambda: File("", 1), "name"),
        (lambda: File("f", -1), "f: size_bytes -1"),
        (lambda: File("f", 1, replication=0), "f: replication 0"),
        (lambda: ContainerRequest("j", "s", 0), "j: containers 0"),
        (lambda: ContainerRequest("j", "s", 1, ("a", "a")), "name a file twice"),
        (lambda: BlockMap({BlockId("f", 3): ("a", "a")}), "f#3: two replicas on one node"),
        (lambda: Colocation("k"), "either files or a folder"),
        (lambda: Colocation("k", ("f",), size=-1), "size -1"),
        (lambda: Colocation("k", ("f",), expiry_s=0), "expiry_s 0"),
    ],
)
def test_bad_values_are_named(make, message):
    with pytest.raises(PlacementError, match=message):
        make()


@pytest.mark.parametrize("name", ["default", "neawa", "coloc", "random", "round-robin", "packed", "neawa-utilisation"])
def test_every_strategy_names_what_does_not_fit(name):
    state, rng = stored(thesis_cluster(), blocks_file("f", 4)), np.random.default_rng(0)
    strategy = load_strategy(name)
    with pytest.raises(PlacementError, match="65 containers to place, room for 64"):
        strategy.place_containers(state.view(), job(65, "f"), rng)
    with pytest.raises(PlacementError, match="replication 9 is above the 8 live nodes"):
        strategy.place_blocks(state.view(), blocks_file("g", 1, 9), rng)
    with pytest.raises(PlacementError, match="node 'zz'"):
        strategy.place_blocks(state.view(), blocks_file("g", 1, writer="zz"), rng)


def test_a_file_has_as_many_blocks_as_it_fills():
    assert [File("f", size, block_bytes=10).block_count for size in (0, 1, 10, 11)] == [0, 1, 1, 2]
    assert [File("f", 11, block_bytes=10).block_size(index) for index in (0, 1)] == [10, 1]
    assert File("f", 250 * 2**30).block_count == 2000


def test_a_file_that_is_renamed_keeps_its_blocks_and_their_names():
    state = stored(thesis_cluster(), blocks_file("/a", 4), blocks_file("/b", 1))
    before = state.view()
    state.rename("/a", "/c")
    view = state.view()
    assert (set(before.files), set(view.files)) == ({"/a", "/b"}, {"/b", "/c"})
    assert view.files["/c"].id == "/a"
    assert view.stored["/c"] == before.stored["/a"]
    assert [block.file for block in view.files["/c"].blocks] == ["/a"] * 4
    with pytest.raises(PlacementError, match="file '/b': already stored"):
        state.rename("/c", "/b")
    with pytest.raises(PlacementError, match="file '/a': unknown"):
        state.rename("/a", "/d")


def test_a_folder_stands_for_all_files_below_it():
    state = stored(thesis_cluster(), *(blocks_file(name, 2) for name in ("/out/part-0", "/out/part-1", "/output")))
    assert set(state.view().files_of("/out")) == {"/out/part-0", "/out/part-1"}
    assert state.view().files_of("/output") == ("/output",)
    assert len(state.view().blocks_of(["/out", "/output"])) == 6
    with pytest.raises(PlacementError, match="file '/ou': not stored"):
        state.view().blocks_of(["/ou"])
