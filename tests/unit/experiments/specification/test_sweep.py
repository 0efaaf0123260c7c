"""Sweeps: the product of their values, and how a wrong one is refused."""

import json
import re
from math import prod
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.documents.diagnostics import SpecificationError
from experiments.specification.specification_file import load as load_specification
from experiments.specification.specification_file import replace
from experiments.specification.sweep import Published, PublishedBest, PublishedReduction, Sweep, check, points
from experiments.specification.sweep_file import assignment, dump, json_schema, load, loads, preset_names

SMALL = """
name: small
base: thesis
set: {repeats: 2}
vary:
  workload.preset: [kmeans-high, kmeans-mid]
  data.replication: [1, 3]
"""

TOO_MANY = {f"strategies.1.options.x{key}": list(range(10)) for key in range(12)}


def refused(text: str, judge=loads) -> list[str]:
    with pytest.raises(SpecificationError) as caught:
        judge(text)
    return list(caught.value.problems)


def refused_when_checked(text: str) -> list[str]:
    return refused(text, lambda text: check(loads(text)))


def test_the_points_are_the_product_with_the_first_key_outermost():
    found = points(loads(SMALL))
    assert [tuple(point.values.values()) for point in found] == [
        ("kmeans-high", 1),
        ("kmeans-high", 3),
        ("kmeans-mid", 1),
        ("kmeans-mid", 3),
    ]
    assert [point.id for point in found] == [
        "p01-kmeans-high-replication1",
        "p02-kmeans-high-replication3",
        "p03-kmeans-mid-replication1",
        "p04-kmeans-mid-replication3",
    ]


def test_a_point_is_the_base_with_its_values():
    found = points(loads(SMALL))[2]
    base = load_specification("thesis")
    values = {"repeats": 2, "workload.preset": "kmeans-mid", "data.replication": 1, "name": f"small-{found.id}"}
    assert found.specification == replace(base, values.items())


@pytest.mark.parametrize(
    ("path", "values"),
    [
        ("topology.blocking_factor", [1, [2, 5]]),
        ("topology", [{"preset": "fat-tree", "parameters": {"racks": count}} for count in (2, 4)]),
        ("topology", ["thesis", "single-switch"]),
        ("strategies", [["default", "neawa"], "coloc"]),
        ("strategies.1.weights.kmeans", [{"closeness": 0, "locality": 1}, {"closeness": 1, "locality": 0}]),
        ("strategies.1.options.cost", ["sum", "product"]),
        ("seed", [1, 100]),
        ("data.block_bytes", ["64 MiB", "128 MiB"]),
        ("failures", [[], [{"at_s": 1, "host": "h3"}]]),
        ("scale.rate_divisor", ["auto", 8]),
        ("node", [{"slots": 8}, {"slots": 4, "cores": 4}]),
        ("workload", ["q3-mid", [{"profile": "kmeans"}]]),
    ],
)
def test_whatever_can_be_overridden_can_be_varied(path, values):
    sweep = Sweep(name="s", base=load_specification("thesis"), vary={path: values})
    first, second = check(sweep)
    assert first.specification.model_copy(update={"name": "s"}) != second.specification.model_copy(update={"name": "s"})


@settings(deadline=None, max_examples=50)
@given(
    st.dictionaries(
        st.sampled_from(["seed", "repeats", "data.replication", "description", "node.slots", "strategies.0.label"]),
        st.lists(st.integers(1, 40) | st.text(max_size=60), min_size=1, max_size=3, unique=True),
        min_size=1,
        max_size=3,
    )
)
def test_ids_are_unique_names_of_folders(vary):
    sweep = Sweep(name="s", base=load_specification("thesis"), vary=vary)
    try:
        found = points(sweep)
    except SpecificationError:
        return
    ids = [point.id for point in found]
    assert len({name.lower() for name in ids}) == len(ids) == prod(map(len, vary.values()))
    assert all(re.fullmatch(r"p\d{2,}[A-Za-z0-9._-]{0,40}", name) and not name.endswith(".") for name in ids)


def test_a_sweep_survives_writing_and_needs_nothing_else_then():
    sweep = loads(SMALL)
    text = dump(sweep)
    assert loads(text) == sweep
    assert "base: thesis" not in text
    assert points(loads(text)) == points(sweep)


def test_the_base_may_lie_beside_the_sweep(tmp_path):
    (tmp_path / "base.yaml").write_text("name: b\nstrategies: [packed]\nworkload: q3-mid\n")
    (tmp_path / "sweep.yaml").write_text("name: s\nbase: base.yaml\nvary: {seed: [1, 2]}\n")
    assert load(tmp_path / "sweep.yaml").base.strategies[0].name == "packed"


@pytest.mark.parametrize("name", preset_names())
def test_presets_load_and_can_run(name):
    assert check(load(name))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (SMALL.replace("[1, 3]", "[]"), ["sweep:7:3", "vary.data.replication", "at least 1"]),
        (SMALL.replace("[1, 3]", "[1, 1]"), ["vary: data.replication: 1 is given twice", "remove one"]),
        (SMALL.replace("vary", "published: {source: a, at: 1}\nvary"), ["published.at: unknown key"]),
        (SMALL + "varry: 1\n", ["sweep:8:1: varry: unknown key; did you mean 'vary'?"]),
        (SMALL.replace("repeats: 2", "data.replication: 2"), ["set.data.replication: is varied as well"]),
        (SMALL.replace("thesis", "thesiss"), ["'thesiss'", "did you mean 'thesis'?"]),
        ("name: a\nstrategies: [default]\nworkload: q3-mid\n", ["not a sweep", "--vary KEY=V1,V2"]),
        ("name: a\nbase: thesis\nvary: {}\n", ["sweep:3:1: vary", "at least 1"]),
        (f"name: a\nbase: thesis\nvary: {TOO_MANY}\n", ["sweep:3:1: vary", "1,000,000,000,000 points", "10,000"]),
        (
            SMALL + "published: {source: a, best: [{at: {seed: 1}, strategy: neawa}]}\n",
            ["published.best.0.at.seed: is not varied; use one of data.replication, workload.preset"],
        ),
        (
            SMALL + "published: {source: a, reductions: [{at: {data.replication: 2}, strategy: a, reduction: 0}]}\n",
            ["published.reductions.0.at.data.replication: 2 is not among the varied values; use one of 1, 3"],
        ),
    ],
)
def test_refusals_name_place_value_and_remedy(text, words):
    lines = "\n".join(refused(text))
    assert all(word in lines for word in words), lines


def test_a_sweep_is_not_an_experiment(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text(SMALL)
    (line,) = refused(path, load_specification)
    assert line == f"{path}: this is a sweep, not one experiment; give it to the command `sweep`"


def test_what_is_wrong_at_several_points_is_said_once_with_the_points():
    (line,) = refused_when_checked(SMALL.replace("[1, 3]", "[1, 99]"))
    assert line == (
        "data.replication: 99: there are 8 nodes and no two replicas share one; give at most that "
        "(at points p02-kmeans-high-replication99, p04-kmeans-mid-replication99)"
    )
    (line,) = refused_when_checked(SMALL.replace("repeats: 2", "strategies.1: newa"))
    assert line == "strategies.1.name: 'newa': unknown strategy; did you mean 'neawa'? (at every point)"


def test_more_runs_at_all_points_than_can_be_done_are_refused():
    (line,) = refused_when_checked(SMALL.replace("repeats: 2", "repeats: 10000"))
    assert line == "vary: makes 120,000 runs at 4 points; give at most 100,000 in all"


def test_a_value_that_cannot_be_set_names_its_points():
    lines = refused(SMALL.replace("[1, 3]", "[1, none]"), lambda text: points(loads(text)))
    assert len(lines) == 1
    assert "data.replication: 'none'" in lines[0]
    assert "(at points p02-kmeans-high-none, p04-kmeans-mid-none)" in lines[0]


def test_published_numbers_need_their_strategy_and_jobs():
    text = SMALL + "published: {source: a, reductions: [{strategy: naewa, jobs: [kmeans-1], reduction: 0.1}]}\n"
    (line,) = refused_when_checked(text)
    assert line == "published.reductions.0.strategy: 'naewa': no such label; did you mean 'neawa'?"
    text = text.replace("naewa", "neawa").replace("kmeans-1", "kmeans-4")
    lines = refused_when_checked(text)
    assert len(lines) == 2  # three jobs at mid
    assert all("published.reductions.0.jobs: 'kmeans-4': no such job at p0" in line for line in lines)


def test_values_on_the_command_line_are_yaml():
    assert assignment("data.replication=1,3") == ("data.replication", [1, 3])
    assert assignment("topology.blocking_factor=[1, 2],5") == ("topology.blocking_factor", [[1, 2], 5])
    assert assignment("workload.preset=q3-mid") == ("workload.preset", ["q3-mid"])
    with pytest.raises(SpecificationError, match="write it as path=V1,V2"):
        assignment("seed")
    with pytest.raises(SpecificationError, match="not a YAML value"):
        assignment("seed=[1")


def test_the_published_schema_is_that_of_the_code():
    assert json.loads(Path("docs/sweep.schema.json").read_text(encoding="utf-8")) == json.loads(
        json.dumps(json_schema())
    )


SWEEPS = Path("docs/sweeps.md").read_text(encoding="utf-8")


def test_the_sweep_of_the_documentation_can_run():
    (text,) = re.findall(r"```yaml\n(.*?)```", SWEEPS, re.DOTALL)
    assert len(check(loads(text))) == 6


def test_every_key_is_in_the_reference():
    keys = {*Sweep.model_fields} - {"published"}
    keys |= {f"published.{name}" for name in {*Published.model_fields} - {"reductions", "best"}}
    keys |= {f"published.reductions[].{name}" for name in PublishedReduction.model_fields}
    keys |= {f"published.best[].{name}" for name in PublishedBest.model_fields}
    assert [key for key in sorted(keys) if f"| `{key}` |" not in SWEEPS] == []


def test_links_of_the_documentation_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)[^):]*\)", SWEEPS):
        assert (Path("docs") / target).exists(), target
