import re

import pytest

from scripts import provision_ryu
from tests.unit.scripts.locks import requirements

LOCKS = (provision_ryu.BUILD_LOCK, provision_ryu.LOCK_FILE)


def test_ryu_and_what_the_controller_imports_are_locked():
    wanted = {"ryu", "fastapi", "networkx", "numpy", "prometheus-client", "uvicorn"}
    assert wanted <= requirements(provision_ryu.LOCK_FILE).keys()
    (setuptools,) = requirements(provision_ryu.BUILD_LOCK)["setuptools"]
    assert setuptools.startswith("setuptools==67.6.1 ")
    assert "setuptools" not in requirements(provision_ryu.LOCK_FILE)


def test_only_a_python_that_ryu_runs_on_is_taken(monkeypatch):
    versions = {"/usr/bin/a": (3, 12), "/usr/bin/b": (3, 9), "/usr/bin/c": (3, 11)}
    monkeypatch.setattr("shutil.which", lambda name, path: f"/usr/bin/{name}")
    monkeypatch.setattr(provision_ryu, "_version", versions.__getitem__)
    assert provision_ryu.find_python(["a", "b", "c"]) == "/usr/bin/c"
    assert provision_ryu.find_python(["a", "b"]) is None


def test_nothing_is_installed_without_its_hash_and_nothing_built_but_ryu_with_the_tools_that_can():
    make, *installations, check = provision_ryu.commands("/usr/bin/python3")
    assert make[1:3] == ["-m", "venv"]
    assert [command[-1] for command in installations] == [str(lock) for lock in LOCKS]
    for command in installations:
        assert {"--require-hashes", "--no-deps"} <= set(command)
        assert command[command.index("--only-binary") + 1] == ":all:"
    built = installations[1]
    assert "--no-build-isolation" in built
    assert built[built.index("--no-binary") + 1] == "ryu"
    assert "--no-binary" not in installations[0]
    assert "load('ryu')" in check[-1]


@pytest.mark.parametrize(
    ("program", "how"), [(["false"], "'false'.* exit status 1"), (["sleep", "9"], "'sleep', '9'.* timed out after 0")]
)
def test_a_step_that_fails_or_hangs_ends_the_installation_by_name(program, how, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("sys.argv", ["provision_ryu.py"])
    monkeypatch.setattr(provision_ryu, "STAMP", tmp_path / "stamp")
    monkeypatch.setattr(provision_ryu, "find_python", lambda: "/usr/bin/python3")
    monkeypatch.setattr(provision_ryu, "commands", lambda _: [program, ["touch", str(tmp_path / "next")]])
    monkeypatch.setattr(provision_ryu, "_INSTALLATION_S", 0.1)
    assert provision_ryu.main() == 1
    assert re.match(f"provision_ryu: .*{how}", capsys.readouterr().err)
    assert not list(tmp_path.iterdir())
