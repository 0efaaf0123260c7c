import io
import json
from typing import Any

import pytest
from rich.console import Console

from experiments.analysis.dry_run import dry_run
from experiments.report.terminal.placements import show
from placement import Cluster, Colocation, ContainerRequest, File, load_strategy

STRATEGIES = ("default", "neawa", "coloc", "packed")
MIB = 2**20


@pytest.fixture
def inputs() -> dict[str, Any]:
    cluster = Cluster.from_racks({rack: (f"h{2 * rack - 1}", f"h{2 * rack}") for rack in range(1, 5)})
    files = [File(f"data-{number}", 16 * MIB, block_bytes=MIB) for number in range(6)]
    requests = [ContainerRequest(f"job-{number}", "kmeans", 12, (f"data-{number}",)) for number in range(6)]
    colocation = Colocation("kmeans", ("data-0",), size=2)
    return {
        "cluster": cluster,
        "files": files,
        "requests": requests,
        "strategies": {name: load_strategy(name) for name in STRATEGIES},
        "seed": 3,
        "colocations": (colocation,),
    }


def test_every_strategy_places_all_blocks_and_what_fits(inputs):
    document = json.loads(json.dumps(dry_run(**inputs)))
    assert [result["strategy"] for result in document["strategies"]] == list(STRATEGIES)
    for result in document["strategies"]:
        assert [len(file["blocks"]) for file in result["files"]] == [16] * 6
        assert all(sum(file["replicas_by_node"].values()) == 48 for file in result["files"])
        used = [node for job in result["jobs"][:5] for node in (job["application_master"], *job["workers"])]
        assert max(used.count(node) for node in used) <= 8
        assert "12 containers to place, room for 4" in result["jobs"][5]["refused"]


def test_the_same_seed_gives_the_same_document_and_another_one_does_not(inputs):
    assert dry_run(**inputs) == dry_run(**inputs)
    assert dry_run(**inputs) != dry_run(**{**inputs, "seed": 4})


def test_costs_are_those_of_the_placement(inputs):
    one = {
        "files": inputs["files"][:1],
        "requests": inputs["requests"][:1],
        "strategies": {"n": load_strategy("neawa")},
    }
    document = dry_run(**{**inputs, **one, "exact_within_s": 20})
    (job,) = document["strategies"][0]["jobs"]
    assert job["optimum"]["proven"]
    assert job["terms"]["total"] == pytest.approx(job["optimum"]["cost"] * (1 + job["optimum"]["above"]))
    blocks = document["strategies"][0]["files"][0]["blocks"]
    missed = [place for place, nodes in enumerate(blocks) if not set(nodes) & set(job["workers"])]
    assert job["uncovered_blocks"] == [f"data-0#{place}" for place in missed]
    assert job["terms"]["coverage"] == pytest.approx(len(missed) / 16)


def test_the_picture_has_a_panel_a_rack_and_a_letter_a_container(inputs):
    written = io.StringIO()
    console = Console(file=written, width=150, color_system=None)
    document = dry_run(**inputs)
    show(document, console)
    text = written.getvalue()
    assert text.count("rack 1") == len(STRATEGIES)
    drawing = "".join(line for line in text.splitlines() if "replicas │" in line)
    assert drawing.count("A") == 11 * len(STRATEGIES)
    assert drawing.count("a") - drawing.count("replicas") == len(STRATEGIES)
    assert "coloc: job job-5: 12 containers to place, room for 4" in text
