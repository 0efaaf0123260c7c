import json
import subprocess

import pytest

from scripts import provision_retention as provision


@pytest.fixture
def environment(tmp_path, monkeypatch):
    """An environment with nothing in it; what it is made of by `main`."""
    python = tmp_path / "bin/python"
    python.parent.mkdir()
    python.touch()
    monkeypatch.setattr(provision, "PYTHON", python)
    monkeypatch.setattr(provision, "ANVIL", tmp_path / "anvil")
    monkeypatch.setattr(provision, "STAMP", tmp_path / "anvil/installed")
    monkeypatch.setattr(provision, "_is_installed", lambda: False)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    ran: list[list[str]] = []

    def run(command, **options):
        assert options["check"]
        assert options["timeout"] > 0
        ran.append(command)
        if command[0] == "cp":
            provision.ANVIL.mkdir(exist_ok=True)
            (provision.STAMP).write_bytes((provision.ANVIL_LOCK / "package-lock.json").read_bytes())

    monkeypatch.setattr(subprocess, "run", run)
    return ran


def test_packages_are_installed_by_their_hashes_and_the_ledger_by_its_lock(environment, monkeypatch):
    monkeypatch.setattr("sys.argv", ["provision_retention.py"])
    assert provision.main() == 0
    pip, *_, npm, _ = environment
    assert {"--require-hashes", "--no-deps", "--only-binary"} <= set(pip)
    assert npm[:2] == ["npm", "ci"]
    assert "--ignore-scripts" in npm
    environment.clear()
    monkeypatch.setattr(provision, "_is_installed", lambda: True)
    assert provision.main() == 0
    assert environment == []


@pytest.mark.parametrize(("argument", "code"), [([], 2), (["--where-possible"], 0)])
def test_without_npm_the_remedy_is_said(environment, monkeypatch, capsys, argument, code):
    monkeypatch.setattr("sys.argv", ["provision_retention.py", *argument])
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert provision.main() == code
    assert (
        "npm is not installed; install it, or anvil 1.7 by yourself, and say in ANVIL where" in capsys.readouterr().err
    )
    assert environment == []


def test_an_installation_that_fails_is_told(environment, monkeypatch, capsys):
    def fail(command, **_):
        raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr("sys.argv", ["provision_retention.py"])
    monkeypatch.setattr(subprocess, "run", fail)
    assert provision.main() == 1
    assert "returned non-zero exit status 1" in capsys.readouterr().err


def test_the_ledger_is_locked_without_saying_where_it_comes_from():
    lock = json.loads((provision.ANVIL_LOCK / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())
