import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.monitoring import sparkline


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1e6)), min_size=1, max_size=50))
def test_the_largest_bar_belongs_to_the_span_with_the_largest_sum(samples):
    times, amounts = zip(*samples, strict=True)
    bars, top = sparkline(times, amounts, end_s=100.0, width=10)
    assert len(bars) == 10
    sums = [sum(a for t, a in samples if min(9, int(t / 10)) == span) for span in range(10)]
    assert top == pytest.approx(max(sums) / 10)
    assert all(bar == "█" for bar, value in zip(bars, sums, strict=True) if value == max(sums) > 0)


def test_nothing_used_is_an_empty_line():
    assert sparkline([1.0, 2.0], [0.0, 0.0], 2.0, 4) == ("    ", 0.0)
