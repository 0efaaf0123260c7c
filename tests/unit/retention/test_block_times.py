import itertools

import numpy as np
import pytest
from scipy import stats

from retention.block_times import block_times, expected_confirmation_s


def test_fixed_blocks_come_at_their_times():
    assert list(itertools.islice(block_times(15.0, "fixed", np.random.default_rng(0), 100.0), 3)) == [115, 130, 145]


def test_random_blocks_come_as_those_of_a_poisson_process():
    times = [0.0, *itertools.islice(block_times(7.5, "exponential", np.random.default_rng(1)), 5000)]
    assert stats.kstest(np.diff(times), "expon", args=(0, 7.5)).pvalue > 0.001


def test_the_thesis_expects_two_minutes_less_seven_and_a_half_seconds():
    assert expected_confirmation_s(15.0, 7) == pytest.approx(112.5)
