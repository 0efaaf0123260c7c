from hypothesis import given
from hypothesis import strategies as st

from workloads.importers.trace import block_bytes, unique
from workloads.job import MOST_BLOCKS, Read


def blocks(size, tasks):
    return -(-size // block_bytes(size, tasks))


@given(st.integers(1, MOST_BLOCKS), st.integers(1, 10**15))
def test_a_file_has_a_block_for_each_task(tasks, beyond):
    assert blocks((tasks - 1) ** 2 + beyond, tasks) == tasks


@given(st.integers(0, 10**6), st.integers(0, 10**7))
def test_a_file_never_has_more_blocks_than_tasks_and_can_be_read(size, tasks):
    assert blocks(size, tasks) <= max(1, tasks)
    Read("file", size, block_bytes=block_bytes(size, tasks))


@given(st.lists(st.sampled_from(["a", "b", "a-2", "a-2-2", "a-3"])))
def test_names_that_were_there_before_get_a_number_that_makes_them_differ(names):
    found = unique(names)
    assert len({*found}) == len(found) == len(names)
    assert all(new == old or new.startswith(f"{old}-") for new, old in zip(found, names, strict=True))
    assert not names or found[0] == names[0]
