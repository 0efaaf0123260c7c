"""The divisor that `auto` takes follows from what its trials found."""

import pytest

from experiments.runs.rate_divisor import HEADROOM, Trial, best


def trial(divisor, stages, shortfall=0.0):
    """Trusted in so many of: the links barely, the links with reserve, the workload."""
    return Trial(divisor, stages > 0, stages > 1, stages > 2, shortfall)


@pytest.mark.parametrize(
    ("trials", "chosen"),
    [
        ([trial(1, 0), trial(2, 1), trial(4, 2), trial(8, 3)], 8),
        ([trial(1, 3)], 1),
        ([trial(1, 0), trial(2, 1), trial(4, 2), trial(8, 2), trial(16, 2)], 4),
        ([trial(1, 0), trial(2, 1), trial(4, 0), trial(8, 1)], 2),
    ],
)
def test_the_first_that_came_furthest_is_taken_with_headroom(trials, chosen):
    assert best(trials) == (HEADROOM * chosen, True)


def test_where_none_will_do_the_one_that_lacks_least_is_used_for_now():
    assert best([trial(1, 0, 0.6), trial(2, 0, 0.3), trial(4, 0, 0.4)]) == (2, False)
