"""The divisor that `auto` takes follows from what the machine forwards and from rehearsals."""

import json
from typing import Any

import pytest

from experiments.records.ownership import RATE_DIVISORS
from experiments.runs import rate_divisor
from experiments.runs.rate_divisor import choose_divisor, trial_key, worth_trying
from experiments.specification import plan, specification_file
from experiments.specification.resolved_run import resolve

NO_NETWORK: Any = None


@pytest.mark.parametrize(
    ("least", "tried"),
    [(1.0, (1, 2, 4)), (4.0, (4, 8, 16)), (6.6, (8, 16, 32)), (40, (64,)), (65, (64,)), (1e9, (64,))],
)
def test_candidates_that_are_not_below_the_least_divisor_are_tried_but_not_all(least, tried):
    assert worth_trying(least) == tried


@pytest.mark.parametrize(
    ("overload", "trusted", "found"), [(1.0, 4.0, (4.0, True)), (1.7, 16.0, (16.0, True)), (1.7, 64.0, (8.0, False))]
)
def test_the_first_candidate_whose_rehearsal_is_trusted_is_taken(overload, trusted, found, monkeypatch, tmp_path):
    monkeypatch.setattr(rate_divisor, "_overload", lambda *_: overload)
    monkeypatch.setattr(rate_divisor, "_doubts", lambda *given: () if given[2] >= trusted else ("too fast",))
    assert choose_divisor(first_run(), NO_NETWORK, tmp_path) == found[0]
    assert (tmp_path / RATE_DIVISORS).exists() == found[1]


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
    assert choose_divisor(run, NO_NETWORK, tmp_path) == 16.0
    assert json.loads((tmp_path / RATE_DIVISORS).read_text()) == {trial_key(run): 16.0}
    monkeypatch.setattr(rate_divisor, "_search", lambda *_: pytest.fail("it is known"))
    assert choose_divisor(run, NO_NETWORK, tmp_path) == 16.0
