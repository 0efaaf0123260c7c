"""Whole runs by the twin, with the failures of their specification."""

from collections import Counter
from statistics import mean

import pytest

from experiments.runs.simulated_run import simulate
from experiments.runs.workload import JobFailedError
from experiments.specification import plan
from experiments.specification.resolved_run import resolve
from experiments.specification.specification_file import load
from tests.emulation.small_run import specification
from tests.unit.workloads.loopback import assert_conserved, moved, moved_by
from workloads.scale import Scale

SCALE = Scale(8, 64)


@pytest.fixture
def run_one(tmp_path):
    """A run of one job; its outcome, the times of its events in modelled seconds by kind, and the news."""

    def run_it(**changed):
        workload = [{"profile": str(tmp_path / "join.yaml"), "job_id": "join"}]
        wanted = specification(tmp_path, strategies=["default"], workload=workload, **changed)
        (run,) = map(resolve, plan.runs_of(wanted))
        news: list[str] = []
        outcome = simulate(run, SCALE, news.append)
        at_s: dict[str, list[float]] = {}
        for event in outcome.events:
            at_s.setdefault(event.kind, []).append(SCALE.modelled_s(event.time_s))
        return outcome, at_s, news

    return run_it


def test_links_fail_and_return_at_their_times_and_no_byte_is_lost(run_one):
    failures = [{"at_s": 4, "link": "t1-c1/1", "restore_after_s": 5}, {"at_s": 5, "link": "t2-c1/2"}]
    outcome, at_s, news = run_one(failures=failures)
    (result,) = outcome.results
    assert_conserved(result)
    assert moved(outcome.events) == moved_by(result)
    assert at_s["link_failed"] == pytest.approx([4, 5])
    assert at_s["link_restored"] == pytest.approx([9])
    assert news == ["join started", "link t1-c1/1 fails", "link t2-c1/2 fails", "link t1-c1/1 is back", "join finished"]
    (slower_s,), (usual_s,) = at_s["job_finished"], run_one()[1]["job_finished"]
    assert slower_s > usual_s
    again = run_one(failures=failures)[0]
    assert again.events == outcome.events


def test_a_failure_that_is_to_come_after_the_last_job_does_not_come(run_one):
    outcome, at_s, _ = run_one(failures=[{"at_s": 100_000, "host": "h1"}])
    assert outcome.events == run_one()[0].events
    assert "host_failed" not in at_s


def test_a_job_that_loses_a_host_is_tried_again_on_the_others(run_one):
    outcome, at_s, news = run_one(failures=[{"at_s": 4, "host": "h2"}], node={"slots": 2})
    (result,) = outcome.results
    assert_conserved(result)
    assert result.attempt == 2
    assert "h2" not in result.placement
    kinds = Counter(event.kind for event in outcome.events)
    assert (kinds["job_started"], kinds["job_failed"], kinds["job_finished"], kinds["host_failed"]) == (2, 1, 1, 1)
    assert at_s["job_failed"] == at_s["host_failed"] == pytest.approx([4])
    assert "join failed, attempt 1 of 2: agent of h2 died: process ended" in news
    with pytest.raises(JobFailedError, match="job join failed in attempt 1: agent of h2 died: process ended"):
        run_one(failures=[{"at_s": 4, "host": "h2"}], node={"slots": 2}, max_attempts=1)


def test_a_network_in_parts_ends_with_the_jobs_deadline(run_one):
    failures = [{"at_s": 4, "link": f"t1-c1/{number}"} for number in (1, 2)]
    with pytest.raises(JobFailedError, match="not finished after 70 s; unfinished stages: left"):
        run_one(failures=failures, job_deadline_wall_s=70)


def test_what_up_links_are_read_to_carry_is_what_crossed_racks(run_one):
    outcome, _, _ = run_one()
    (result,) = outcome.results
    racks = {"h1": 1, "h2": 1, "h3": 2, "h4": 2}
    crossed = sum(size for a, b, size in result.moved() if racks[a] != racks[b])
    first, *between, last = outcome.link_readings
    sent = {(link["id"], link["direction"]): link["tx_bytes"] for link in last["links"]}
    up = sum(size for (link, direction), size in sent.items() if direction == "up" and not link.startswith("h"))
    down = sum(size for (link, direction), size in sent.items() if direction == "down" and not link.startswith("h"))
    assert up * 1448 / 1514 == pytest.approx(crossed, abs=4)  # up-links, each rounded to a byte
    assert down == pytest.approx(up, abs=4)
    assert all(link["tx_bytes"] == 0 for link in first["links"])
    assert len(between) == pytest.approx(last["links"][0]["age_s"] / 0.1, abs=2)
    assert max(link["utilisation"] for reading in between for link in reading["links"]) == pytest.approx(1, abs=0.05)


def test_job_times_depend_little_on_the_volume_divisor():
    run = resolve(plan.runs_of(load("thesis"))[0])

    def mean_s(scale):
        outcomes = [simulate(run, scale, draw=draw) for draw in range(1, 7)]
        return mean(
            scale.modelled_s(job.finished_s - job.submitted_s) for outcome in outcomes for job in outcome.results
        )

    assert mean_s(Scale(8, 1024)) == pytest.approx(mean_s(Scale(8, 128)), rel=0.04)


def workflow(tmp_path, strategies=("default",), **changed):
    """Two jobs, of which the second reads the result of the first and another file."""
    listed = [
        {"profile": str(tmp_path / "join.yaml"), "job_id": "first"},
        {"profile": str(tmp_path / "join.yaml"), "job_id": "second", "reads": {"left": "first/join"}, "at_s": 1},
    ]
    wanted = specification(tmp_path, strategies=list(strategies), workload=listed, **changed)
    return [*map(resolve, plan.runs_of(wanted))]


def test_a_job_comes_when_the_result_that_it_reads_is_there_and_reads_it_where_it_was_put(tmp_path):
    (run,) = workflow(tmp_path)
    outcome = simulate(run, SCALE)
    first, second = outcome.results
    assert second.submitted_s == first.finished_s
    put = {one.file: one.blocks for one in outcome.file_operations if one.user == "first"}
    assert sum(one.bytes for one in outcome.file_operations if one.user == "first") == 60_000_000
    assert all(one.time_s <= first.finished_s and one.host == one.blocks[0][0] for one in outcome.file_operations[:5])
    reads = [event for event in outcome.events if event.kind == "read" and event.job == "second"]
    from_first = {event.detail: event.peer for event in reads if event.detail.startswith("first/")}
    assert set(from_first) == {f"{file} {index}" for file, blocks in put.items() for index in range(len(blocks))}
    for detail, source in from_first.items():
        file, index = detail.split(" ")
        assert source in put[file][int(index)]


def test_what_a_failed_attempt_has_written_is_deleted_and_written_again(tmp_path):
    (run,) = workflow(tmp_path, failures=[{"at_s": 5, "host": "h2"}], node={"slots": 3})
    outcome = simulate(run, SCALE)
    assert [result.attempt for result in outcome.results] == [2, 1]
    operations = [(one.operation, one.user) for one in outcome.file_operations]
    deleted = operations.count(("delete", "first"))
    assert operations.count(("create", "first")) == 5 + deleted
    assert operations.count(("create", "second")) == 5
    last = {one.file: one.blocks for one in outcome.file_operations}
    assert all("h2" not in replicas for blocks in last.values() for replicas in blocks)


def test_results_go_where_the_strategy_puts_files(tmp_path):
    """CoLoc keeps what belongs to a job on its nodes, which are not those where it is written."""
    listed = [
        {"profile": str(tmp_path / "join.yaml"), "job_id": "first"},
        {"profile": "kmeans", "job_id": "second", "containers": 3, "reads": {"points": "first"}},
    ]
    coloc = {"name": "coloc", "colocation": {"jobs": ["second"], "nodes": 1}}
    wanted = specification(tmp_path, strategies=["default", coloc], workload=listed, data={"block_bytes": "4 MB"})
    outcomes = [simulate(run, SCALE) for run in map(resolve, plan.runs_of(wanted))]
    by_writer, together = ([one for one in outcome.file_operations if one.user == "first"] for outcome in outcomes)
    assert [len(one.blocks) for one in together] == [3] * 5
    assert all(replicas[0] == one.host for one in by_writer for replicas in one.blocks)
    (favoured,) = {replicas[0] for one in together for replicas in one.blocks}
    assert {one.host for one in together} - {favoured}
    first, _ = outcomes[1].results
    assert_conserved(first)
    assert moved(outcomes[1].events) == moved_by(*outcomes[1].results)
    stayed = {one.host for one in together for replicas in one.blocks if one.host in replicas}
    assert {host for host, peer in first.written_bytes if host == peer} == stayed
