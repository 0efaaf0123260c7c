import fcntl
import json
import os
import subprocess

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
def lock(tmp_path, monkeypatch):
    """The file of the machine's lock, from a version that let everybody open it."""
    monkeypatch.setattr(isolation, "STATE_DIRECTORY", tmp_path)
    with (tmp_path / "lock").open("w") as file:
        (tmp_path / "lock").chmod(0o644)
        yield file


def test_a_living_holder_is_told_at_once_and_by_name(lock, monkeypatch):
    lock.write('{"pid": 1, "since": "12:00:00", "command": "somebody else"}')
    lock.flush()
    fcntl.flock(lock, fcntl.LOCK_EX)
    monkeypatch.setattr("time.sleep", lambda _: pytest.fail("waited"))
    with pytest.raises(isolation.BusyError, match=rf"\(process {os.getpid()} since \d\d:\d\d:\d\d: .*python"):
        isolation.clean_up()


def test_a_killed_testbeds_last_processes_are_waited_for(lock, tmp_path, monkeypatch):
    subprocess.check_call(
        ["flock", "--exclusive", str(lock.fileno())], pass_fds=(lock.fileno(),)
    )  # it ends, we hold on
    (tmp_path / "0123abcd").mkdir()
    monkeypatch.setattr("time.sleep", lambda _: fcntl.flock(lock, fcntl.LOCK_UN))
    assert isolation.clean_up() == ["0123abcd"]


def test_nobody_is_blamed_for_a_lock_whose_process_has_ended(lock, monkeypatch):
    subprocess.check_call(["flock", "--exclusive", str(lock.fileno())], pass_fds=(lock.fileno(),))
    now = iter(range(0, 100, 3))
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    with pytest.raises(isolation.BusyError, match=r"\(its first process has ended\)"):
        isolation.clean_up()


def test_who_may_not_stop_a_testbed_may_not_hold_its_lock_either(lock, tmp_path):
    isolation.clean_up()
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
    (tmp_path / "lock").unlink()
    isolation.clean_up()
    assert (tmp_path / "lock").stat().st_mode & 0o777 == 0o600
