import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.constants import UNSCALED
from topologies.emulated.shaping import FRAME_BYTES

SIZES_AND_TIMES = {field.name for field in dataclasses.fields(UNSCALED)} - {"short_packets_first"}
DIVISORS = st.tuples(st.floats(1, 1024), st.floats(1, 1e6))


def test_without_divisors_all_is_as_linux_has_it():
    assert UNSCALED.scaled(1, 1) == UNSCALED


@given(DIVISORS)
def test_constants_only_shrink_and_leave_what_frames_and_the_kernel_need(divisors):
    scaled = UNSCALED.scaled(*divisors)
    for name in SIZES_AND_TIMES:
        assert getattr(scaled, name) <= getattr(UNSCALED, name)
    assert scaled.queue_bytes > scaled.super_frame_bytes
    assert scaled.super_frame_bytes >= 5 * FRAME_BYTES
    assert scaled.rto_min_s >= 0.01
    assert scaled.rto_max_s >= 1.0


@given(st.floats(1, 1024), st.floats(1, 10))
def test_timers_keep_their_modelled_time_as_far_as_the_kernel_can_count(rate_divisor, pace):
    scaled = UNSCALED.scaled(rate_divisor, rate_divisor * pace)
    assert scaled.rto_min_s * pace == pytest.approx(UNSCALED.rto_min_s)
    assert scaled.rto_max_s * pace == pytest.approx(UNSCALED.rto_max_s)


@given(DIVISORS, st.floats(1, 10))
def test_no_constant_grows_with_the_volume_divisor(divisors, factor):
    rate_divisor, volume_divisor = divisors
    slow, fast = UNSCALED.scaled(*divisors), UNSCALED.scaled(rate_divisor, volume_divisor * factor)
    for name in SIZES_AND_TIMES:
        assert getattr(fast, name) <= getattr(slow, name)


@given(DIVISORS)
def test_short_packets_go_first_where_a_queue_is_longer_than_it_should_be(divisors):
    scaled = UNSCALED.scaled(*divisors)
    assert scaled.short_packets_first == (scaled.queue_bytes > round(UNSCALED.queue_bytes / divisors[1]))
