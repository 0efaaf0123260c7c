from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from workloads.splits import Split, SplitAssigner, choose_replica

HOSTS = ("a", "b", "c", "d", "e", "f")
RACKS = {"a": 0, "b": 0, "c": 1, "d": 1, "e": 2, "f": 2}
replica_sets = st.lists(st.lists(st.sampled_from(HOSTS), min_size=1, max_size=3, unique=True), max_size=30)


def splits_of(replicas):
    return [Split(i, "f", i, 1, tuple(hosts)) for i, hosts in enumerate(replicas)]


@given(replica_sets, st.lists(st.sampled_from(HOSTS[:4]), min_size=1, max_size=60), st.integers(0, 9))
def test_every_split_is_handed_out_once_and_a_local_one_while_there_is_one(replicas, askers, seed):
    splits = splits_of(replicas)
    assigner = SplitAssigner(splits, HOSTS[:4], np.random.default_rng(seed))
    left = {split.number: split for split in splits}
    for host in askers:
        local = {number for number, split in left.items() if host in split.replicas}
        given_out = assigner.next_for(host)
        if given_out is None:
            assert not left
            continue
        assert given_out.number in (local or left)
        del left[given_out.number]
    assert len(assigner) == len(left)


def test_a_host_takes_first_what_is_local_to_few_others():
    splits = splits_of([("a", "b"), ("a",), ("a", "b", "c")])
    assigner = SplitAssigner(splits, ("a", "b", "c"), np.random.default_rng(0))
    assert [assigner.next_for("a").number for _ in range(3)] == [1, 0, 2]


def test_the_order_follows_the_seed():
    splits = splits_of([("a",)] * 20)
    orders = [
        [SplitAssigner(splits, ("a",), np.random.default_rng(seed)).next_for("a").number for _ in range(1)]
        for seed in (1, 1, 2, 3, 4)
    ]
    assert orders[0] == orders[1]
    assert len({tuple(order) for order in orders}) > 1


def test_reads_prefer_the_own_node_then_the_rack_then_any_at_random():
    rng = np.random.default_rng(0)
    assert choose_replica("a", ("c", "b", "a"), RACKS, rng) == "a"
    assert choose_replica("a", ("c", "b", "e"), RACKS, rng) == "b"
    assert choose_replica("a", (), RACKS, rng) is None
    chosen = Counter(choose_replica("a", ("c", "e"), RACKS, rng) for _ in range(400))
    assert set(chosen) == {"c", "e"}
    assert min(chosen.values()) > 140
    assert set(Counter(choose_replica("a", ("b", "c"), {}, rng) for _ in range(50))) == {"b", "c"}
