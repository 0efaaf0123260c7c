"""The controller as a process: its exit contract."""

import contextlib
import http.client
import json
import resource
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.request

import pytest

from controller.__main__ import main
from topologies.fat_tree import single_switch

USUAL_FILES = 1024


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@pytest.fixture
def plan(tmp_path):
    file = tmp_path / "plan.json"
    file.write_text(single_switch(2).to_json())
    return str(file)


@pytest.fixture
def start(plan):
    """Starts a controller that does not outlive the test."""
    with contextlib.ExitStack() as started:

        def begin(*options, program=("-m", "controller"), **popen):
            argv = [sys.executable, *program, "--topology", plan, "--openflow-port", str(free_port()), *options]
            process = started.enter_context(subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, **popen))
            started.callback(process.kill)
            return process

        yield begin


def test_it_serves_on_an_inherited_socket_and_ends_with_0_on_sigterm(start):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = start("--http-fd", str(listener.fileno()), pass_fds=[listener.fileno()])
        with urllib.request.urlopen(f"http://127.0.0.1:{listener.getsockname()[1]}/v1/health", timeout=20) as answer:
            health = json.load(answer)
    assert health["status"] == "discovering"
    assert health["missing_switches"] == ["t1"]
    process.terminate()
    _, log = process.communicate(timeout=10)
    assert process.returncode == 0
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["event"] for line in lines] == ["started", "stopped"]


@pytest.fixture
def many_files():
    """This process may open more files than a controller with the usual limit."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < 4 * USUAL_FILES:
        pytest.skip("no process may open so many files here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_idle_connections_do_not_take_the_files_that_it_needs(start, many_files):
    def limit():
        resource.setrlimit(resource.RLIMIT_NOFILE, (USUAL_FILES, USUAL_FILES))

    with socket.create_server(("127.0.0.1", 0), backlog=2 * USUAL_FILES) as listener, contextlib.ExitStack() as idle:
        fd = listener.fileno()
        process = start("--http-fd", str(fd), "--poll-interval", "0.1", pass_fds=[fd], preexec_fn=limit)
        for _ in range(2 * USUAL_FILES):
            connection = idle.enter_context(socket.socket())
            connection.setblocking(False)
            connection.connect_ex(listener.getsockname())
        with urllib.request.urlopen(f"http://127.0.0.1:{listener.getsockname()[1]}/v1/health", timeout=20) as answer:
            assert answer.status == 200
    process.terminate()
    _, log = process.communicate(timeout=10)
    assert [json.loads(line)["event"] for line in log.splitlines()] == ["started", "stopped"]


@pytest.mark.measured
def test_a_client_that_connected_early_does_not_wait_for_delayed_acknowledgements(start, measured):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = http.client.HTTPConnection("127.0.0.1", listener.getsockname()[1], timeout=20)
        client.connect()
        process = start("--http-fd", str(listener.fileno()), pass_fds=[listener.fileno()])
        for trial in measured():
            durations = []
            for _ in range(30):
                begin = time.monotonic()
                client.request("GET", "/v1/health")
                assert client.getresponse().read()
                durations.append(time.monotonic() - begin)
            trial.expect("median_s", statistics.median(durations), at_most=0.03)  # Linux delays them by 40 ms
    process.terminate()
    process.communicate(timeout=10)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--topology", "/nowhere"], "--topology /nowhere"),
        (["--poll-interval", "0"], "--poll-interval"),
        (["--openflow-port", "66000"], "--openflow-port"),
        (["--nonsense"], "--nonsense"),
        (["--http-host", "0.0.0.0", "--http-port", "0"], "--token-file"),
        (["--http-fd", "99"], "--http-fd"),
        (["--token-file", "/nowhere"], "--token-file"),
    ],
)
def test_bad_options_give_one_line_and_exit_code_2(plan, options, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--topology", plan, *options])
    log = capsys.readouterr().err
    assert len(log.splitlines()) == 1
    assert message in log


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 1}', '{"schema_version": 1, "name": 3}', "\x00"])
def test_a_file_that_is_no_topology_gives_one_line_and_exit_code_2(tmp_path, text, capsys):
    file = tmp_path / "plan.json"
    file.write_text(text)
    with pytest.raises(SystemExit, match="2"):
        main(["--topology", str(file)])
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_an_exception_in_a_handler_ends_the_process_with_its_trace_in_the_log(start):
    program = (
        "import controller.core as core, controller.__main__ as it\n"
        "def broken(self): raise LookupError('lost track')\n"
        "core.Core.tick = broken\n"
        "it.main()"
    )
    process = start("--http-port", "0", program=("-c", program))
    _, log = process.communicate(timeout=20)
    assert process.returncode == 1
    last = json.loads(log.splitlines()[-1])
    assert last["level"] == "critical"
    assert "LookupError: lost track" in last["traceback"]


def test_a_taken_openflow_port_ends_the_process(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        process = start("--http-port", "0", "--openflow-port", str(port))
        _, log = process.communicate(timeout=20)
    assert process.returncode != 0
    assert str(port) in log


def test_it_ends_whenever_the_signal_comes(start):
    process = start("--http-port", "0")
    assert process.stderr is not None
    assert json.loads(process.stderr.readline())["event"] == "started"
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
