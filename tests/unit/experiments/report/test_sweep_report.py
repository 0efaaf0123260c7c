"""The report of a sweep: complete, self-contained, and made from whatever the points hold."""

import html
import io
import json
import re
import warnings
from xml.etree import ElementTree

import pytest

from experiments.analysis.estimates import Spread
from experiments.analysis.likeness import MixedRunsError
from experiments.commands.main import main
from experiments.records.sweep_folder import SweepFolder
from experiments.report import sweep_figures
from experiments.report.html.sweep_build import read_evidence, render, write_sweep_report
from experiments.report.html.sweep_charts import GroupChart, LineChart, chart, published
from experiments.report.sweep_panels import Panel, horizontal_key, number, panels, rows, strategies
from experiments.specification import sweep_file
from tests.unit.experiments.report.pages import Checker
from tests.unit.experiments.synthetic import START, specification, swept


def sweep(vary, **published):
    base = specification("repeats=2", "strategies=[default, neawa]")
    document = {"name": "swept", "description": "A sweep", "base": base.model_dump(mode="json")}
    return sweep_file.parse({**document, "vary": vary, "published": {"source": "A thesis", **published}})


def over_numbers():
    """Numbers along the axis, names in panels."""
    vary = {"workload.preset": ["mixed-high", "kmeans-high"], "topology.blocking_factor": [1, 2, 10, 20]}
    at = {"workload.preset": "mixed-high", "topology.blocking_factor": 10}
    reductions = [{"at": at, "strategy": "neawa", "reduction": 0.3}]
    return sweep(vary, reductions=reductions, best=[{"at": at, "strategy": "default"}])


def over_names():
    """Names along the axis."""
    presets = ["kmeans-high", "q3-high", "mixed-high", "mixed-mid"]
    reductions = [{"at": {"workload.preset": name}, "strategy": "neawa", "reduction": 0.2} for name in presets]
    return sweep({"workload.preset": presets}, reductions=reductions)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    points = [point.id for point in SweepFolder.create(tmp_path_factory.mktemp("plan"), over_numbers(), START).points()]
    doubtful, failed = (f"{points[0]}/r00-bf1-neawa",), (f"{points[1]}/r01-bf2-neawa",)
    return swept(tmp_path_factory.mktemp("results"), over_numbers(), doubtful, failed)


@pytest.fixture(scope="module")
def page(folder):
    return write_sweep_report(folder.path).read_text(encoding="utf-8")


def text_of(page):
    checker = Checker()
    checker.feed(page)
    assert checker.problems == []
    assert checker.open == []
    assert checker.targets <= checker.ids
    assert "url(" not in page
    return " ".join(" ".join(checker.text).split()), checker.loaded


def test_the_report_says_what_came_out_and_what_is_reserved(page, folder):
    text, _ = text_of(page)
    assert "8 points" in text
    assert "1 failed run" in text
    assert "1 doubtful run" in text
    assert "agent of h3: process ended" in text
    assert re.search(r"neawa took less time than default at \d of 8 points", text)
    assert re.search(r"Published changes: [01] of 1 have the measured sign, [01] the other one, and beside [01] ", text)
    assert "fastest was measured as the fastest in 0 of 1 cases" in text
    assert "A thesis" in text


def test_the_data_package_describes_the_files_of_all_points(folder):
    write_sweep_report(folder.path, with_figures=False)
    package = json.loads((folder.path / "datapackage.json").read_text())
    names = [resource["name"] for resource in package["resources"]]
    assert len(set(names)) == len(names)
    described = {resource["path"] for resource in package["resources"]}
    assert all((folder.path / path).is_file() for path in described)
    patterns = ("*.parquet", "record.json", "summary.json", "specification.yaml", "sweep.yaml")
    assert described == {str(f.relative_to(folder.path)) for pattern in patterns for f in folder.path.rglob(pattern)}


def test_it_loads_nothing_and_links_to_the_report_of_every_point(page, folder):
    _, links = text_of(page)
    assert {link.partition("/")[0] for link in links} == {"points"}
    assert len(set(links)) == 8
    assert all((folder.path / link).is_file() for link in links)


def test_the_sweep_in_the_report_can_be_run_again(page, folder):
    text = page[page.rindex("<pre") :].partition(">")[2].partition("</pre>")[0]
    assert sweep_file.loads(html.unescape(text)) == folder.sweep()


def test_figures_and_summary_are_written_beside_it(page, folder):
    names = {path.name for path in (folder.path / "figures").iterdir()}
    assert names == {f"{stem}.{kind}" for stem in ("summed-times", "published") for kind in ("pdf", "png", "svg")}
    assert len(json.loads((folder.path / "summary.json").read_text())["points"]) == 8


def found_in(folder):
    return rows(read_evidence(folder.path).results)


def test_numbers_run_along_the_axis_and_the_rest_makes_panels(folder):
    found = found_in(folder)
    assert horizontal_key(found) == "topology.blocking_factor"
    shown = panels(found)
    assert [panel.title for panel in shown] == ["mixed-high", "kmeans-high"]
    for panel in shown:
        assert panel.labels == ("1", "2", "10", "20")
        first, *_, last = panel.positions or ()
        assert (first, last) == (0, 1)
        assert list(panel.positions or ()) == sorted(panel.positions or ())
        drawn = chart(panel, strategies(found))
        assert isinstance(drawn, LineChart)
        for line in drawn.lines:
            assert all(0 <= spot.high <= spot.y <= spot.low <= 100 for spot in line.spots)  # from the top
            assert all(0 < spot.x < 100 for spot in line.spots)


def test_every_measured_time_is_in_a_panel_once(folder):
    found = found_in(folder)
    times = [s.summed_time_s for row in found for s in row.network.strategies]
    drawn = [spread for panel in panels(found) for column in panel.series.values() for spread in column if spread]
    assert sorted(spread.median for spread in drawn) == sorted(spread.median for spread in times)


def test_names_make_groups(tmp_path):
    folder = swept(tmp_path, over_names())
    found = found_in(folder)
    (panel,) = panels(found)
    assert (panel.title, panel.positions) == ("", None)
    drawn = chart(panel, strategies(found))
    assert isinstance(drawn, GroupChart)
    assert [name for name, _ in drawn.bars.groups] == list(panel.labels)
    text, _ = text_of(render(read_evidence(folder.path)))
    assert " of 4 have the measured sign" in text


def test_published_marks_lie_where_their_numbers_say(folder):
    (entry,) = read_evidence(folder.path).results.reductions
    drawn = published([entry])
    (mark,) = drawn.marks
    assert mark.published == drawn.axis.percent(-30)
    assert mark.low <= mark.estimate <= mark.high
    assert published([]) is None


def test_what_published_changes_are_of_and_that_runs_are_doubtful_is_said(tmp_path):
    mean = {"strategy": "neawa", "jobs": ["kmeans-1", "q3-1"], "of": "mean", "reduction": 0.2}
    made = sweep({"data.replication": [1, 3]}, reductions=[mean], best=[{"strategy": "default"}])
    doubtful = tuple(f"p01-replication1/r0{repeat}-bf5-neawa" for repeat in range(2))
    folder = swept(tmp_path, made, doubtful)
    page = write_sweep_report(folder.path).read_text(encoding="utf-8")
    published = html.unescape(page[page.index('<section id="published">') : page.index('<section id="points">')])
    assert published.count('class="measured hollow"') == 1
    assert published.count("of doubtful runs</title>") == 1
    assert published.count("<small>doubtful</small>") == 2  # of the change and of the fastest
    text, _ = text_of(page)
    about = "kmeans-1, q3-1, mean of the jobs' changes"
    assert published.count(f", neawa, {about}</div>") == published.count(f"<small>{about}</small>") == 2
    assert "1 of the measured changes is of doubtful runs" in text
    figure = "".join(ElementTree.parse(folder.path / "figures" / "published.svg").getroot().itertext())
    assert "measured, doubtful" in figure
    assert "mean of the jobs' changes" in figure


def test_a_sweep_of_simulated_runs_says_so(tmp_path):
    best = [{"strategy": "default"}]
    made = sweep({"data.replication": [1]}, reductions=[{"strategy": "neawa", "reduction": 0.2}], best=best)
    folder = swept(tmp_path, made, kind="simulated")
    page = write_sweep_report(folder.path).read_text(encoding="utf-8")
    text, _ = text_of(page)
    assert "<title>swept (simulated): sweep report</title>" in page
    assert '<h1>swept <span class="simulated">simulated</span></h1>' in page
    assert "Simulated: the network is computed as a fluid; nothing was emulated. 1 point 4 simulated runs" in text
    assert "1 of the measured changes is of simulated runs" in text
    assert page.count("<small>simulated</small>") == 2  # of the change and of the fastest
    assert page.count(", of simulated runs</title>") == 1
    assert page.count('<td data-label="Fidelity" class="simulated">simulated</td>') == 2
    assert "repeat the sweep with python run_testbed.py sweep --simulate my-sweep.yaml" in text
    assert 'class="trusted"' not in page
    for name, words in (("published", "simulated, 95 % interval"), ("summed-times", "simulated")):
        figure = ElementTree.parse(folder.path / "figures" / f"{name}.svg").getroot()
        assert words in [text.strip() for text in figure.itertext()]


def test_nothing_is_claimed_where_no_difference_is_shown(tmp_path):
    published = {"reductions": [{"strategy": "neawa", "reduction": 0.2}], "best": [{"strategy": "default"}]}
    folder = swept(tmp_path, sweep({"repeats": [1]}, **published))
    page = render(read_evidence(folder.path))
    assert '<td data-label="Sign">no difference shown</td>' in page
    assert "0 of 1 have the measured sign, 0 the other one, and beside 1 no difference is shown" in page
    assert "neawa <small>or default</small>" in page
    assert "measured as the fastest in 0 of 1 cases, and cannot be told from it in 1 more" in page


def test_it_is_said_in_what_points_differ(tmp_path):
    folder = swept(tmp_path, sweep({"data.replication": [1, 3]}))
    for run in folder.point(folder.points()[1]).runs():
        record = run.record()
        elsewhere = record.provenance.model_copy(update={"machine": "other"})
        (run.path / "record.json").write_text(record.updated(provenance=elsewhere).to_json())
    text, _ = text_of(render(read_evidence(folder.path)))
    assert 'different points mixed yes their runs differ in machine ("5f0c2a9be1d7", "other")' in text


def test_values_that_are_numbers():
    assert [number(value) for value in (5, "250 GB", [2], "kmeans", True, None)] == [5, 250e9, 2, None, None, None]


def test_points_without_runs_are_listed(tmp_path):
    folder = swept(tmp_path, over_names())
    for path in (folder.path / "points" / folder.points()[1].id / "runs").rglob("*.json"):
        path.unlink()
    text, links = text_of(render(read_evidence(folder.path)))
    assert "no runs yet" in text
    assert "0 of 4 runs have finished" in text
    assert len(set(links)) == 3


def test_a_sweep_without_any_run_is_refused(tmp_path):
    with pytest.raises(MixedRunsError, match="no runs yet"):
        write_sweep_report(SweepFolder.create(tmp_path, over_names(), START).path)


def test_the_command_reports_a_sweep(tmp_path, capsys):
    folder = swept(tmp_path, over_names())
    assert main(["report", str(folder.path)]) == 0
    assert capsys.readouterr().out.strip() == str(folder.path / "report.html")


def test_names_cannot_write_html(tmp_path):
    base = specification("strategies=[{name: default, label: '<script>x'}, neawa]").model_dump(mode="json")
    vary = {"topology.blocking_factor": [1, 5]}
    folder = swept(tmp_path, sweep_file.parse({"name": "x", "description": "<b>", "base": base, "vary": vary}))
    text, _ = text_of(render(read_evidence(folder.path)))
    assert "<script>x" in text


def test_long_names_and_many_strategies_stay_within_the_figure():
    names = tuple(f"preset cc-mid, connected-components {factor}" for factor in range(14))
    spreads = tuple(Spread(100.0, 90.0, 110.0, 2, "range") for _ in names)
    labels = [f"closeness-0.{tenth}" for tenth in range(8)]
    panel = Panel("", names, None, dict.fromkeys(labels, spreads))
    figure = sweep_figures._times([panel], "workload", {label: place for place, label in enumerate(labels)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Matplotlib warns when names leave no room for the axes
        figure.savefig(io.BytesIO(), format="png")
    (axes,) = figure.axes
    for box in [text.get_window_extent() for text in (*axes.get_xticklabels(), *figure.legends[0].get_texts())]:
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0
        assert box.y1 <= figure.bbox.y1
