"""What is installed follows from the facts alone, and a start that lacks nothing installs nothing."""

import ast
import dataclasses
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from experiments.commands.main import COMMANDS
from experiments.specification import strategy_modules
from scripts import provision
from scripts.provision import Facts, Package, gather, instructions, lacking, obstacle, pip_has_index, plan

COMPLETE = Facts(
    missing_packages=(), environment="ready", python=(3, 11), apt=True, root=True, writable=True, pip_index=False
)


def facts(**changes) -> Facts:
    return dataclasses.replace(COMPLETE, **changes)


def lines(planned: tuple[provision.Command, ...], as_root: bool = True) -> list[str]:
    return [command.text(as_root) for command in planned]


def test_nothing_to_do_when_all_is_there():
    assert plan(COMPLETE) == ()


def test_missing_packages_are_installed_by_one_apt_call_after_an_update():
    update, install = lines(plan(facts(missing_packages=("mininet", "iperf3"))))
    assert update.endswith("update")
    assert install.startswith("env DEBIAN_FRONTEND=noninteractive apt-get")
    assert install.endswith("install -y --no-install-recommends mininet iperf3")


def test_an_update_that_fails_does_not_end_the_installation_and_an_install_does():
    update, install = plan(facts(missing_packages=("mininet",)))
    assert update.may_fail
    assert not install.may_fail


def test_an_absent_environment_is_made_from_scratch_by_the_system_python():
    planned = lines(plan(facts(environment="absent", python=(3, 12))))
    assert planned[0] == "/usr/bin/python3 -m venv --clear .venv"
    link = "ln -sfn /usr/lib/python3/dist-packages/mininet .venv/lib/python3.12/site-packages/mininet"
    assert link in planned


@pytest.mark.parametrize(
    ("words", "emulates"),
    [
        ("", True),
        ("--repeats 3", True),
        ("--spec simulate", True),
        ("--no-install --spec simulate", True),
        ("run --spec simulate", True),
        ("doctor", True),
        ("sweep table-6.2", True),
        ("sweep table-6.2 --simulate", False),
        ("sweep --list table-6.2", False),
        ("simulate --repeats 3", False),
        ("--no-install report folder", False),
    ],
)
def test_what_emulates_nothing_takes_no_package_of_the_system(words, emulates):
    assert provision.packages_for(words.split()) == (provision.RUNTIME if emulates else ())


def test_commands_that_emulate_nothing_are_commands():
    assert set(COMMANDS) >= provision.WITHOUT_EMULATION


def test_where_nothing_is_emulated_the_python_that_runs_will_do(monkeypatch, tmp_path):
    monkeypatch.setattr(provision, "SYSTEM_PYTHON", tmp_path / "absent")
    monkeypatch.setattr(provision, "ENVIRONMENT", tmp_path / ".venv")
    found = gather(())
    assert (found.missing_packages, found.environment, found.python) == ((), "absent", sys.version_info[:2])
    assert lines(plan(found))[0] == f"{os.path.realpath(sys.executable)} -m venv --clear .venv"
    assert gather(provision.RUNTIME).python is None


def test_an_outdated_environment_is_kept_but_loses_its_stamp_first():
    planned = lines(plan(facts(environment="outdated")))
    assert planned[0] == "rm -f .venv/requirements.lock"
    assert not any("venv --clear" in line for line in planned)


@pytest.mark.parametrize("environment", ["absent", "outdated"])
@pytest.mark.parametrize("pip_index", [True, False])
def test_the_stamp_is_written_last_and_only_hashed_wheels_are_installed(environment, pip_index):
    planned = lines(plan(facts(environment=environment, pip_index=pip_index)))
    assert planned[-1] == "cp requirements.lock .venv/requirements.lock"
    installing = [line for line in planned if " install " in line or " sync " in line]
    assert all("--require-hashes" in line for line in installing)
    assert all("--only-binary :all:" in line or "--no-build" in line for line in installing)


def test_a_configured_package_index_is_left_to_pip():
    assert any("uv pip sync" in line for line in lines(plan(facts(environment="absent"))))
    assert not any("uv" in line for line in lines(plan(facts(environment="absent", pip_index=True))))


def test_without_a_system_python_the_packages_come_first():
    planned = lines(plan(facts(python=None, environment="absent", missing_packages=("python3-venv",))))
    assert [line for line in planned if "venv --clear" in line] == []
    assert planned[-1].endswith("python3-venv")


def test_an_environment_of_somebody_else_takes_root():
    assert all(command.privileged for command in plan(facts(environment="outdated", root=False, writable=False)))


def test_otherwise_only_packages_take_root():
    planned = plan(facts(environment="absent", missing_packages=("mininet",)))
    assert [command.privileged for command in planned[:2]] == [True, True]
    assert not any(command.privileged for command in planned[2:])


@pytest.mark.parametrize(("root", "prefix"), [(True, ""), (False, "sudo ")])
def test_instructions_are_the_plan_with_sudo_where_it_is_needed(root, prefix):
    needed = facts(root=root, environment="absent", missing_packages=("mininet",))
    text = instructions(needed, ["run_testbed.py", "run"])
    printed = [line.strip() for line in text.splitlines()]
    assert f"cd {provision.ROOT}" in printed
    assert [line for line in printed if line in lines(plan(needed), root)] == lines(plan(needed), root)
    assert f"{prefix}env DEBIAN_FRONTEND=noninteractive apt-get" in text
    assert "\n  /usr/bin/python3 -m venv" in text
    assert printed[-1] == f"{prefix}python3 run_testbed.py run"


def test_what_is_missing_is_named():
    text = lacking(facts(missing_packages=("mininet", "iperf3"), environment="absent"))
    assert "mininet iperf3" in text
    assert str(provision.ENVIRONMENT) in text
    assert "apt" not in lacking(facts(environment="absent"))
    assert ".venv" not in lacking(facts(missing_packages=("mininet",)))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"missing_packages": ("mininet",), "apt": False}, "mininet"),
        ({"python": (3, 9), "environment": "absent"}, "3.9"),
    ],
)
def test_a_system_that_cannot_be_provided_for_is_told_so(changes, named):
    reason = obstacle(facts(**changes))
    assert reason is not None
    assert named in reason
    assert "Debian 12" in reason


def test_no_obstacle_where_nothing_has_to_be_installed():
    assert obstacle(facts(apt=False)) is None
    assert obstacle(facts(missing_packages=("mininet",))) is None


def test_facts_refuse_an_unknown_state():
    with pytest.raises(ValueError, match="'stale'"):
        facts(environment="stale")


@pytest.mark.parametrize(
    ("environment", "configurations", "expected"),
    [
        ({}, [], False),
        ({"PIP_CERT": "a", "PIP_FIND_LINKS": "b"}, ["[global]\ncert = a\nextra-index-url = b\n"], False),
        ({"PIP_INDEX_URL": "https://mirror.example"}, [], True),
        ({}, ["", "[global]\nindex-url = https://mirror.example\n"], True),
        ({}, ["[install]\nno-index = true\n"], True),
        ({}, ["[global]\nproxy = http://proxy.example:3128\n"], True),
        ({}, ["[freeze]\nproxy = http://proxy.example:3128\n"], False),
        ({}, ["no section\n"], False),
    ],
)
def test_pip_is_believed_where_it_says_how_packages_are_reached(environment, configurations, expected):
    assert pip_has_index(environment, configurations) is expected


def test_a_package_is_there_when_all_its_evidence_is_or_a_substitute(tmp_path):
    nothing = Package("nothing", ("no-such-program-anywhere",))
    assert gather([nothing]).missing_packages == ("nothing",)
    assert gather([Package("shell", ("sh", str(tmp_path)))]).missing_packages == ()
    assert gather([Package("half", ("sh", "no-such-program-anywhere"))]).missing_packages == ("half",)
    assert gather([dataclasses.replace(nothing, substitutes=("sh",))]).missing_packages == ()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A directory that passes for a checkout with a complete environment."""
    monkeypatch.setattr(provision, "ROOT", tmp_path)
    monkeypatch.setattr(provision, "ENVIRONMENT", tmp_path / ".venv")
    monkeypatch.setattr(provision, "LOCK_FILE", tmp_path / "requirements.lock")
    monkeypatch.setattr(provision, "STAMP", tmp_path / ".venv/requirements.lock")
    (tmp_path / "requirements.lock").write_text("rich==1\n")
    major, minor = provision._python_version(provision.SYSTEM_PYTHON) or (3, 0)
    site = tmp_path / f".venv/lib/python{major}.{minor}/site-packages"
    site.mkdir(parents=True)
    (site / "mininet").symlink_to(provision.MININET)
    (tmp_path / ".venv/bin").mkdir()
    (tmp_path / ".venv/bin/python").symlink_to(provision.SYSTEM_PYTHON)
    (tmp_path / ".venv/pyvenv.cfg").write_text("")
    (tmp_path / ".venv/requirements.lock").write_text("rich==1\n")
    return tmp_path


def test_a_complete_environment_is_ready(checkout):
    assert gather(()).environment == "ready"


def test_a_changed_lock_file_makes_the_environment_outdated(checkout):
    (checkout / "requirements.lock").write_text("rich==2\n")
    assert gather(()).environment == "outdated"


def test_a_missing_link_to_mininet_makes_the_environment_outdated(checkout):
    next((checkout / ".venv/lib").glob("*/site-packages/mininet")).unlink()
    assert gather(()).environment == "outdated"


@pytest.mark.parametrize("lost", ["requirements.lock", "pyvenv.cfg", "bin/python"])
def test_an_unfinished_environment_counts_as_absent(checkout, lost):
    (checkout / ".venv" / lost).unlink()
    assert gather(()).environment == "absent"


def test_an_environment_of_another_python_counts_as_absent(checkout):
    other = checkout / "python3.9"
    other.touch()
    (checkout / ".venv/bin/python").unlink()
    (checkout / ".venv/bin/python").symlink_to(other)
    assert gather(()).environment == "absent"


def test_no_install_stops_with_the_commands(checkout, monkeypatch, capsys):
    (checkout / ".venv/requirements.lock").unlink()
    monkeypatch.setattr(sys, "argv", [str(checkout / "program.py"), "--no-install", "place"])
    monkeypatch.setattr(provision, "_run", lambda *_: pytest.fail("something was installed"))
    with pytest.raises(SystemExit) as stopped:
        provision.ensure_environment(())
    assert stopped.value.code == 2
    assert "-m venv --clear .venv" in capsys.readouterr().err
    assert sys.argv[1:] == ["place"]


def test_what_stays_missing_after_its_installation_ends_in_an_error(checkout, monkeypatch, capsys):
    (checkout / ".venv/requirements.lock").unlink()
    monkeypatch.setattr(sys, "argv", ["program.py"])
    monkeypatch.setattr(provision, "_run", lambda *_: None)
    with pytest.raises(SystemExit) as stopped:
        provision.ensure_environment(())
    assert stopped.value.code == 1
    assert "still missing" in capsys.readouterr().err


def test_pythonpath_is_handed_on_and_shadows_no_package(checkout, monkeypatch):
    started = []
    monkeypatch.setattr(sys, "argv", ["program.py"])
    monkeypatch.setattr(os, "execv", lambda *_: started.append(dict(os.environ)))
    monkeypatch.setattr(sys, "prefix", str(checkout / ".venv"))
    monkeypatch.setenv("PYTHONPATH", f"/opt/mine:{os.pathsep}relative")
    monkeypatch.setenv(provision._PYTHONPATH, "replaced")
    provision.ensure_environment(())
    (environment,) = started
    assert "PYTHONPATH" not in environment
    assert environment[provision._PYTHONPATH] == f"/opt/mine:{Path.cwd() / 'relative'}"
    assert provision._PYTHONPATH == strategy_modules.PYTHONPATH
    provision.ensure_environment(())
    assert len(started) == 1


def test_a_failing_command_ends_the_installation(checkout, capsys):
    with provision._lock() as lock:
        with pytest.raises(SystemExit) as stopped:
            provision._run(provision.Command(("sh", "-c", "exit 7")), as_root=True, lock=lock)
        provision._run(provision.Command(("false",), may_fail=True), as_root=True, lock=lock)
    assert stopped.value.code == 1
    assert "exit code 7" in capsys.readouterr().err


def test_installations_wait_for_one_another_and_for_what_a_killed_one_left_running(checkout):
    ends, goes_on = os.pipe()
    with provision._lock() as lock:
        left_running = subprocess.Popen(["head", "-c", "1"], stdin=ends, stdout=subprocess.DEVNULL, pass_fds=(lock,))
    entered = threading.Event()

    def install() -> None:
        with provision._lock():
            entered.set()

    second = threading.Thread(target=install)
    second.start()
    assert not entered.wait(0.2)
    os.write(goes_on, b".")
    left_running.wait(10)
    assert entered.wait(10)
    second.join()
    os.close(ends)
    os.close(goes_on)
    assert not list(checkout.glob("*.lock-*"))


def test_the_search_path_gains_the_system_directories_once():
    path = provision._with_system_path("/opt/bin:/usr/bin")
    assert path.startswith("/opt/bin:/usr/bin:")
    assert "/usr/sbin" in path.split(":")
    assert path.split(":").count("/usr/bin") == 1
    assert provision._with_system_path(path) == path


@pytest.mark.parametrize(
    "module", ["run_testbed.py", "scripts/__init__.py", "scripts/provision.py", "scripts/check.py"]
)
def test_the_first_modules_are_read_by_old_pythons(module):
    source = (Path(__file__).parents[3] / module).read_text()
    ast.parse(source, feature_version=(3, 8))


def test_provisioning_needs_the_standard_library_only():
    tree = ast.parse(Path(provision.__file__).read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in imported} <= sys.stdlib_module_names


def test_a_configuration_of_pip_in_any_encoding_is_read_as_far_as_it_goes(tmp_path, monkeypatch):
    configuration = tmp_path / "pip.conf"
    configuration.write_bytes(b"# caf\xe9\n[global]\nindex-url = http://mirror/\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(configuration))
    assert gather([]).pip_index


def test_a_command_that_does_not_end_is_ended_and_named(monkeypatch, capsys):
    monkeypatch.setattr(provision, "_DEADLINE_S", 0.1)
    with pytest.raises(SystemExit) as ended:
        provision._run(provision.Command(("sleep", "60")), as_root=True, lock=0)
    assert ended.value.code == 1
    assert "not ended within 0.1 s:\n  sleep 60" in capsys.readouterr().err
