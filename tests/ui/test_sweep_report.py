"""The report of a sweep in a real browser: quiet console, legible at both widths, on light and on dark paper."""

import pytest

from experiments.report.html.sweep_build import write_sweep_report
from tests.ui.browsing import look, luminance, weak_texts
from tests.unit.experiments.report.test_sweep_report import over_names, over_numbers
from tests.unit.experiments.synthetic import swept


@pytest.fixture(scope="module", params=[over_numbers, over_names])
def report(request, tmp_path_factory):
    folder = swept(tmp_path_factory.mktemp("results"), request.param())
    return write_sweep_report(folder.path, with_figures=False)


@pytest.fixture(scope="module", params=["light", "dark"])
def visit(request, report, tmp_path_factory):
    return look(report, request.param, tmp_path_factory.mktemp("browser"))


def test_the_console_is_silent(visit):
    assert visit.console == []


def test_the_page_fits_and_follows_the_readers_preference(visit):
    for width, page in visit.found.items():
        assert page["scroll"] <= page["width"] == int(width)
        assert page["outside"] == []
        assert page["overlaps"] == []
        assert (luminance(page["paper"]) > 0.5) == (visit.scheme == "light")


def test_text_is_large_enough_and_stands_out(visit):
    for page in visit.found.values():
        assert page["smallest"] >= 10
        assert weak_texts(page) == []


def test_the_reader_sees_result_comparison_and_origin(visit):
    for page in visit.found.values():
        assert page["figures"] > 10
        assert (page["broken"], page["flat"]) == (0, 0)
        for words in ("neawa took less time", "Published and measured", "congestion control", "vary:"):
            assert words in page["text"]
