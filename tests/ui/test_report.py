"""The report in a real browser: quiet console, legible at both ends of the screen sizes, on light and on dark paper."""

import pytest

from experiments.report.html.build import read_evidence, render
from tests.ui.browsing import look, luminance, weak_texts
from tests.unit.experiments.synthetic import results


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = results(
        tmp_path_factory.mktemp("results"),
        "repeats=3",
        "topology.blocking_factor=[1,5]",
        doubtful=("r02-bf5-neawa",),
        failed=("r01-bf1-coloc",),
    )
    page = folder.path / "report.html"
    page.write_text(render(read_evidence(folder.path)), encoding="utf-8")
    return page


@pytest.fixture(scope="module", params=["light", "dark"])
def visit(request, report, tmp_path_factory):
    return look(report, request.param, tmp_path_factory.mktemp("browser"))


def test_the_console_is_silent(visit):
    assert visit.console == []


def test_the_paper_follows_the_readers_preference(visit):
    for page in visit.found.values():
        assert (luminance(page["paper"]) > 0.5) == (visit.scheme == "light")


def test_nothing_sticks_out_of_the_page(visit):
    for width, page in visit.found.items():
        assert page["width"] == int(width)
        assert page["scroll"] <= page["width"]
        assert page["outside"] == []


def test_axis_labels_do_not_overlap(visit):
    for page in visit.found.values():
        assert page["overlaps"] == []


def test_text_is_large_enough_and_stands_out(visit):
    for page in visit.found.values():
        assert page["smallest"] >= 10
        assert weak_texts(page) == []


@pytest.mark.parametrize("racks", [4, 16])
def test_names_of_many_hosts_are_large_enough_and_within_the_page(racks, tmp_path):
    fat_tree = f"topology={{preset: fat-tree, parameters: {{racks: {racks}, hosts_per_rack: 4}}, blocking_factor: 5}}"
    folder = results(tmp_path, fat_tree, "strategies=[default]")
    page = folder.path / "report.html"
    page.write_text(render(read_evidence(folder.path)), encoding="utf-8")
    for found in look(page, "light", tmp_path / "browser").found.values():
        assert found["smallest"] >= 10
        assert found["outside"] == []
        assert f"h{4 * racks}" in found["text"]


def test_every_figure_is_there(visit):
    for page in visit.found.values():
        assert page["figures"] > 100
        assert (page["broken"], page["flat"]) == (0, 0)


def test_the_reader_sees_result_doubts_and_origin(visit):
    for page in visit.found.values():
        for words in (
            "neawa took",
            "The network over time",
            "Traffic between hosts",
            "1 failed run",
            "agent of h3: process ended",
            "congestion control",
            "rate_divisor: auto",
        ):
            assert words in page["text"]
