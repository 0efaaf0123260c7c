import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from experiments.analysis.dry_run import dry_run, placements
from experiments.report.terminal.placements import _mark, show
from placement import Cluster, Colocation, ContainerRequest, File, load_strategy
from tests.unit.experiments.synthetic import specification

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
        present = [job for job in result["jobs"] if job["job"] in result["present"]]
        used = [node for job in present for node in (job["application_master"], *job["workers"])]
        assert max(used.count(node) for node in used) <= 8
        assert all(len(job["workers"]) == 11 for job in result["jobs"])


def test_jobs_stay_until_another_finds_no_room_and_then_the_first_one_leaves(inputs):
    for result in dry_run(**inputs)["strategies"]:
        assert [job["ended"] for job in result["jobs"]] == [[], [], [], [], [], ["job-0"]]  # 5 x 12 of 64 slots
        assert result["present"] == [f"job-{number}" for number in range(1, 6)]


def test_nobody_leaves_for_a_job_that_is_larger_than_the_cluster(inputs):
    large = ContainerRequest("large", "kmeans", 65, ("data-0",))
    for result in dry_run(**{**inputs, "requests": [inputs["requests"][0], large]})["strategies"]:
        assert result["jobs"][1]["ended"] == []
        assert "to place, room for" in result["jobs"][1]["refused"]
        assert result["present"] == ["job-0"]


@given(st.lists(st.integers(2, 64), max_size=12))
@settings(deadline=None)
def test_a_job_leaves_only_where_there_is_no_room_and_in_the_order_of_coming(sizes):
    cluster = Cluster.from_racks({1: ("h1", "h2", "h3", "h4"), 2: ("h5", "h6", "h7", "h8")})
    requests = [ContainerRequest(str(number), "any", size) for number, size in enumerate(sizes)]
    (result,) = dry_run(cluster, [], requests, {"packed": load_strategy("packed")}, 1)["strategies"]
    present: list[int] = []
    for number, job in enumerate(result["jobs"]):
        ended = [int(name) for name in job["ended"]]
        assert ended == present[: len(ended)]
        if ended:  # one fewer would not have done
            assert sum(sizes[other] for other in present[len(ended) - 1 :]) + sizes[number] > 64
        present = [*present[len(ended) :], number]
        assert sum(sizes[other] for other in present) <= 64
    assert result["present"] == [str(number) for number in present]


def test_a_strategy_sees_the_time_at_which_a_job_comes(inputs):
    default = inputs["strategies"]["default"]

    class Clock:
        place_blocks = default.place_blocks

        def place_containers(self, view, request, rng):
            seen.append(view.now_s)
            return default.place_containers(view, request, rng)

    seen: list[float] = []
    times = [0, 5, 5, 7.5, 30, 31]
    document = dry_run(**{**inputs, "strategies": {"clock": Clock()}}, times=times)
    assert seen == times == [job["at_s"] for job in document["strategies"][0]["jobs"]]


def test_the_jobs_of_a_specification_come_at_their_times():
    jobs = ", ".join(f"{{profile: kmeans, at_s: {at_s}}}" for at_s in (0, 10, 10, 70))
    found = placements(specification(f"workload=[{jobs}]", "strategies=[default, packed]"))
    assert [[job["at_s"] for job in one["jobs"]] for one in found["strategies"]] == [[0, 10, 10, 70]] * 2


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
    assert "A job-0" not in text.partition("Cost")[0]  # it has left for job-5
    assert drawing.count("B") == 11 * len(STRATEGIES)
    assert drawing.count("b") == len(STRATEGIES)
    assert text.count("5 of 6 jobs: B job-1, C job-2") == len(STRATEGIES)
    assert "does not know how long jobs take" in text


def test_many_jobs_have_marks_of_their_own_and_fit_80_columns():
    cluster = Cluster.from_racks({rack: (f"h{2 * rack - 1}", f"h{2 * rack}") for rack in range(1, 5)})
    requests = [ContainerRequest(f"a-job-with-quite-a-long-name-{number}", "any", 2) for number in range(60)]
    written = io.StringIO()
    times = [10000.25 * number for number in range(60)]
    document = dry_run(cluster, [], requests, {"default": load_strategy("default")}, 1, times=times)
    show(document, Console(file=written, width=80, color_system=None))
    text = written.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    picture, _, costs = text.partition("Cost")
    drawing = [mark for line in picture.splitlines() if "replicas" in line for mark in line.split()]
    marks = [_mark(number) for number in range(60)]
    assert len({*marks, *(mark.lower() for mark in marks)}) == 120
    for mark in marks[60 - 32 :]:  # two slots each of 64
        assert drawing.count(mark) == drawing.count(mark.lower()) == 1
    assert not {*marks[: 60 - 32]} & {*drawing}
    assert [line.split()[0] for line in costs.splitlines() if "a-job" in line] == marks
    assert "…" not in text


def test_names_are_shown_as_they_are(inputs):
    requests = [*inputs["requests"], ContainerRequest("large", "kmeans", 65, ("data-0",))]
    strategies = {"my[/bold][red]": load_strategy("default")}
    document = dry_run(**{**inputs, "requests": requests, "strategies": strategies})
    written = io.StringIO()
    show(document, Console(file=written, width=120, color_system=None))
    assert written.getvalue().count("my[/bold][red]") == 9  # above the picture, with each job, and where one is refused


def test_marks_differ_however_many_jobs_there_are():
    assert len({_mark(number) for number in range(20_000)}) == 20_000
    assert [_mark(number) for number in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]
