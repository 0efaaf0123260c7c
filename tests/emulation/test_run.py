"""A whole experiment on a small network: its records tell what was moved, and what is doubtful is called so."""

import contextlib
import functools
import os
import subprocess
import sys
from datetime import datetime, timezone

import polars as pl
import pytest
from rich.console import Console

from experiments.analysis import comparison
from experiments.records.results_folder import ResultsFolder
from experiments.report.html.build import write_report
from experiments.runs import emulated_campaign, emulated_run, prediction
from experiments.runs.controller_process import listen
from experiments.runs.progress import Reporter
from experiments.runs.standing_network import StandingNetwork
from experiments.specification import plan
from experiments.specification.resolved_run import resolve
from tests.emulation.small_run import RATE_DIVISOR, specification
from topologies.emulated import isolation

pytestmark = pytest.mark.timeout(300)

QUIET = Reporter(Console(quiet=True), quiet=True)


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """An experiment of three runs: the results folder and what went wrong."""
    parent = tmp_path_factory.mktemp("results")
    folder = ResultsFolder.create(parent, specification(parent), datetime.now(timezone.utc))
    (parent / "join.yaml").unlink()  # the folder needs no file from elsewhere
    problems = emulated_campaign.run_all(folder, emulated_campaign.Options(force=True), QUIET)
    return folder, problems


def test_every_run_is_finished_and_judged(experiment):
    folder, problems = experiment
    assert problems == []
    records = folder.records()
    assert {record.strategy for record in records} == {"default", "neawa", "coloc"}
    for record in records:
        assert record.status == "finished"
        assert record.fidelity.verdict in ("trusted", "doubtful")
        assert (record.fidelity.verdict == "doubtful") == bool(record.fidelity.reasons)
        assert record.fidelity.figures["rate_shortfall"] == record.calibration["shortfall"]
        assert record.provenance.datapath in ("kernel", "userspace")
        assert record.makespan_s == max(job.finished_s for job in record.jobs)
        assert [(job.job_id, job.submitted_s) for job in record.jobs] == [("join-1", 0), ("join-2", pytest.approx(3))]
        assert all(len(job.placement) == 6 for job in record.jobs)


def test_the_network_of_the_first_run_serves_the_others_and_is_calibrated_again_when_one_was_doubtful(experiment):
    folder, _ = experiment
    before = None
    for record in sorted(folder.records(), key=lambda record: record.started_at):
        kept = before is not None and before.fidelity.verdict == "trusted"
        assert (record.calibration["age_s"] > 0) == kept
        assert record.provenance.tc_state_sha256 == (before or record).provenance.tc_state_sha256
        before = record


def test_connections_between_the_same_containers_have_the_same_ports_in_every_run(experiment):
    folder, _ = experiment
    columns = ["job", "stage", "task", "peer_task", "source_port", "destination_port"]
    lanes = pl.concat(
        run.events().filter(pl.col("source_port") > 0, kind="transfer").select(pl.lit(run.path.name), *columns).unique()
        for run in folder.runs()
    )
    met = lanes.group_by(columns[:4]).agg(pl.len().alias("runs"), *(pl.col(name).n_unique() for name in columns[4:]))
    several = met.filter(pl.col("runs") > 1)
    assert len(several) > 5
    assert several.select(columns[4:]).unique().rows() == [(1, 1)]


def test_a_doubtful_run_was_tried_again(experiment):
    folder, _ = experiment
    by_id = {record.run_id: record for record in folder.records()}
    first = {name: record for name, record in by_id.items() if not name.endswith("-again")}
    assert len(first) == 3
    assert {name for name, record in first.items() if record.doubtful} == {
        name.removesuffix("-again") for name in by_id.keys() - first.keys()
    }


def test_no_byte_is_lost_between_plan_sender_and_receiver(experiment):
    folder, _ = experiment
    for record in folder.records():
        for job, input_bytes in zip(record.jobs, (3e9, 2e9), strict=True):
            stages = {stage.name: stage for stage in job.stages}
            assert set(stages) == {"left", "right", "join"}
            for stage in stages.values():
                assert stage.planned_bytes == stage.sent_bytes == stage.received_bytes
            assert job.read_bytes.total == pytest.approx(input_bytes, rel=1e-4)
            assert stages["left"].sent_bytes == pytest.approx(0.8 * input_bytes, rel=1e-4)
            assert stages["join"].sent_bytes == pytest.approx((0.3 + 5 * 0.02) * input_bytes, rel=1e-3)


def test_the_traffic_matrix_is_the_sum_of_the_events(experiment):
    folder, _ = experiment
    for record in folder.records():
        events = folder.run(record.run_id).events()
        moved: dict[tuple[str, str], int] = {}
        for kind, host, peer, size in events.select("kind", "host", "peer", "bytes").iter_rows():
            if kind in ("read", "transfer", "write"):
                pair = (peer, host) if kind == "read" else (host, peer)
                moved[pair] = moved.get(pair, 0) + size
        hosts = record.traffic_matrix.hosts
        matrix = {
            (a, b): size
            for a, row in zip(hosts, record.traffic_matrix.bytes, strict=True)
            for b, size in zip(hosts, row, strict=True)
            if size
        }
        assert matrix == moved
        written = events.filter(pl.col("kind") == "write")["bytes"].sum()
        assert written == pytest.approx(2 * 0.02 * 5e9, rel=1e-3)


def test_up_links_carry_what_crosses_racks_and_headers(experiment):
    """The counters are read before the first byte and after the last one, so that none of the payload is missing."""
    folder, _ = experiment
    for record in folder.records():
        run = folder.run(record.run_id)
        crossed = sum(job.cross_rack_bytes for job in record.jobs)
        sent_again = run.fidelity()["retransmissions"].sum() * 1514 * record.scale.volume_divisor
        for direction in ("up", "down"):
            of_uplinks = pl.col("link").str.starts_with("t") & (pl.col("direction") == direction)
            links = run.links().filter(of_uplinks)
            assert links.group_by("link").agg(pl.col("time_s").max())["time_s"].min() > record.makespan_s
            carried = links["bytes"].sum()
            assert crossed <= carried <= 1.25 * crossed + 1e7 + sent_again, (record.run_id, direction)


def test_a_strategy_that_keeps_a_job_together_crosses_racks_less(experiment):
    folder, _ = experiment
    crossed = {record.strategy: sum(job.cross_rack_bytes for job in record.jobs) for record in folder.records()}
    assert crossed["coloc"] < crossed["default"]


def test_the_twin_says_of_every_run_what_it_would_have_been(experiment):
    folder, _ = experiment
    assert prediction.add(folder.assignments(), 4, 2, QUIET) == []
    for record in folder.records():
        assert [job.job_id for job in record.prediction.jobs] == [job.job_id for job in record.jobs]
        for job, said in zip(record.jobs, record.prediction.jobs, strict=True):
            assert said.cross_rack_bytes == pytest.approx(job.cross_rack_bytes, rel=0.1)
            assert said.completion_time.mean_s < 1.5 * job.completion_time_s  # a fluid is not slower
        assert record.fidelity.figures["predicted_time_ratio"] > 0.7
    (network,) = comparison.compare(folder.records()).networks
    assert all(one.predicted is not None for one in network.strategies)


def test_summary_and_report_are_made_from_the_records(experiment):
    folder, _ = experiment
    assert write_report(folder.path) == folder.path / "report.html"
    (network,) = comparison.compare(folder.records()).networks
    assert {one.strategy for one in network.strategies} == {"default", "neawa", "coloc"}
    for name in ("report.html", "summary.json", "datapackage.json"):
        assert (folder.path / name).stat().st_size > 500, name


def test_a_finished_experiment_has_nothing_left_to_do(experiment):
    folder, _ = experiment
    before = [record.finished_at for record in folder.records()]
    assert emulated_campaign.run_all(folder, emulated_campaign.Options(), QUIET) == []
    assert [record.finished_at for record in folder.records()] == before


@contextlib.contextmanager
def busy(processes, at_most_s=90):
    """That many processes that want a core; each ends by itself should nobody end it."""
    loop = f"import time\nend = time.monotonic() + {at_most_s}\nwhile time.monotonic() < end: pass"
    running = [subprocess.Popen([sys.executable, "-c", loop]) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


@pytest.fixture
def prepared(tmp_path, on_small_network):
    """A run of the small experiment, its folder, and conditions to do it under."""
    wanted = specification(tmp_path, strategies=["default"], fidelity={"max_rate_error": 0.15})
    folder = ResultsFolder.create(tmp_path, wanted, datetime.now(timezone.utc))
    (run,) = map(resolve, plan.runs_of(wanted))
    with listen(isolation.current()) as listener, StandingNetwork(listener) as standing:
        yield run, folder.run(run.id), functools.partial(emulated_run.Conditions, standing, RATE_DIVISOR)


def test_a_run_without_cpu_to_spare_is_doubtful(prepared, short_calibration):
    run, folder, conditions = prepared
    with busy(2 * (os.cpu_count() or 1)):
        record = emulated_run.execute(run, folder, conditions(force=True))
    assert record.fidelity.verdict == "doubtful"
    assert any(reason.startswith("cpu_idle_p05 ") and "no CPU to spare" in reason for reason in record.fidelity.reasons)


@contextlib.contextmanager
def sabotaged(network):
    """Meanwhile all that the first rack sends to the core goes at a tenth of its rate."""
    links = [link for link in network.topology.uplinks if link.a.node == "t1"]

    def divide(divisor):
        for link in links:
            device, rate = f"t1-eth{link.a.port_no}", f"{link.capacity_mbps / divisor}mbit"
            change = ["tc", "class", "change", "dev", device, "parent", "1:", "classid", "1:1"]
            subprocess.check_call([*change, "htb", "rate", rate, "ceil", rate])

    divide(10)
    try:
        yield
    finally:
        divide(1)


@pytest.mark.measured
def test_the_quick_calibration_passes_a_network_as_planned_and_notices_slow_up_links(prepared, small_network, measured):
    run, _, _ = prepared
    network, control = small_network
    for trial in measured():
        report, problem = emulated_run.calibrate(run, network, control)
        trial.expect("shortfall", report["shortfall"], at_most=0.15)
        assert (problem is None) == (report["shortfall"] <= 0.15)
        assert report["loaded_directions"] == report["uplink_directions"] == 8
    with sabotaged(network):
        for trial in measured():
            report, problem = emulated_run.calibrate(run, network, control, attempts=1)
            trial.expect("shortfall_of_slow_links", report["shortfall"], at_least=0.3)
            assert problem.startswith("calibration: the up-links carry ")
    network.verify_shaping()


def test_a_network_out_of_tolerance_is_refused_and_the_record_says_so(prepared, small_network, short_calibration):
    run, folder, conditions = prepared
    refused = pytest.raises(emulated_run.CalibrationRefused, match=r"up-links carry .* use --force")
    with sabotaged(small_network[0]), refused:
        emulated_run.execute(run, folder, conditions())
    record = folder.record()
    assert record.status == "failed"
    assert "up-links carry" in record.reason
    assert record.jobs == ()
