"""The traffic patterns: which are measured, what is said of them, and what is refused."""

import contextlib
import json

import pytest

from experiments.commands import traffic
from experiments.commands.main import main
from experiments.records.record import Fidelity
from experiments.runs import controller_process, rate_divisor, traffic_run
from experiments.runs.standing_network import StandingNetwork
from experiments.runs.traffic_run import PatternMeasurement
from experiments.specification import requirements
from topologies.emulated import isolation

SMALL = "topology={preset: single-switch, parameters: {hosts: 3}}"


@pytest.fixture
def errors():
    """By how much each pattern is to miss; 0 for those that are not named."""
    return {}


@pytest.fixture
def measured(monkeypatch, errors):
    """What would be measured, in order, without a network."""
    asked = []

    def measure(run, network, controller, scale, pattern, duration_s, log):
        name, pairs = pattern
        asked.append((name, len(pairs), duration_s))
        fair = 1000.0 * len(pairs)
        return PatternMeasurement(
            name, len(pairs), fair, fair, fair, fair * (1 + errors.get(name, 0)), Fidelity(verdict="trusted")
        )

    monkeypatch.setattr(traffic, "answer_isolated", lambda action: action())
    monkeypatch.setattr(traffic_run, "measure", measure)
    monkeypatch.setattr(requirements, "check", lambda _: None)
    monkeypatch.setattr(isolation, "current", lambda: None)
    monkeypatch.setattr(controller_process, "listen", lambda *_: contextlib.nullcontext())
    monkeypatch.setattr(rate_divisor, "choose_divisor", lambda *_: 8.0)
    monkeypatch.setattr(StandingNetwork, "lent", lambda *_: contextlib.nullcontext((None, None)))
    return asked


def test_all_twenty_are_measured_on_hederas_network(measured, capsys):
    assert main(["traffic", "--quiet"]) == 0
    assert len(measured) == 20
    assert ("stride8", 16, 12) in measured
    assert "20 of 20 within 5% of TCP's rates, 20 trusted" in capsys.readouterr().out


def test_one_that_misses_is_told_by_the_exit_code(measured, errors, capsys):
    errors["stride1"] = -0.06
    assert main(["traffic", "--quiet", "--pattern", "stride1", "hotspot", "--seconds", "5"]) == 1
    assert measured == [("stride1", 16, 5), ("hotspot", 16, 5)]
    assert "1 of 2 within 5%" in capsys.readouterr().out


def test_as_json_every_figure_is_there(measured, capsys):
    assert main(["traffic", "--json", "--pattern", "randx2"]) == 0
    document = json.loads(capsys.readouterr().out)
    (pattern,) = document["patterns"]
    assert (document["rate_divisor"], pattern["pattern"], pattern["connections"]) == (8.0, "randx2", 32)
    assert pattern["fair_mbps"] == pattern["expected_mbps"] == pattern["measured_mbps"] == 32_000
    assert pattern["fidelity"]["verdict"] == "trusted"


def test_a_small_network_has_those_that_it_is_large_enough_for(measured, capsys):
    assert main(["traffic", "--quiet", "--set", SMALL]) == 0
    assert "hotspot" not in {name for name, *_ in measured}
    assert len(measured) == 19


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--pattern", "stride3"], "--pattern stride3: did you mean"),
        (["--pattern", "hotspot", "--set", SMALL], "--pattern hotspot: the network has too few hosts"),
        (["--seconds", "2"], "--seconds 2: give 3 to 3600"),
        (["--http-port", "-1"], "--http-port -1"),
        (["--spec", "thesis", "--blocking-factor", "1", "5"], "one network is measured at a time"),
    ],
)
def test_what_cannot_be_measured_is_refused(measured, capsys, words, message):
    assert main(["traffic", *words]) == 2
    assert message in capsys.readouterr().err
    assert measured == []
