"""Traffic patterns are really sent, and what arrives is what TCP should make of the paths."""

import pytest

from experiments.runs.traffic_run import measure
from experiments.specification import plan
from experiments.specification.resolved_run import resolve
from tests.emulation.small_run import RATE_DIVISOR, specification
from topologies.traffic import hedera
from workloads.scale import Scale


@pytest.mark.measured
@pytest.mark.parametrize("name", ["stride2", "rand0"])
def test_hosts_receive_what_tcp_should_make_of_a_pattern(name, small_network, tmp_path, measured):
    network, control = small_network
    (run,) = map(resolve, plan.runs_of(specification(tmp_path, strategies=["default"])))
    pairs = hedera(network.topology)[name]
    for trial in measured():
        found = measure(run, network, control, Scale(RATE_DIVISOR, 100), (name, pairs), 4, tmp_path / "log")
        assert (found.pattern, found.connections) == (name, len(pairs))
        assert 0 < found.fair_mbps <= found.expected_mbps * 1.0001 <= found.ideal_mbps * 1.0002
        assert found.fidelity.figures["packet_delay_s_p99"] is not None
        trial.expect("error", found.error, -0.1, 0.2)
