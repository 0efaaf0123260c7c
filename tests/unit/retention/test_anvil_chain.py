"""A ledger that is killed, and one that is opened again."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from retention import audit
from retention.errors import RetentionError
from retention.transactions import Operation


def done(file, kind="create", time_s=0):
    return Operation(file, kind, f"/{file}", bytes([time_s] * 32), time_s, "ann", "h1")


def test_a_ledger_that_is_killed_again_and_again_keeps_everything_once(chain):
    asked: dict[str, list[int]] = {"a": [], "b": []}
    with chain(confirmations=2) as made:
        for time_s in range(1, 40):
            file = "ab"[time_s % 2]
            made.ask([done(file, "change" if asked[file] else "create", time_s)], time_s)
            asked[file].append(time_s)
            if time_s % 9 == 0:
                os.kill(made.ledger.pid, signal.SIGKILL)
            made.block(time_s)
        while not made.settled:
            time_s += 1
            made.block(time_s)
        assert made.restarts == 4
        kept: dict[str, list[int]] = {"a": [], "b": []}
        for one in made.transactions:
            assert one.refused is None
            kept[one.operation.file].append(one.operation.time_s)
        assert kept == asked
        for file, address in made.contracts.items():
            assert [one.time_s - made.epoch_s for one in audit.history(made.ledger, address)] == asked[file]
            assert made.is_valid(file, bytes([asked[file][-1]] * 32))
            assert not made.is_valid(file, bytes([asked[file][0]] * 32))


def test_what_is_not_confirmed_yet_is_known(chain):
    with chain(confirmations=3) as made:
        made.ask([done("a", time_s=1)], 1)
        assert made.is_valid("a", bytes([1] * 32))
        for time_s in (2, 3, 4):
            made.block(time_s)
        assert made.settled
        made.ask([done("a", "change", 5)], 5)
        assert made.is_valid("a", bytes([5] * 32))
        assert not made.is_valid("a", bytes([1] * 32))
        assert not made.is_valid("b", bytes([1] * 32))


def test_a_folder_opens_again_and_goes_on(chain, tmp_path):
    from retention.anvil_chain import AnvilChain

    with pytest.raises(RetentionError, match="no ledger there"), AnvilChain.opened(tmp_path):
        pass
    with chain(confirmations=1, queue="confirm") as made:
        made.ask([done("a", time_s=1), done("a", "register", 1)], 1)
        made.block(2)
        made.block(3)
        index, address = made.index, made.contracts["a"]
    with AnvilChain.opened(tmp_path) as again:
        assert (again.terms, again.epoch_s, again.index) == (made.terms, made.epoch_s, index)
        assert again.contracts == {"a": address}
        assert audit.address_of(again.ledger, str(again.index), "/a") == address.lower()
        again.ask([done("a", "change", 4)], 4)
        again.block(5)
        assert again.settled
        assert len(list(audit.history(again.ledger, address))) == 2


@pytest.mark.usefixtures("chain")
def test_a_ledger_ends_with_who_started_it_however_that_ends(tmp_path):
    """Also one that was started again by another thread, while that lives."""
    code = f"""
import os, signal, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from retention.anvil_chain import AnvilChain
from retention.terms import Terms
with ThreadPoolExecutor(1) as one, AnvilChain(Path({str(tmp_path)!r}), Terms(), 1_700_000_000) as chain:
    os.kill(chain.ledger.pid, signal.SIGKILL)
    one.submit(chain.block, 1.0).result()
    print(chain.ledger.pid, flush=True)
    time.sleep(60)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as starter:
        ledger = psutil.Process(int(starter.stdout.readline()))
        assert ledger.is_running()
        starter.kill()
    deadline = time.monotonic() + 10
    while ledger.is_running() and ledger.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_ledger_writes_nothing_outside_of_its_folder(chain, tmp_path, monkeypatch):
    """It keeps the states of 500 blocks in memory, and those of older ones in the home of who runs it."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    with chain() as made:
        made.ask([done("a", time_s=1)], 1)
        for time_s in range(1, 900):
            made.block(time_s)
        assert made.settled
    assert list(home.rglob("*")) == []
    assert (tmp_path / "ledger.json").stat().st_size < 10_000_000
