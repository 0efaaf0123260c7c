"""Strategies as plug-ins, the one in the documentation among them."""

import re
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import placement
from placement import (
    ClusterState,
    Colocation,
    ContainerRequest,
    File,
    Hooks,
    PlacementError,
    Placer,
    Strategy,
    cost_terms,
    load_strategy,
    strategy_names,
)
from placement import strategy as strategy_module
from tests.unit.placement.worlds import blocks_file, job, thesis_cluster

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "placement.md"


def snippets():
    return re.findall(r"```python\n(.*?)```", DOCUMENTATION.read_text(), re.DOTALL)


@pytest.fixture
def documented(monkeypatch):
    """The module that the documentation has the reader write."""
    (source,) = [code for code in snippets() if code.startswith("# nearest_rack.py")]
    module = ModuleType("nearest_rack")
    monkeypatch.setitem(sys.modules, "nearest_rack", module)
    exec(compile(source, "nearest_rack.py", "exec"), module.__dict__)
    return source


def test_the_documented_strategy_has_20_lines_and_runs(documented):
    lines = [line for line in documented.splitlines() if line.strip() and not line.startswith("#")]
    assert len(lines) <= 20
    strategy = load_strategy("nearest_rack:NearestRack", spare=1)
    assert isinstance(strategy, Strategy)
    placer = Placer(ClusterState(thesis_cluster()), strategy, 0)
    placer.store(blocks_file("f", 16))
    request = job(12, "f")
    placed = placer.submit(request)
    racks = {placer.state.view().cluster.node(name).rack for name in placed}
    assert len(racks) == 1
    assert max(placed.count(name) for name in set(placed)) <= 7
    placer.finish("job")


def test_the_documented_clusters_are_clusters():
    (source,) = [code for code in snippets() if code.startswith("# clusters.py")]
    names: dict[str, Any] = {}
    exec(compile(source, "clusters.py", "exec"), names)
    assert (names["small"].hops.diameter, names["any_network"].hops.diameter, names["large"].hops.diameter) == (3, 3, 5)
    assert len(names["large"].hops.between) == 250


def test_the_first_example_of_the_documentation_runs(capsys):
    (source,) = [code for code in snippets() if code.startswith("# first_steps.py")]
    exec(compile(source, "first_steps.py", "exec"), {})
    assert "above the proven optimum" in capsys.readouterr().out


@pytest.mark.parametrize("name", strategy_names())
def test_all_strategies_are_run_alike(name):
    strategy = load_strategy(name)
    assert isinstance(strategy, Strategy)
    assert strategy.name == name
    assert isinstance(strategy, Hooks) == (name == "coloc")
    state = ClusterState(thesis_cluster())
    state.describe(Colocation("signature", ("f",), size=3))
    placer = Placer(state, strategy, 0)
    placer.store(blocks_file("f", 16))
    for run in ("one", "two"):
        request = job(12, "f", job_id=run)
        before = state.view()
        assert 0 <= cost_terms(before, request, placer.submit(request)).total <= 1
    placer.finish("one")
    placer.finish("two")
    assert not state.view().running
    assert not state.view().reserved()


@pytest.mark.parametrize("name", ["default", "coloc"])
def test_the_same_seed_stores_blocks_alike(name):
    view = ClusterState(thesis_cluster()).view()
    one, again, other = (
        load_strategy(name).place_blocks(view, blocks_file("f", 50), np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert one == again
    assert one != other


def test_an_entry_point_is_found_by_its_name(monkeypatch):
    point = EntryPoint("mine", "placement.strategies.baselines:Packed", "placement.strategies")

    def installed(group, name=None):
        return [point] if group == "placement.strategies" and name in (None, "mine") else []

    monkeypatch.setattr("placement.strategy.entry_points", installed)
    assert load_strategy("mine", name="mine").name == "mine"
    assert strategy_names()[-1] == "mine"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nothing", {}, "strategy 'nothing': choose one of default, random"),
        ("nothing:Here", {}, "No module named 'nothing'"),
        ("placement:Nothing", {}, "has no attribute 'Nothing'"),
        ("placement:Cluster.from_racks", {}, "no attribute"),
        ("default", {"colour": 1}, r"options \['colour'\]"),
        ("default", {"blocks": "raid"}, "blocks 'raid': choose hdfs or thesis"),
        ("placement:Weights", {}, "needs `name`, `place_blocks` and `place_containers`"),
        ("os:abort", {}, "needs `name`, `place_blocks` and `place_containers`"),
        ("ctypes:string_at", {"ptr": 0}, "needs `name`, `place_blocks` and `place_containers`"),
    ],
)
def test_what_cannot_be_loaded_is_named(name, options, message):
    with pytest.raises(PlacementError, match=message):
        load_strategy(name, **options)


def test_what_is_no_strategy_is_not_called(tmp_path):
    mark = tmp_path / "mark"
    for name, options in (
        ("subprocess:getoutput", {"cmd": f"touch {mark}"}),
        ("subprocess:Popen", {"args": ["touch", str(mark)]}),
    ):
        with pytest.raises(PlacementError, match="needs `name`, `place_blocks` and `place_containers`"):
            load_strategy(name, **options)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import sys\nsys.exit(3)", "SystemExit: 3; give an importable module:Class"),
        ("class Mine:\n    place_blocks = place_containers = print\n    def __init__(self): {}['x']", "KeyError: 'x'"),
    ],
)
def test_a_class_or_module_of_ones_own_that_fails_is_named(tmp_path, monkeypatch, source, said):
    (tmp_path / "failing_strategy.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "failing_strategy", raising=False)
    with pytest.raises(PlacementError, match=rf"strategy 'failing_strategy:Mine': .*{said}"):
        load_strategy("failing_strategy:Mine")


def test_the_public_names_exist():
    assert all(hasattr(placement, name) for name in placement.__all__)
    assert sorted(placement.__all__) == sorted(set(placement.__all__))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"annealer": {"packed_starts": 4}}, "annealer .*give an Annealer"),
        ({"interference": "no"}, "interference 'no': give true or false"),
        ({"compiled": 1}, "compiled 1: give true or false"),
    ],
)
def test_options_of_another_type_are_refused(options, said):
    with pytest.raises(PlacementError, match=said):
        load_strategy("neawa", **options)


def test_an_entry_point_that_fails_is_named(monkeypatch):
    class Broken:
        name = "theirs"

        def load(self):
            raise ImportError("no such library")

    monkeypatch.setattr(strategy_module, "entry_points", lambda **_: [Broken()])
    with pytest.raises(PlacementError, match="'theirs': ImportError: no such library"):
        load_strategy("theirs")


def test_what_two_strategies_decide_alike_does_not_depend_on_what_else_they_drew():
    stored = []
    for name in ("default", "random", "neawa"):
        placer = Placer(ClusterState(thesis_cluster()), load_strategy(name), 7)
        placer.store(File("a", 10**9))
        placer.submit(ContainerRequest("first", "x", 9, ("a",)))
        stored.append(dict(placer.store(File("b", 10**9))))
    assert stored[0] == stored[1] == stored[2]
    other = Placer(ClusterState(thesis_cluster()), load_strategy("default"), 8)
    assert dict(other.store(File("b", 10**9))) != stored[0]
