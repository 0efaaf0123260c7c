import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from workloads.agents.content import POOL_BYTES, Content, block_name

CONTENT = Content(3)


@given(st.integers(0, 3 * POOL_BYTES), st.integers(0, 3 * POOL_BYTES))
@settings(max_examples=20, deadline=None)
def test_views_are_the_endless_repetition_of_the_pool(start, size):
    whole = b"".join(CONTENT.views(0, POOL_BYTES)) * 7
    assert b"".join(CONTENT.views(start, size)) == whole[start : start + size]


def test_the_same_seed_and_name_give_the_same_bytes_and_others_do_not():
    again, other = Content(3), Content(4)
    names = [block_name("f", i) for i in range(50)]
    sums = [CONTENT.checksum(name, 5000) for name in names]
    assert sums == [again.expected(name, 5000) for name in names]
    assert len(set(sums)) > 40
    assert not set(sums) & {other.checksum(name, 5000) for name in names}


def test_the_checksum_is_that_of_the_bytes():
    name = block_name("f", 0)
    whole = b"".join(CONTENT.views(CONTENT.start_of(name), POOL_BYTES + 17))
    assert CONTENT.checksum(name, POOL_BYTES + 17) == xxhash.xxh3_64_intdigest(whole)


def test_views_cannot_be_written_to():
    with pytest.raises(TypeError):
        CONTENT.view(0, 10)[0] = 1
