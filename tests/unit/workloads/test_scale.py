import pytest
from hypothesis import given
from hypothesis import strategies as st

from workloads.scale import Scale

divisors = st.floats(1, 1e6)


@given(divisors, divisors, st.floats(1, 1e12), st.floats(1, 1e9))
def test_a_volume_takes_its_modelled_time_whatever_the_divisors(rate_divisor, volume_divisor, volume, rate):
    scale = Scale(rate_divisor, volume_divisor)
    wall_s = (volume / volume_divisor) / scale.wire_rate(rate)
    assert scale.modelled_s(wall_s) == pytest.approx(volume / rate)
    assert scale.wall_s(volume / rate) == pytest.approx(wall_s)


@given(divisors, st.integers(0, 10**13))
def test_wire_bytes_are_whole_and_convert_back(volume_divisor, size):
    scale = Scale(1, volume_divisor)
    assert isinstance(scale.wire_bytes(size), int)
    assert scale.modelled_bytes(scale.wire_bytes(size)) == pytest.approx(size, abs=volume_divisor)


@pytest.mark.parametrize("value", [0, 0.5, -1, float("nan"), float("inf")])
def test_divisors_of_less_than_one_are_refused(value):
    with pytest.raises(ValueError, match="volume_divisor"):
        Scale(1, value)
