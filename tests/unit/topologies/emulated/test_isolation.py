import fcntl
import json
import os
import subprocess
from pathlib import Path

import pytest

from topologies.emulated import host_settings, isolation


def test_outside_of_an_isolation_the_remedy_is_told(monkeypatch):
    monkeypatch.delenv("PLACEMENT_TESTBED_ISOLATION", raising=False)
    with pytest.raises(isolation.IsolationError, match=r"python -m topologies\.emulated\.isolation"):
        isolation.current()


def test_root_is_asked_for(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(isolation.IsolationError, match="sudo"):
        isolation.run(lambda: 0)


def test_settings_are_put_back_to_what_they_were_before_the_first_change(tmp_path, monkeypatch):
    tree = tmp_path / "sys"
    tree.mkdir()
    for name, value in (("a", "1"), ("b", "2")):
        (tree / name).write_text(f"{value}\n")
    monkeypatch.setattr(host_settings, "_path", lambda name: tree / name)
    host_settings.change(tmp_path, "a", "10")
    host_settings.change(tmp_path, "a", "11")
    host_settings.change(tmp_path, "b", "20")
    assert json.loads((tmp_path / "sysctls.json").read_text()) == {"a": "1", "b": "2"}
    host_settings.restore(tmp_path, "b")
    assert [host_settings.read(name) for name in "ab"] == ["11", "2"]
    host_settings.restore(tmp_path)
    assert [host_settings.read(name) for name in "ab"] == ["1", "2"]
    host_settings.restore(tmp_path)
    assert host_settings.read("a") == "1"


@pytest.fixture
def held(tmp_path, monkeypatch):
    """The machine's lock, held by somebody; what its file says is to be written."""
    monkeypatch.setattr(isolation, "STATE_DIRECTORY", tmp_path)
    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file


def write(file, pid):
    file.write(json.dumps({"pid": pid, "since": "12:00:00", "command": "run_testbed.py"}))
    file.flush()


def test_a_living_testbed_is_told_at_once(held, monkeypatch):
    write(held, os.getpid())
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("waited"))
    with pytest.raises(isolation.BusyError, match=f"process {os.getpid()} since 12:00:00: run_testbed.py"):
        isolation.clean_up()


def test_a_killed_testbeds_last_processes_are_waited_for(held, monkeypatch):
    with subprocess.Popen(["true"]) as ended:
        pass
    write(held, ended.pid)
    (Path(held.name).parent / "0123abcd").mkdir()
    monkeypatch.setattr("time.sleep", lambda _: fcntl.flock(held, fcntl.LOCK_UN))
    assert isolation.clean_up() == ["0123abcd"]
