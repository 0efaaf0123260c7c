"""Statistics, and what a comparison claims and refuses to claim."""

import io
import json
import math
import re
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from scipy import stats

from experiments.analysis import comparison as comparison_module
from experiments.analysis import estimate_text, estimates
from experiments.analysis.comparison import compare
from experiments.analysis.estimates import mean_interval, reduction, spread
from experiments.analysis.likeness import MixedRunsError
from experiments.documents import numerals
from experiments.report.html.words import headlines
from experiments.report.terminal.table import render
from tests.unit.experiments.synthetic import predict, results

TIMES = st.floats(min_value=0.1, max_value=1e6)


@given(st.lists(TIMES, min_size=1, max_size=20))
def test_a_spread_surrounds_its_median(values):
    found = spread(values)
    assert min(values) <= found.low <= found.median <= found.high <= max(values)
    assert found.kind == ("range" if len(values) < 8 else "quartiles")


def test_student_quantiles_are_right():
    for degrees, quantile in enumerate(estimates._STUDENT_QUANTILES, start=1):
        assert quantile == pytest.approx(stats.t.ppf(0.975, degrees), abs=1e-4)


@pytest.mark.parametrize("count", [3, 5, 10])
def test_the_interval_holds_the_mean_as_often_as_it_says(count):
    rng = np.random.default_rng(count)
    held = 0
    for _ in range(300):
        low, high = mean_interval(list(rng.normal(0.2, 0.05, count)), np.random.default_rng(0))
        held += low <= 0.2 <= high
    assert 0.9 <= held / 300 <= 0.99


def test_two_values_have_students_interval():
    low, high = mean_interval([1.0, 3.0], np.random.default_rng(0))
    assert (low, high) == pytest.approx((2 - 12.7062, 2 + 12.7062))


def test_the_same_times_give_the_same_interval():
    assert reduction([10, 11, 12], [8, 9, 9]) == reduction([10, 11, 12], [8, 9, 9])


@given(st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=8))
def test_a_reduction_lies_in_its_interval(pairs):
    found = reduction([first for first, _ in pairs], [second for _, second in pairs])
    assert found.estimate <= 1
    if len(pairs) > 1:
        slack = 1e-9 * max(1, abs(found.estimate))
        assert found.low - slack <= found.estimate <= found.high + slack


def test_no_interval_reaches_where_times_would_be_below_0():
    found = reduction([100.0, 100.0], [90.0, 50.0])
    assert found.low < -1
    assert found.high == 1


def test_one_repeat_shows_no_difference():
    assert reduction([100.0], [50.0]).outcome == "no difference shown"


def test_outcomes():
    assert reduction([100, 101, 99], [80, 80, 81]).outcome == "less"
    assert reduction([100, 101, 99], [120, 121, 119]).outcome == "more"
    assert reduction([100, 101, 99], [90, 115, 99]).outcome == "no difference shown"


def test_unpaired_times_are_refused():
    with pytest.raises(ValueError, match="give pairs"):
        reduction([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="above 0"):
        reduction([0.0], [1.0])


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    path = tmp_path_factory.mktemp("results")
    doubtful, failed = ("r02-bf5-neawa",), ("r01-bf5-coloc",)
    return results(path, "repeats=4", "topology.blocking_factor=[1,5]", doubtful=doubtful, failed=failed).records()


def strategies(comparison, factor):
    network = next(network for network in comparison.networks if network.blocking_factor == factor)
    return {summary.strategy: summary for summary in network.strategies}


def test_strategies_come_in_the_order_of_the_specification(records):
    for network in compare(records).networks:
        assert [summary.strategy for summary in network.strategies] == ["default", "neawa", "coloc"]


def test_the_reduction_is_that_of_the_summed_times_pair_by_pair(records):
    summed = {
        (r.strategy, r.repeat): sum(job.completion_time_s for job in r.jobs) for r in records if r.blocking_factor == 1
    }
    shares = [1 - summed["coloc", repeat] / summed["default", repeat] for repeat in range(4)]
    found = strategies(compare(records), 1)["coloc"].reduction
    assert found.pairs == 4
    assert found.estimate == pytest.approx(sum(shares) / 4)


def test_doubtful_and_failed_runs_are_listed_and_left_out(records):
    comparison = compare(records)
    listed = {run.run_id: (run.status, run.used) for run in comparison.set_aside}
    assert listed == {"r02-bf5-neawa": ("doubtful", False), "r01-bf5-coloc": ("failed", False)}
    found = strategies(comparison, 5)
    assert (found["neawa"].runs, found["neawa"].planned, found["neawa"].doubtful) == (3, 4, False)
    assert found["coloc"].reduction.pairs == found["neawa"].reduction.pairs == 3


def test_doubtful_runs_enter_when_asked_for_and_are_marked(records):
    found = strategies(compare(records, include_doubtful=True), 5)["neawa"]
    assert (found.runs, found.doubtful) == (4, True)


def test_doubtful_runs_stand_in_marked_when_there_are_no_others(tmp_path):
    comparison = compare(results(tmp_path, doubtful=("r00-bf5-neawa",)).records())
    found = strategies(comparison, 5)
    assert found["neawa"].doubtful
    assert not found["default"].doubtful
    assert comparison.set_aside[0].used
    assert found["neawa"].reduction_doubtful
    assert not found["coloc"].reduction_doubtful
    assert [strategy for line, strategy in headlines(comparison) if "Its runs are doubtful." in line] == ["neawa"]


def test_a_change_against_doubtful_runs_is_doubtful(tmp_path):
    comparison = compare(results(tmp_path, doubtful=("r00-bf5-default",)).records())
    found = strategies(comparison, 5)
    assert not found["neawa"].doubtful
    assert found["neawa"].reduction_doubtful
    assert all("The default runs are doubtful." in line for line, _ in headlines(comparison))
    written = io.StringIO()
    Console(width=120, file=written).print(render(comparison))
    assert written.getvalue().count("against doubtful runs") == 2


def test_a_failed_baseline_leaves_no_reduction(tmp_path):
    found = strategies(compare(results(tmp_path, failed=("r00-bf5-default",)).records()), 5)
    assert set(found) == {"neawa", "coloc"}
    assert found["neawa"].reduction is None


def only_here(record):
    """The versions of a run, and that of a library that no other run had."""
    return {**record.provenance.versions, "numba": "0.62"}


@pytest.mark.parametrize(
    ("change", "aspect"),
    [
        (lambda r: {"provenance": r.provenance.model_copy(update={"machine": "other"})}, "machine"),
        (lambda r: {"provenance": r.provenance.model_copy(update={"versions": {"python": "3.12"}})}, "versions"),
        (lambda r: {"provenance": r.provenance.model_copy(update={"versions": only_here(r)})}, 'versions ({"'),
        (lambda r: {"provenance": r.provenance.model_copy(update={"strategy_sha256": "ab"})}, "the module of"),
        (lambda r: {"scale": {"rate_divisor": 16, "volume_divisor": 128}}, "rate_divisor"),
        (lambda r: {"kind": "simulated"}, 'kind ("emulated", "simulated")'),
        (lambda r: {"specification": {**r.specification, "workload": {"preset": "kmeans-mid"}}}, 'workload ({"'),
    ],
)
def test_runs_that_differ_are_not_mixed_unless_told(records, change, aspect):
    mixed = [*records[:-1], records[-1].updated(**change(records[-1]))]
    with pytest.raises(MixedRunsError, match=re.escape(aspect)):
        compare(mixed)
    assert any(text.startswith(aspect) for text in compare(mixed, allow_mixed=True).mixed)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    return results(tmp_path_factory.mktemp("simulated"), "repeats=2", kind="simulated").records()


def test_it_is_of_no_matter_where_and_at_which_scale_a_run_was_simulated(simulated):
    elsewhere = {"machine": "other", "kernel": "6.9.9", "datapath": "kernel", "congestion_control": "reno"}
    first = simulated[0].updated(
        provenance=simulated[0].provenance.model_copy(update=elsewhere),
        scale={"rate_divisor": 16, "volume_divisor": 1},
    )
    assert compare([first, *simulated[1:]]).mixed == ()
    newer = first.updated(provenance=first.provenance.model_copy(update={"versions": {"python": "3.12"}}))
    with pytest.raises(MixedRunsError, match=r"^runs differ in versions \([^;]*;"):
        compare([newer, *simulated[1:]])


def test_a_repeat_is_counted_once(records):
    with pytest.raises(MixedRunsError, match="is there twice"):
        compare([*records, records[0]])


def again(record, verdict, seconds=1):
    """The second try of a run."""
    later = record.started_at + timedelta(seconds=seconds)
    fidelity = {"verdict": verdict, "reasons": ("x",) if verdict == "doubtful" else ()}
    return record.updated(run_id=f"{record.run_id}-again", started_at=later, fidelity=fidelity)


def test_a_trusted_second_try_takes_the_place_of_a_doubtful_run(records):
    doubtful = next(record for record in records if record.run_id == "r02-bf5-neawa")
    comparison = compare([*records, again(doubtful, "trusted")])
    assert (strategies(comparison, 5)["neawa"].runs, strategies(comparison, 5)["neawa"].doubtful) == (4, False)
    assert ("r02-bf5-neawa", False) in {(run.run_id, run.used) for run in comparison.set_aside}


def test_of_two_doubtful_tries_one_is_used(tmp_path):
    records = results(tmp_path, doubtful=("r00-bf5-neawa",)).records()
    first = next(record for record in records if record.run_id == "r00-bf5-neawa")
    comparison = compare([*records, again(first, "doubtful")])
    assert strategies(comparison, 5)["neawa"].runs == 1
    assert sorted((run.run_id, run.used) for run in comparison.set_aside) == [
        ("r00-bf5-neawa", False),
        ("r00-bf5-neawa-again", True),
    ]


def test_networks_may_have_their_own_divisors(records):
    scale = {"rate_divisor": 16, "volume_divisor": 128}
    comparison = compare([r.updated(scale=scale) if r.blocking_factor == 1 else r for r in records])
    assert [network.rate_divisor for network in comparison.networks] == [16, 8]
    text = printed(comparison)
    assert "rates by 16 and volumes by 128 at blocking factor 1" in text
    assert "rates by 8 and volumes by 128 at blocking factor 5" in text


def test_no_records_are_refused():
    with pytest.raises(MixedRunsError, match="run the experiment first"):
        compare([])


def test_the_summary_is_json_with_finite_numbers(records):
    document = json.loads(comparison_module.to_json(compare(records)), parse_constant=pytest.fail)
    assert document["networks"][1]["strategies"][1]["reduction"]["pairs"] == 3
    assert math.isclose(document["networks"][0]["rate_divisor"], 8)


def printed(comparison, width=80):
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(render(comparison))
    return console.export_text()


def test_the_table_has_what_the_twin_says_and_names_the_jobs_that_are_farthest_from_it(tmp_path):
    folder = results(tmp_path, "repeats=3", "strategies=[default, neawa]")
    assert "Twin" not in printed(compare(folder.records()))
    predict(folder, far="q10-2")
    compared = compare(folder.records())
    text = printed(compared)
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert text.count("Twin, s") == 2
    summary = compared.networks[0].strategies[0]
    runs = [record for record in folder.records() if record.strategy == "default"]
    mean_s = float(np.mean([record.prediction.summed_time.mean_s for record in runs]))
    assert summary.predicted.mean_s == pytest.approx(mean_s)
    assert f"{numerals.number(mean_s)} ±9.0 %" in text
    assert len(compared.far_off) == 6
    assert {far.job_id for far in compared.far_off} == {"q10-2"}
    assert "3 more jobs are far from what the twin says" in text
    words = " ".join(text.split())
    assert words.count("standard deviations more than the twin's") == 3
    assert (
        f"its stage join took {numerals.seconds(30.0)} more; t1-c1/2 up was used by 97 %, not 71 % (12 drops)" in words
    )
    (strategy, _) = json.loads(comparison_module.to_json(compared))["networks"][0]["strategies"]
    assert strategy["predicted"]["mean_s"] == pytest.approx(mean_s)


def test_the_table_fits_80_columns_and_says_everything(records):
    text = printed(compare(records))
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "…" not in text
    for job in ("kmeans-1", "cc-1", "q3-1", "q10-1", "q10-2"):
        assert text.count(job) == 2
    for words in ("blocking factor 1", "blocking factor 5", "modelled seconds", "rates by 8 and volumes by 128"):
        assert words in text
    assert "r01-bf5-coloc is failed (not used): AgentError: agent of h3" in text
    assert "3 of 4 runs" in text


def test_simulated_runs_are_called_so_and_nothing_is_said_of_an_emulation(records, simulated):
    text = printed(compare(simulated))
    assert text.count("simulated") == 3
    assert "Simulated: the network is computed as a fluid; nothing was emulated." in text
    assert not any(words in text for words in ("trusted", "doubtful", "The emulation divided"))
    document = json.loads(comparison_module.to_json(compare(simulated)))
    assert document["kinds"] == ["simulated"]
    assert [summary["simulated"] for summary in document["networks"][0]["strategies"]] == [True] * 3
    assert document["networks"][0]["rate_divisor"] is None
    assert "imulated" not in printed(compare(records))
    assert json.loads(comparison_module.to_json(compare(records)))["kinds"] == ["emulated"]


def test_of_runs_of_both_kinds_each_strategy_is_called_by_its_own(records, simulated):
    emulated = [r for r in records if r.strategy == "default" and r.blocking_factor == 5]
    comparison = compare([*emulated, *(r for r in simulated if r.strategy == "neawa")], allow_mixed=True)
    assert comparison.kinds == ("emulated", "simulated")
    assert {name: found.fidelity for name, found in strategies(comparison, 5).items()} == {
        "default": "trusted",
        "neawa": "simulated",
    }
    assert "The emulation divided rates by 8" in printed(comparison)


def test_a_damaged_record_does_not_make_simulated_runs_mixed(simulated):
    damaged = simulated[0].updated(status="damaged", kind="emulated", jobs=(), reason="record.json: damaged")
    assert compare([damaged, *simulated[1:]]).kinds == ("simulated",)


def test_runs_that_have_not_begun_are_counted_as_planned(tmp_path):
    records = [record for record in results(tmp_path, "repeats=5").records() if record.repeat < 3]
    assert printed(compare(records)).count("3 of 5 runs") == 3


def test_the_table_of_one_repeat_claims_nothing(tmp_path):
    text = printed(compare(results(tmp_path).records()))
    assert text.count("one repeat only") == 2
    assert "95 %" not in text


def test_the_table_without_times_says_why(tmp_path):
    text = printed(compare(results(tmp_path, "strategies=[default]", failed=("r00-bf5-default",)).records()))
    assert "No run finished" in text
    assert "agent of h3: process ended" in text


def test_names_cannot_format_the_table(tmp_path):
    records = results(tmp_path, "strategies.1.label='[bold]x'").records()
    assert "[bold]x" in printed(compare(records))


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1234"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0, "0"), (99.96, "100")]
)
def test_numbers_have_three_digits(value, text):
    assert numerals.number(value) == text


def test_units():
    assert numerals.size(8e9) == "8.00 GB"
    assert numerals.size(999.9e6) == "1.00 GB"
    assert numerals.size(12) == "12 B"
    assert numerals.rate(50e6) == "50.0 Mbit/s"
    assert numerals.share(0.268) == "27 %"
    assert numerals.share(0.041) == "4.1 %"
    assert numerals.share(0.997) == "99.7 %"
    assert numerals.share(1) == "100 %"
    assert estimate_text.reduction(reduction([100.0], [73.2])) == f"{numerals.MINUS}26.8 %"
    assert estimate_text.reduction(reduction([100.0], [110.0])) == "+10.0 %"
