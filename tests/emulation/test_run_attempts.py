"""A host that dies in the middle of a run: another attempt on the live ones, and all of it in the record."""

import contextlib
import signal
from collections import Counter

import polars as pl
import psutil
import pytest

from tests.emulation.one_run import executed
from tests.emulation.small_run import RATE_DIVISOR

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("short_calibration", "on_small_network")]

VOLUME_DIVISOR = 80
DEAD = "h2"


@pytest.fixture
def execute(tmp_path):
    """A run of one job whose containers need six of the eight slots, so that they are on every host but one at least;
    what to change of it is an argument.
    """

    def run_it(on_progress=lambda _: None, **changed):
        document = {
            "strategies": ["default"],
            "workload": [{"profile": str(tmp_path / "join.yaml"), "job_id": "join"}],
            "node": {"slots": 2},
            "scale": {"rate_divisor": RATE_DIVISOR, "volume_divisor": VOLUME_DIVISOR},
            "failures": [{"at_s": 4.0, "host": DEAD}],
            **changed,
        }
        return executed(tmp_path, on_progress, **document)

    return run_it


def test_a_job_that_loses_a_host_is_tried_again_on_the_live_ones_and_the_record_tells_of_both(execute):
    folder, record = execute()
    (job,) = record.jobs
    events = folder.events()
    assert job.attempts == 2
    assert DEAD not in job.placement
    assert events.filter(pl.col("kind") == "host_failed")["host"].to_list() == [DEAD]
    (reason,) = events.filter(pl.col("kind") == "job_failed")["detail"]
    assert DEAD in reason
    for stage in job.stages:
        assert stage.planned_bytes == stage.sent_bytes == stage.received_bytes > 0
    (failed_s,) = events.filter(pl.col("kind") == "job_failed")["time_s"]
    moved: Counter[tuple[str, str]] = Counter()
    for kind, host, peer, size in events.select("kind", "host", "peer", "bytes").iter_rows():
        if kind in ("read", "transfer", "write"):
            moved[(peer, host) if kind == "read" else (host, peer)] += size
    matrix = record.traffic_matrix
    assert dict(+moved) == {
        (a, b): size
        for a, row in zip(matrix.hosts, matrix.bytes, strict=True)
        for b, size in zip(matrix.hosts, row, strict=True)
        if size
    }
    in_vain = events.filter(pl.col("kind").is_in(["read", "transfer"]) & (pl.col("time_s") < failed_s))["bytes"].sum()
    assert in_vain > 0
    between = sum(size for (a, b), size in moved.items() if a != b)
    assert job.transferred_bytes <= between


def test_a_job_that_loses_a_host_in_its_last_attempt_fails_the_run_with_the_reason(execute):
    with pytest.raises(Exception, match=f"job join failed in attempt 1: .*{DEAD}"):
        execute(max_attempts=1)


def test_a_job_that_is_not_done_by_its_deadline_fails_the_run_with_the_reason(execute):
    with pytest.raises(Exception, match=r"not finished after 1 s; unfinished stages: "):
        execute(failures=[], max_attempts=1, job_deadline_wall_s=1)


@pytest.mark.measured
def test_an_agent_that_is_stopped_is_named_soon_and_its_jobs_are_tried_again(execute, measured):
    struck = []

    def stop(news):
        if news == "join started":
            for child in psutil.Process().children():
                with contextlib.suppress(psutil.NoSuchProcess):  # others come and go
                    if DEAD in child.cmdline():
                        child.send_signal(signal.SIGSTOP)
                        struck.append(child.pid)

    for trial in measured():
        folder, record = execute(stop, failures=[])
        (job,) = record.jobs
        events = folder.events()
        assert job.attempts == 2
        assert DEAD not in job.placement
        ((reason, failed_s),) = events.filter(pl.col("kind") == "job_failed").select("detail", "time_s").iter_rows()
        assert reason == f"agent of {DEAD} died: process {struck[-1]} has been stopped by a signal"
        begun_s = events.filter(pl.col("kind") == "job_started")["time_s"].min()
        trial.expect("noticed_wall_s", (failed_s - begun_s) * RATE_DIVISOR / VOLUME_DIVISOR, at_most=2)
