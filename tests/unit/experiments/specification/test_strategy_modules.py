"""Strategies of one's own are found beside the specification, wherever the testbed is started, and nowhere else."""

import importlib.util
import json
import os
import py_compile
import sys
from datetime import datetime, timezone
from pathlib import Path

import pytest
import yaml

from experiments.commands.main import main
from experiments.records.results_folder import ResultsFolder
from experiments.records.sweep_folder import SweepFolder
from experiments.specification import plan, strategy_modules, sweep_file
from experiments.specification.specification_file import load
from placement import PlacementError
from topologies.emulated import isolation

STRATEGY = """
from dataclasses import dataclass
from placement.hdfs import default_blocks
{imports}

@dataclass
class Mine:
    name: str = "{name}"

    def place_blocks(self, view, file, rng):
        {lazily}
        return default_blocks(view, file, rng)

    def place_containers(self, view, request, rng):
        nodes = [name for name, room in zip(view.cluster.names, view.room(request)) for _ in range(room)]
        return tuple(nodes[: request.containers])
"""


def strategy(name="mine", imports="", lazily="pass"):
    return STRATEGY.format(name=name, imports=imports, lazily=lazily)


@pytest.fixture(autouse=True)
def nothing_stays():
    """No folder is looked into any more, and nothing is loaded from one."""
    yield
    strategy_modules._search(load("thesis"))
    assert not [name for name in sys.modules if name.startswith("h2_")]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with a specification, far from the working directory."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    return experiment(tmp_path / "experiment")


def experiment(place, module="h2_mine", source=None, **changed):
    place.mkdir(parents=True)
    document = {"name": "a", "strategies": ["default", f"{module}:Mine"], "workload": ["kmeans"], **changed}
    (place / "experiment.yaml").write_text(yaml.safe_dump(document))
    file = place.joinpath(*module.split(".")).with_suffix(".py")
    file.parent.mkdir(exist_ok=True)
    file.write_text(strategy() if source is None else source)
    return place


def made(folder):
    wanted = load(folder / "experiment.yaml")
    return strategy_modules.load(wanted, wanted.strategies[1])


def refusal(folder):
    with pytest.raises(PlacementError) as caught:
        made(folder)
    return str(caught.value)


def test_a_module_beside_the_specification_is_found_from_anywhere(folder, capsys):
    assert main(["place", "--spec", str(folder / "experiment.yaml"), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [one["strategy"] for one in document["strategies"]] == ["default", "Mine"]


def test_a_relative_path_of_the_specification_will_do(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder.parent)
    assert main(["place", "--spec", "experiment/experiment.yaml"]) == 0
    monkeypatch.chdir(folder)
    assert main(["place", "--spec", "experiment.yaml"]) == 0


def test_a_strategy_on_the_command_line_lies_beside_the_specification_too(folder):
    (folder / "h2_other.py").write_text(strategy())
    assert main(["place", "--spec", str(folder / "experiment.yaml"), "--strategy", "h2_other:Mine"]) == 0


def test_the_working_directory_is_no_place_for_modules(folder, capsys):
    (folder / "h2_mine.py").rename(Path("h2_mine.py"))
    assert main(["place", "--spec", str(folder / "experiment.yaml")]) == 2
    error = capsys.readouterr().err
    assert "error: strategies.1: strategy 'h2_mine:Mine': ModuleNotFoundError: No module named 'h2_mine'" in error
    assert f"in {folder} or in the environment; put it beside the specification" in error
    assert main(["place", "--strategy", "h2_mine:Mine"]) == 2


def test_each_specification_has_the_module_of_its_own_folder(tmp_path):
    folders = [experiment(tmp_path / name, source=strategy(name)) for name in ("one", "two")]
    assert [made(folder).name for folder in (*folders, *folders)] == ["one", "two", "one", "two"]


def test_modules_beside_it_and_packages_are_found_at_any_time(tmp_path):
    source = strategy(imports="import h2_first\nfrom h2_package.inner import second", lazily="import h2_package.third")
    folder = experiment(tmp_path / "experiment", "h2_package.mine", source)
    for name in ("h2_first.py", "h2_package/inner.py", "h2_package/third.py"):
        (folder / name).write_text("second = 2\n")
    (folder / "h2_first.py").write_text("")
    made(folder)
    assert main(["place", "--spec", str(folder / "experiment.yaml")]) == 0
    assert sys.modules["h2_package.third"].second == 2
    (folder / "h2_package" / "__init__.py").write_text("")
    made(experiment(tmp_path / "another"))
    assert "h2_package" not in sys.modules
    made(folder)


def test_the_environment_goes_before(tmp_path):
    folder = experiment(tmp_path / "experiment", source=strategy(imports="import yamllint_h2 as _, numpy, colorsys"))
    (folder / "colorsys.py").write_text("raise RuntimeError('not the one of Python')")
    (folder / "yamllint_h2.py").write_text("")
    made(folder)


def test_compiled_modules_are_neither_read_nor_left(folder):
    made(folder)
    assert sorted(path.name for path in folder.iterdir()) == ["experiment.yaml", "h2_mine.py"]
    file = folder / "h2_mine.py"
    found = file.stat()
    file.write_text(strategy("evil"))
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
    py_compile.compile(str(file), cfile=importlib.util.cache_from_source(str(file)), doraise=True)
    file.write_text(strategy("mine"))
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
    made(experiment(folder.parent / "another"))
    assert made(folder).name == "mine"


@pytest.mark.parametrize("which", ["h2_mine.py", ".", ".."])
def test_a_module_that_others_can_write_is_refused(folder, which):
    path = (folder / which).resolve()
    path.chmod(0o777)
    said = refusal(folder)
    assert said.startswith("strategy 'h2_mine:Mine': module 'h2_mine' is not imported, for it is code that runs as you")
    assert f"everybody can write {path}; `chmod o-w {path}`" in said
    assert "h2_mine" not in sys.modules


def test_a_module_that_it_imports_is_refused_as_well(tmp_path):
    folder = experiment(tmp_path / "experiment", source=strategy(imports="import h2_first"))
    (folder / "h2_first.py").write_text("")
    (folder / "h2_first.py").chmod(0o666)
    assert f"everybody can write {folder / 'h2_first.py'}" in refusal(folder)


@pytest.mark.parametrize("command", [["place"], ["sweep", "--list", "--vary", "seed=1,2"], ["run"]])
def test_commands_refuse_it_with_exit_code_2(folder, command, capsys, monkeypatch):
    monkeypatch.setattr(isolation, "run", lambda _: pytest.fail("it was run"))
    (folder / "h2_mine.py").chmod(0o666)
    assert main([*command, "--spec", str(folder / "experiment.yaml")]) == 2
    assert "everybody can write" in capsys.readouterr().err


def test_folders_of_pythonpath_come_last(folder, tmp_path, monkeypatch):
    (folder / "h2_mine.py").unlink()
    library = tmp_path / "library"
    library.mkdir()
    (library / "h2_mine.py").write_text(strategy("from the library"))
    monkeypatch.setenv(strategy_modules.PYTHONPATH, str(library))
    assert made(folder).name == "from the library"
    (folder / "h2_mine.py").write_text(strategy("beside"))
    made(experiment(tmp_path / "another"))
    assert made(folder).name == "beside"
    library.chmod(0o777)
    (folder / "h2_mine.py").unlink()
    made(experiment(tmp_path / "third"))
    assert f"everybody can write {library}" in refusal(folder)


def test_a_results_folder_finds_them_again(folder, tmp_path, monkeypatch):
    now = datetime.now(timezone.utc)
    kept = ResultsFolder.create(tmp_path / "results", load(folder / "experiment.yaml"), now)
    monkeypatch.chdir("/")
    assert kept.specification().folder == str(folder)
    plan.check(kept.specification())
    (folder / "h2_mine.py").unlink()
    made(experiment(tmp_path / "another"))
    with pytest.raises(ValueError, match=f"in {folder} or in the environment"):
        plan.check(kept.specification())


def test_the_rest_of_a_folder_is_not_run_with_code_that_others_can_write(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(isolation, "run", lambda _: pytest.fail("it was run"))
    now = datetime.now(timezone.utc)
    kept = ResultsFolder.create(tmp_path / "results", load(folder / "experiment.yaml"), now)
    (folder / "h2_mine.py").chmod(0o666)
    assert main(["run", "--resume", str(kept.path)]) == 2
    assert f"everybody can write {folder / 'h2_mine.py'}" in capsys.readouterr().err


def test_a_results_folder_without_such_strategies_names_no_folder(tmp_path):
    folder = experiment(tmp_path / "experiment", strategies=["default"])
    kept = ResultsFolder.create(tmp_path / "results", load(folder / "experiment.yaml"), datetime.now(timezone.utc))
    assert str(folder) not in (kept.path / "specification.yaml").read_text()
    assert kept.specification().folder is None


@pytest.mark.parametrize("base", ["experiment.yaml", "thesis"])
def test_a_sweep_finds_them_beside_its_file(folder, tmp_path, base):
    text = {"name": "s", "base": base, "set": {"strategies": ["default", "h2_mine:Mine"]}, "vary": {"seed": [1, 2]}}
    (folder / "sweep.yaml").write_text(yaml.safe_dump(text))
    assert main(["sweep", "--list", str(folder / "sweep.yaml")]) == 0
    sweep = sweep_file.load(folder / "sweep.yaml")
    kept = SweepFolder.create(tmp_path / "results", sweep, datetime.now(timezone.utc))
    assert [one.folder for one in kept.extended(None)] == [str(folder)] * 2


def test_a_folder_may_be_named_relative_to_the_specification(tmp_path):
    folder = experiment(tmp_path / "experiment", folder="../strategies")
    (tmp_path / "strategies").mkdir()
    (folder / "h2_mine.py").rename(tmp_path / "strategies" / "h2_mine.py")
    assert made(folder).name == "mine"
