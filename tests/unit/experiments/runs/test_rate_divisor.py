"""The divisor that `auto` takes follows from what its trials found."""

import json
from typing import Any

import pytest

from experiments.records.ownership import RATE_DIVISORS
from experiments.runs import rate_divisor
from experiments.runs.rate_divisor import HEADROOM, Trial, best, choose_divisor, trial_key
from experiments.specification import plan, specification_file
from experiments.specification.resolved_run import resolve


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


NO_LISTENER: Any = None


def first_run(*assignments):
    wanted = specification_file.override(specification_file.load("thesis"), ["scale.rate_divisor=auto", *assignments])
    return resolve(plan.runs_of(wanted)[0])


@pytest.mark.parametrize(
    "change", ["workload=q3-mid", "data.replication=2", "node.disk_mb_per_s=50", "scale.volume_divisor=7"]
)
def test_a_finding_belongs_to_its_workload(change):
    assert trial_key(first_run(change)) != trial_key(first_run())


@pytest.mark.parametrize("change", ["strategies=[coloc]", "seed=7", "repeats=3", "name=other"])
def test_a_finding_holds_for_every_strategy_and_repeat(change):
    assert trial_key(first_run(change)) == trial_key(first_run())


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": "x"}', '{"a": -1}', '{"a": null}', "\xff"])
def test_a_damaged_cache_is_made_anew(content, tmp_path, monkeypatch):
    run = first_run()
    (tmp_path / RATE_DIVISORS).write_bytes(content.encode("latin-1"))
    monkeypatch.setattr(rate_divisor, "_search", lambda *_: (16.0, True))
    assert choose_divisor(run, NO_LISTENER, tmp_path) == 16.0
    assert json.loads((tmp_path / RATE_DIVISORS).read_text()) == {trial_key(run): 16.0}
    monkeypatch.setattr(rate_divisor, "_search", lambda *_: pytest.fail("it is known"))
    assert choose_divisor(run, NO_LISTENER, tmp_path) == 16.0
