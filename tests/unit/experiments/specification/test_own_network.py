"""Networks of one's own, in files."""

import json

import pytest

from experiments.documents.diagnostics import SpecificationError
from experiments.specification.plan import check, runs_of
from experiments.specification.resolved_run import resolve
from experiments.specification.specification_file import dump, load, loads, override
from topologies.clos import k_ary_fat_tree, leaf_spine

NETWORK = leaf_spine(3, 2, 2, spine_mbps=[400, 100])


def written(folder, topology="{file: networks/mine.json}", text=None):
    (folder / "networks").mkdir()
    (folder / "networks" / "mine.json").write_text(NETWORK.to_json() if text is None else text)
    path = folder / "mine.yaml"
    path.write_text(
        f"name: mine\nstrategies: [default, neawa]\nworkload: [{{profile: kmeans}}]\ntopology: {topology}\n"
    )
    return path


def test_runs_are_about_the_network_in_a_file_beside_the_specification_and_need_the_file_no_more(tmp_path):
    specification = load(written(tmp_path))
    check(specification)
    (tmp_path / "networks" / "mine.json").unlink()
    kept = loads(dump(specification))
    assert kept == specification
    runs = runs_of(kept)
    assert [run.id for run in runs] == ["r00-default", "r00-neawa"]
    assert [resolve(run).topology for run in runs] == [NETWORK] * 2


def test_a_file_can_take_the_place_of_another_network(tmp_path, monkeypatch):
    other = k_ary_fat_tree(4)
    specification = load(written(tmp_path))
    (tmp_path / "other.json").write_text(other.to_json())
    changed = override(specification, ["topology.file=other.json"])
    assert changed.topology.build(None) == other
    assert override(changed, ["topology.preset=thesis"]).topology.factors == (5.0,)
    monkeypatch.chdir(tmp_path)
    assert override(load("thesis"), ["topology={file: other.json}"]).topology.build(None) == other
    assert override(load("thesis"), ["topology.file=other.json"]).topology.factors == (None,)


@pytest.mark.parametrize(
    ("topology", "text", "words"),
    [
        ("{file: none.json}", None, "topology.file: none.json: No such file or directory; give the path of a JSON"),
        ("{file: networks/mine.json}", "{", "topology.file: networks/mine.json: topology document: "),
        ("{file: networks/mine.json}", "{}", "schema_version None: this version reads 1"),
        ("{file: networks/mine.json, blocking_factor: 5}", None, "blocking_factor: the network has the rates that it"),
        ("{file: networks/mine.json, parameters: {racks: 3}}", None, "parameters: "),
        ("{file: 3}", None, "topology.file"),
    ],
)
def test_what_is_no_network_is_refused_by_the_name_of_its_file(tmp_path, topology, text, words):
    with pytest.raises(SpecificationError) as refused:
        load(written(tmp_path, topology, text))
    assert words in str(refused.value)


def test_a_network_that_hangs_together_badly_is_refused(tmp_path):
    document = json.loads(NETWORK.to_json())
    document["links"] = document["links"][:-4]
    with pytest.raises(SpecificationError, match=r"not every node can be reached"):
        load(written(tmp_path, text=json.dumps(document)))
