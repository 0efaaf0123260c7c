"""What fails in the middle of a run: a link, the controller's process, the controller itself."""

import contextlib
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

import polars as pl
import psutil
import pytest

from experiments.runs import controller_process
from experiments.runs.controller_process import Controller, ControllerError
from tests.emulation import one_run
from tests.emulation.small_run import RATE_DIVISOR
from topologies.emulated import isolation
from topologies.emulated.openvswitch import OpenVSwitch, OpenVSwitchError

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("short_calibration")]

VOLUME_DIVISOR = 40
READING_S = 0.1 * VOLUME_DIVISOR / RATE_DIVISOR  # modelled time between two readings of the counters


def prepared(tmp_path, **changed):
    """A run of one job that takes some six seconds, its folder, and a call that does it."""
    scale = {"rate_divisor": RATE_DIVISOR, "volume_divisor": VOLUME_DIVISOR}
    job = [{"profile": str(tmp_path / "join.yaml"), "job_id": "join"}]
    return one_run.prepared(tmp_path, strategies=["default"], workload=job, scale=scale, **changed)


def when_the_job_has_started(action):
    """Takes the news of a run and acts when the job has started."""

    def on_progress(news):
        if news == "join started":
            action()

    return on_progress


def times_s(events, kind):
    return events.filter(pl.col("kind") == kind)["time_s"].to_list()


def assert_no_byte_was_lost(record):
    assert record.status == "finished"
    (job,) = record.jobs
    assert job.cross_rack_bytes > 0
    for stage in job.stages:
        assert stage.planned_bytes == stage.sent_bytes == stage.received_bytes > 0


@pytest.mark.measured
def test_a_link_that_fails_and_returns_in_mid_run_costs_no_byte(tmp_path, measured):
    for trial in measured():
        _cut_and_restore(tmp_path, trial)


def _cut_and_restore(tmp_path, trial):
    link, restore_after_s = "t1-c1/1", 3.0  # data crosses racks from the fourth second on, and until the end
    failures = [{"at_s": 7.0, "link": link, "restore_after_s": restore_after_s}]
    with prepared(tmp_path, failures=failures) as (folder, execute):
        record = execute()
    assert_no_byte_was_lost(record)
    events = folder.events()
    (failed_s,), (restored_s,) = times_s(events, "link_failed"), times_s(events, "link_restored")
    assert set(events.filter(pl.col("kind").str.starts_with("link_"))["detail"]) == {link}
    trial.expect("down_s", restored_s - failed_s, restore_after_s - 2, restore_after_s + 2)
    trial.expect("left_when_restored_s", record.makespan_s - restored_s, at_least=4 * READING_S)
    carried = folder.links().filter((pl.col("link") == link) & pl.col("time_s").is_between(0, record.makespan_s))
    before = carried.filter(pl.col("time_s") < failed_s)
    since = carried.filter(pl.col("time_s").is_between(failed_s, restored_s - READING_S))
    down = since.filter(pl.col("time_s") > pl.col("time_s").min().over("direction"))  # the first reaches back
    after = carried.filter(pl.col("time_s") > restored_s)
    other = folder.links().filter((pl.col("link") == "t1-c1/2") & pl.col("time_s").is_in(down["time_s"].implode()))
    trial.expect("readings_while_down", len(down), at_least=2 * 5)
    assert not down["bits_per_s"].sum()
    for name, part in (("before", before), ("on_the_other", other), ("after", after)):
        trial.expect(f"most_bits_per_s_{name}", part["bits_per_s"].max() or 0, at_least=1e6)


def controllers():
    """The controllers that this process runs."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # others come and go
            if child.cmdline()[1:3] == ["-m", "controller"]:
                found.append(child)
    return found


def received_bytes():
    """What the network's interfaces have received so far, by the kernel."""
    counters = psutil.net_io_counters(pernic=True)
    return sum(counter.bytes_recv for name, counter in counters.items() if name != "lo")


@pytest.mark.measured
def test_a_controller_killed_in_mid_run_is_started_again_and_traffic_goes_on_meanwhile(tmp_path, monkeypatch, measured):
    for trial in measured():
        with monkeypatch.context() as patches:
            _kill_the_controller_in_mid_run(tmp_path, patches, trial)


def _kill_the_controller_in_mid_run(tmp_path, monkeypatch, trial):
    at_kill, when_routed = [], []
    wait_until_routed = controller_process.Controller.wait_until_routed

    def kill():
        (process,) = controllers()
        process.send_signal(signal.SIGKILL)
        at_kill.append(received_bytes())

    def wait_and_count(controller, *arguments):
        wait_until_routed(controller, *arguments)
        when_routed.append(received_bytes())

    monkeypatch.setattr(controller_process.Controller, "wait_until_routed", wait_and_count)
    reading = threading.Timer(1.0, kill)
    with prepared(tmp_path) as (folder, execute):
        record = execute(when_the_job_has_started(reading.start))
    assert controllers() == []
    assert_no_byte_was_lost(record)
    events = folder.events()
    (restarted_s,) = times_s(events, "controller_restarted")
    ready_s = max(times_s(events, "controller_ready"), default=record.makespan_s)
    trial.expect("left_when_routed_s", record.makespan_s - ready_s, at_least=READING_S)
    if not trial.holds:
        return  # the run ended before there was anything to see
    assert events.filter(pl.col("kind") == "controller_restarted")["detail"].to_list() == ["SIGKILL"]
    assert 0 < restarted_s < ready_s < record.makespan_s
    trial.expect("bytes_meanwhile", when_routed[0] - at_kill[0], at_least=1_000_000)  # discovery alone: some 3,000
    log = (folder.path / "controller.log").read_text()
    assert log.count('"event": "started"') == 2
    assert log.count('"status": "ready"') == 2
    assert folder.links()["time_s"].max() > ready_s


BROKEN = """\
#!{python}
import os, sys
sys.path.insert(0, {root!r})
from controller import core
import controller.__main__ as program
tick = core.Core.tick
def broken(self):
    if os.path.exists({trigger!r}):
        raise LookupError("lost track")
    tick(self)
core.Core.tick = broken
program.main(sys.argv[3:])
"""


def switches():
    return int((isolation.current().directory / "ovs/ovs-vswitchd.pid").read_text())


def controller():
    (process,) = controllers()
    return process.pid


@pytest.mark.measured
@pytest.mark.parametrize(
    ("victim", "number", "owner", "look", "said"),
    [
        (switches, signal.SIGKILL, OpenVSwitch, "require_alive", r"ovs-vswitchd \(process \d+\) has ended"),
        (switches, signal.SIGSTOP, OpenVSwitch, "require_alive", r"ovs-vswitchd \(process \d+\) has been stopped"),
        (controller, signal.SIGSTOP, Controller, "require_not_stopped", r"the controller \(process \d+\) has been sto"),
    ],
)
def test_switches_and_controllers_that_are_ended_or_stopped_in_mid_run_fail_it_soon_and_are_named(
    tmp_path, monkeypatch, measured, victim, number, owner, look, said
):
    looked = getattr(owner, look)
    times_s = []

    def strike():
        os.kill(victim(), number)
        times_s.append(time.monotonic())

    def look_and_note(watched):
        try:
            looked(watched)
        except (OpenVSwitchError, ControllerError):
            times_s.append(time.monotonic())
            raise

    monkeypatch.setattr(owner, look, look_and_note)
    for trial in measured():
        times_s.clear()
        with prepared(tmp_path) as (folder, execute), pytest.raises((OpenVSwitchError, ControllerError), match=said):
            execute(when_the_job_has_started(strike))
        record = folder.record()
        assert record.status == "failed"
        assert re.match(f"\\w+Error: {said}", record.reason)
        struck_s, noticed_s, *_ = times_s
        trial.expect("noticed_s", noticed_s - struck_s, at_most=2)


def test_a_controller_that_fails_by_itself_fails_the_run_with_the_reason(tmp_path, monkeypatch):
    interpreter, trigger = tmp_path / "python", tmp_path / "now"
    root = str(Path(__file__).parents[2])
    interpreter.write_text(BROKEN.format(python=sys.executable, root=root, trigger=str(trigger)))
    interpreter.chmod(0o755)
    monkeypatch.setattr(controller_process.Options, "python", str(interpreter))
    reason = "the controller ended with exit code 1: LookupError: lost track; see controller.log"
    with prepared(tmp_path) as (folder, execute), pytest.raises(ControllerError, match=reason):
        execute(when_the_job_has_started(trigger.touch))
    record = folder.record()
    assert record.status == "failed"
    assert record.reason.endswith(reason)
    assert "Traceback" in (folder.path / "controller.log").read_text()
