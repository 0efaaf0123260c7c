import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from topologies.fairness import alpha_fair_rates, max_min_rates


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


@pytest.mark.parametrize("links", [1, 2, 4, 9])
@pytest.mark.parametrize("alpha", [1.0, 2.0, 4.0])
def test_a_flow_over_several_full_links_gets_what_the_closed_form_says(links, alpha):
    paths = [list(range(links)), *([link] for link in range(links))]
    long, *short = alpha_fair_rates(paths, dict.fromkeys(range(links), 10.0), alpha)
    expected = 10 / (1 + links ** (1 / alpha))
    assert long == pytest.approx(expected, rel=1e-4)
    assert short == pytest.approx([10 - expected] * links, rel=1e-4)


@given(
    st.lists(st.lists(st.integers(0, 5), min_size=1, max_size=4, unique=True), min_size=1, max_size=12),
    st.lists(st.floats(1, 100), min_size=6, max_size=6),
)
@settings(deadline=None, max_examples=30)
def test_alpha_fair_rates_fit_and_leave_no_flow_without_a_full_link(paths, capacities):
    rates = alpha_fair_rates(paths, dict(enumerate(capacities)))
    load = np.zeros(6)
    for rate, path in zip(rates, paths, strict=True):
        load[path] += rate
    assert (load <= np.array(capacities) * (1 + 1e-9)).all()
    assert all(max(load[link] / capacities[link] for link in path) > 0.99 for path in paths)


def test_no_flows_have_no_rates():
    assert alpha_fair_rates([], {}).size == max_min_rates([], {}).size == 0
