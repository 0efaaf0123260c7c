"""The factor that is found gives the published reduction, as far as any factor does."""

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from experiments.analysis.estimates import Reduction
from experiments.analysis.shuffle_volumes import fit

SHARES = st.floats(-0.5, 0.9)
FACTORS = st.floats(1e-3, 1e6)


def measured(values, half=0.02):
    return {factor: Reduction(value, value - half, value + half, 3) for factor, value in values.items()}


def test_between_two_factors_it_is_linear_in_the_logarithm():
    found = fit(measured({1: 0.1, 100: 0.3}), 0.2)
    assert found.factor == pytest.approx(10)
    assert (found.expected, found.reach, found.agreeing) == (0.2, "within", ())


@given(st.dictionaries(FACTORS, SHARES, min_size=2, max_size=7), st.floats(0, 1))
def test_a_monotone_measurement_is_hit_and_measured_points_are_kept(values, share):
    values = dict(zip(sorted(values), sorted(values.values()), strict=True))
    shares = sorted(values.values())
    published = min(shares[0] + share * (shares[-1] - shares[0]), shares[-1])  # never above by rounding
    found = fit(measured(values), published)
    assert found.reach == "within"
    assert found.expected == pytest.approx(published)
    below = [factor for factor in values if values[factor] < published - 1e-9]
    above = [factor for factor in values if values[factor] > published + 1e-9]
    tolerance = 1 + 1e-9
    assert max(below, default=0) <= found.factor * tolerance
    assert found.factor <= min(above, default=math.inf) * tolerance


@given(st.dictionaries(FACTORS, SHARES, min_size=1, max_size=7), SHARES)
def test_the_factor_lies_in_the_grid_and_rises_with_the_published_reduction(values, published):
    lower, upper = fit(measured(values), published), fit(measured(values), published + 0.05)
    assert min(values) * (1 - 1e-9) <= lower.factor <= max(values) * (1 + 1e-9)
    assert lower.factor <= upper.factor * (1 + 1e-9)


@pytest.mark.parametrize(
    ("published", "factor", "expected", "reach"), [(0.05, 1, 0.1, "below"), (0.4, 100, 0.3, "above")]
)
def test_what_no_factor_reaches_gets_the_nearest_end_and_says_so(published, factor, expected, reach):
    found = fit(measured({1: 0.1, 10: 0.2, 100: 0.3}), published)
    assert (found.factor, found.expected, found.reach) == (factor, expected, reach)


def test_a_dent_is_levelled_and_the_smallest_of_equal_factors_is_taken():
    found = fit(measured({1: 0.0, 10: 0.3, 100: 0.1, 1000: 0.5}), 0.2)
    assert found.factor == pytest.approx(10)
    assert fit(measured({1: 0.0, 10: 0.3, 100: 0.1}), 0.9).factor == 10


@given(st.dictionaries(FACTORS, SHARES, min_size=1, max_size=6), SHARES)
def test_levelling_never_leaves_the_range_of_the_measurements(values, published):
    found = fit(measured(values), published)
    assert min(values.values()) - 1e-9 <= found.expected <= max(values.values()) + 1e-9
    assume(found.reach != "within")
    assert found.expected != published


def test_factors_whose_interval_contains_it_are_named():
    values = {1.0: 0.1, 10.0: 0.19, 100.0: 0.21, 1000.0: 0.4}
    assert fit(measured(values), 0.2).agreeing == (10, 100)
    single = {factor: Reduction(value, None, None, 1) for factor, value in values.items()}
    assert fit(single, 0.2).agreeing == ()


@pytest.mark.parametrize(("values", "words"), [({}, "no factor"), ({0: 0.1, 1: 0.2}, "above 0")])
def test_what_cannot_be_fitted_is_refused(values, words):
    with pytest.raises(ValueError, match=words):
        fit(measured(values), 0.2)
