import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.fairness import max_min_rates


def test_textbook_example():
    """A long flow over two links shares each with short ones; the emptier link gives its rest to its short flow."""
    rates = max_min_rates([["a", "b"], ["a"], ["a"], ["b"]], {"a": 3.0, "b": 10.0})
    assert rates == pytest.approx([1, 1, 1, 9])


@given(
    st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True), min_size=1, max_size=12),
    st.lists(st.floats(0.1, 100), min_size=6, max_size=6),
)
@settings(deadline=None)
def test_no_link_is_overfull_and_every_flow_has_a_bottleneck(paths, capacities):
    rates = max_min_rates(paths, dict(enumerate(capacities)))
    load = np.zeros(6)
    for rate, path in zip(rates, paths, strict=True):
        load[path] += rate
    assert (load <= np.array(capacities) * (1 + 1e-6)).all()
    for rate, path in zip(rates, paths, strict=True):
        assert any(
            load[link] == pytest.approx(capacities[link], rel=1e-6)
            and rate >= max(r for r, other in zip(rates, paths, strict=True) if link in other) * (1 - 1e-6)
            for link in path
        )


def test_a_flow_without_a_link_is_refused():
    with pytest.raises(ValueError, match=r"paths\[1\]"):
        max_min_rates([["a"], []], {"a": 1.0})
