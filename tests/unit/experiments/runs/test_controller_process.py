"""What becomes of a run when its controller ends."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from experiments.runs import controller_process
from experiments.runs.controller_process import CONFINED, Controller, ControllerError, Options
from experiments.runs.workload_run import _watch_links, _watch_programs
from topologies.fat_tree import single_switch

HEALTH = {"status": "degraded", "routes_installed": True}


def answer(request):
    return httpx.Response(200, json=HEALTH if request.url.path == "/v1/health" else {"links": []})


@pytest.fixture
def start_controller(tmp_path):
    """Starts a program as if it were a controller; a mock answers for it while it lives."""
    client = httpx.Client(base_url="http://controller", transport=httpx.MockTransport(answer))
    started = []

    def start(program):
        log = tmp_path / "controller.log"
        with log.open("ab") as output:
            running = Controller(lambda: subprocess.Popen([sys.executable, "-c", program], stderr=output), client, log)
        started.append(running)
        return running

    yield start
    for running in started:
        running.process.kill()
        running.process.wait()


SLEEP = "import time; time.sleep(60)"


def watched(controller, act):
    """Readings and events of watching a controller while `act` is done to it, until that returns or watching fails."""
    readings: list[Mapping[str, Any]] = []
    events: list[tuple[str, str | None]] = []

    async def watch():
        def note(kind, *, host=None, detail=None):
            events.append((kind, detail))

        watching = asyncio.create_task(_watch_links(controller, controller.require_alive, 0.01, readings, note))
        acting = asyncio.create_task(act(readings, events))
        done, pending = await asyncio.wait([watching, acting], timeout=20, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)
        for task in done:
            task.result()

    asyncio.run(watch())
    return readings, events


async def until(condition):
    while not condition():
        await asyncio.sleep(0.01)


def test_a_controller_is_started_again_as_often_as_it_is_killed(start_controller, monkeypatch):
    controller = start_controller(SLEEP)
    monkeypatch.setattr(controller, "_start", lambda: subprocess.Popen([sys.executable, "-c", SLEEP]))
    first = controller.process

    async def kill_twice(readings, events):
        for times in (1, 2):
            await until(lambda: readings)
            controller.process.kill()
            await until(lambda times=times: len(events) == 2 * times)
            readings.clear()
        await until(lambda: readings)

    readings, events = watched(controller, kill_twice)
    assert events == 2 * [("controller_restarted", "SIGKILL"), ("controller_ready", None)]
    assert readings
    assert controller.process is not first


def test_a_controller_that_ends_by_itself_is_not_started_again(start_controller):
    trace = "Traceback (most recent call last):\n  File x\nLookupError: lost track\n"
    line = json.dumps({"event": "handler_failed", "traceback": trace})
    controller = start_controller(f"import sys; print({line!r}, file=sys.stderr); sys.exit(1)")

    async def wait(*_):
        await asyncio.sleep(20)

    with pytest.raises(ControllerError, match=r"exit code 1: LookupError: lost track; see controller.log"):
        watched(controller, wait)


def test_a_controller_killed_before_it_answers_is_noticed_at_once(start_controller):
    asked = []

    def leave_unanswered(request):
        asked.append(request)
        controller.process.kill()
        raise httpx.ReadTimeout("timed out", request=request)

    controller = start_controller(SLEEP)
    controller._client = httpx.Client(base_url="http://controller", transport=httpx.MockTransport(leave_unanswered))
    with pytest.raises(ControllerError, match="ended with exit code -9"):
        controller.get("/v1/links")
    assert 1 <= len(asked) < 100


def test_an_answer_that_takes_long_is_waited_for(start_controller, monkeypatch):
    times = []

    def answer_late(request):
        times.append(request)
        if len(times) < 5:
            raise httpx.ReadTimeout("timed out", request=request)
        return httpx.Response(200, json={"links": []})

    controller = start_controller(SLEEP)
    controller._client = httpx.Client(base_url="http://controller", transport=httpx.MockTransport(answer_late))
    assert controller.get("/v1/links") == {"links": []}
    times.clear()
    monkeypatch.setattr(controller_process, "_ANSWER_S", 0.0)
    with pytest.raises(ControllerError, match="/v1/links: timed out"):
        controller.get("/v1/links")


def test_the_last_line_of_a_log_that_is_no_trace_is_the_reason(start_controller):
    controller = start_controller("import sys; sys.exit('controller: --topology x: not a topology')")
    controller.process.wait()
    with pytest.raises(ControllerError, match=r"exit code 1: controller: --topology x: not a topology; see"):
        controller.get("/v1/links")


def test_a_controller_that_is_stopped_is_noticed_within_2_s_and_named(start_controller):
    controller = start_controller(SLEEP)
    said = rf"the controller \(process {controller.process.pid}\) has been stopped by a signal; routes and counters"

    async def stop_it(*_):
        controller.process.send_signal(signal.SIGSTOP)
        await asyncio.sleep(20)

    begin = time.monotonic()
    with pytest.raises(ControllerError, match=said):
        watched(controller, stop_it)
    assert time.monotonic() - begin < 2 + controller_process._DYING_S
    with pytest.raises(ControllerError, match=said):
        controller.get("/v1/links")
    begin = time.monotonic()
    controller.stop()
    assert time.monotonic() - begin < 2  # it is let go on to its end


def test_a_run_watches_for_a_stopped_controller_and_leaves_a_killed_one_to_be_started_again(start_controller):
    controller = start_controller(SLEEP)
    seen = []

    async def watch():
        switches: Any = SimpleNamespace(require_alive=lambda: seen.append("switches"))
        await asyncio.wait_for(_watch_programs(switches, controller), 1.5)

    for number in (signal.SIGSTOP, signal.SIGKILL):
        controller.process.send_signal(number)
        with pytest.raises(ControllerError if number == signal.SIGSTOP else asyncio.TimeoutError):
            asyncio.run(watch())
    assert len(seen) >= 3


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root to give up")
def test_of_roots_powers_a_controller_keeps_that_to_read_its_code():
    done = subprocess.run([*CONFINED, "cat", "/proc/self/status"], capture_output=True, text=True, check=True)
    status = {name: value.split() for name, _, value in (line.partition(":") for line in done.stdout.splitlines())}
    kept = f"{1 << 2:016x}"  # CAP_DAC_READ_SEARCH, capabilities(7)
    assert {name: status[name] for name in status if name.startswith("Cap")} == {
        "CapInh": ["0" * 16],
        "CapPrm": [kept],
        "CapEff": [kept],
        "CapBnd": [kept],
        "CapAmb": ["0" * 16],
    }
    assert status["NoNewPrivs"] == ["1"]
    assert status["Groups"] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has powers to take from it")
def test_the_controller_is_the_testbeds_own_wherever_that_is_started(tmp_path, monkeypatch):
    """Somebody has put a package of this name into the folder; `python -m` looks there first."""
    planted, sprung = tmp_path / "controller", tmp_path / "sprung"
    planted.mkdir()
    for module in ("__init__", "__main__"):
        (planted / f"{module}.py").write_text(f"open({str(sprung)!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    isolation: Any = SimpleNamespace(directory=tmp_path, host_network=contextlib.nullcontext)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        log = tmp_path / "controller.log"
        with controller_process.controller(single_switch(2), isolation, port, listener, Options(), log) as running:
            assert running.get("/v1/health")["missing_switches"] == ["t1"]
    assert not sprung.exists()


def test_a_living_controller_is_left_alone(start_controller):
    controller = start_controller(SLEEP)
    before = controller.process
    assert controller.restart_if_killed() is None
    assert controller.process is before
